"""Clients of a receiver: one per protocol, with one interface."""

from __future__ import annotations

from typing import Protocol

from telegen import __version__
from telegen.otlp.outcome import Outcome
from telegen.otlp.settings import GRPC, Receiver

USER_AGENT = f"telegen/{__version__}"
MAX_ANSWER = 4 << 20
"""Bytes of an answer that are read."""


class Client(Protocol):
    """Client of a receiver. It sends requests one at a time on one connection. Make it after the fork."""

    def pack(self, body: bytes) -> bytes:
        """Return the bytes to send: made once, so that every retry sends the same."""

    def send(self, packed: bytes) -> Outcome:
        """Send one request and read the answer. Blocks for the receiver's timeout, or a few times that if the network is slow."""

    def close(self) -> None:
        """Drop the connection."""


def receiver_client(receiver: Receiver) -> Client:
    """Make the client of a receiver's protocol."""
    # PERF: grpcio takes 21 MB and urllib3 14 MB where nothing else has imported it.
    if receiver.protocol == GRPC:
        from telegen.otlp.grpc import GrpcClient

        return GrpcClient(receiver)
    from telegen.otlp.http import HttpClient

    return HttpClient(receiver)
