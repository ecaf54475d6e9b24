"""Client of an OTLP receiver by gRPC (OTLP specification, OTLP/gRPC), with bytes that are encoded already."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telegen.otlp.client import MAX_ANSWER, USER_AGENT
from telegen.otlp.outcome import Outcome, Refused, Retry, accepted, readable, retry_delay
from telegen.otlp.settings import Receiver
from telegen.otlp.tls import file_versions, system_roots, tls_context

# gRPC's core writes lines of its own to stderr at each failed connection; the outcome has the cause.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc  # noqa: E402

_CODE = grpc.StatusCode
RETRYABLE = frozenset(
    (_CODE.CANCELLED, _CODE.DEADLINE_EXCEEDED, _CODE.ABORTED, _CODE.OUT_OF_RANGE, _CODE.UNAVAILABLE, _CODE.DATA_LOSS)
)
"""Codes after which a request is sent again."""
BROKEN = frozenset((_CODE.DEADLINE_EXCEEDED, _CODE.UNAVAILABLE))
"""Codes after which the connection is made anew: gRPC may not have noticed that the other end is gone."""
DETAILS = "grpc-status-details-bin"
"""Trailer with a google.rpc.Status, which may have the delay of a retry."""
OPTIONS = (
    ("grpc.primary_user_agent", USER_AGENT),
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", -1),
    # Retries, proxies and discovery as by HTTP: the agent retries, and connects to the endpoint that is configured.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # A new channel makes a connection of its own, instead of sharing a broken one and its backoff.
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcClient:
    """See `telegen.otlp.client.Client`."""

    def __init__(self, receiver: Receiver) -> None:
        parts = urlsplit(receiver.url)
        self._receiver, self._target, self._method = receiver, parts.netloc, parts.path
        self._is_secure = parts.scheme == "https"
        self._metadata = tuple(receiver.headers.items())
        self._compression = grpc.Compression.Gzip if receiver.gzip else grpc.Compression.NoCompression
        self._channel: Any = None
        self._files: tuple[tuple[int, int], ...] = ()

    def pack(self, body: bytes) -> bytes:
        """Return the body: gRPC compresses each message itself."""
        return body

    def send(self, packed: bytes) -> Outcome:
        """Send one request and read the answer. Blocks for the receiver's timeout at most."""
        try:
            call = self._connected()
        except OSError as error:
            return Retry("tls", str(error))
        try:
            answer = call(packed, timeout=self._receiver.timeout, metadata=self._metadata, compression=self._compression)
        except grpc.RpcError as error:
            return self._failure(error)
        return accepted(answer) or Refused("answer", "OK with an answer that is not OTLP; is this the address of an OTLP receiver?")

    def close(self) -> None:
        """Drop the connection."""
        if self._channel:
            self._channel.close()
            self._channel = None

    def _connected(self) -> Callable[..., bytes]:
        """Return the method to call; certificate files that have changed make a new connection.

        Raises:
            OSError: a file of certificates cannot be used.
        """
        files = file_versions(self._receiver)
        if self._channel is None or files != self._files:
            self.close()
            self._channel, self._files = self._connect(), files
        return self._channel.unary_unary(self._method)  # type: ignore[no-any-return]

    def _connect(self) -> Any:
        receiver = self._receiver
        if not self._is_secure:
            return grpc.insecure_channel(self._target, OPTIONS)
        # gRPC reports an unusable file as a failed connection; the ssl module names the file.
        tls_context(receiver)
        roots = Path(receiver.ca).read_bytes() if receiver.ca else system_roots()
        certificate = Path(receiver.certificate).read_bytes() if receiver.certificate else None
        key = Path(receiver.key).read_bytes() if receiver.key else certificate
        return grpc.secure_channel(self._target, grpc.ssl_channel_credentials(roots, key, certificate), OPTIONS)

    def _failure(self, error: Any) -> Outcome:
        """Read the status of a call that has failed."""
        code, delay = error.code(), retry_delay(dict(error.trailing_metadata() or ()).get(DETAILS, b""))
        if code in BROKEN:
            self.close()
        message = f"{code.name}: {readable((error.details() or '').rpartition('last error: ')[2].encode())}".rstrip(": ")
        # A receiver that is too busy names a delay; without one the request is too large, or a quota is used up.
        if code in RETRYABLE or code is _CODE.RESOURCE_EXHAUSTED and delay is not None:
            return Retry(code.name, message, delay)
        return Refused(code.name, message)
