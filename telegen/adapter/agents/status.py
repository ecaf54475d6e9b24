"""Status of polling, as the poll worker publishes it for the web processes."""

from __future__ import annotations

import msgspec


class PollStatus(msgspec.Struct):
    """Status of polling.

    Attributes:
        written: time of CLOCK_MONOTONIC in seconds.
        is_complete: enough agents have answered since the start of the adapter; it stays true.
        problem: reason why usage cannot be answered, "" if it can.
        known, ready, silent: numbers of agents: of the slices; those that are ready; those of the ready ones that do not answer.
        holders: address of the agent that serves each shard of kube_*.
    """

    written: float = 0.0
    is_complete: bool = False
    problem: str = "no agent was polled yet"
    known: int = 0
    ready: int = 0
    silent: int = 0
    holders: dict[int, str] = {}


_decoder = msgspec.msgpack.Decoder(PollStatus)


def encode(status: PollStatus) -> bytes:
    """Return the document."""
    return msgspec.msgpack.encode(status)


def decode(document: bytes) -> PollStatus:
    """Return the status of a document, the first one before any."""
    return _decoder.decode(document) if document else PollStatus()
