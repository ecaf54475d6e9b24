"""A TLS connection to one agent that never blocks.

PERF: 18 kB and 25 us of CPU per request on a kept connection, 0.8 ms for a new one. Streams of asyncio take 310 kB and 280 us.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
from typing import NamedTuple

from telegen.adapter.agents.answers import AnswerReader, HttpAnswer, NotHttp

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CHUNK = 64 << 10
"""Bytes of the buffer for reading. PERF: all connections share one; a new one per read leaves holes in the heap, 4 kB for each agent."""
_IN_PROGRESS = (0, errno.EINPROGRESS)


class Identity(NamedTuple):
    """Certificates of the adapter, and the name in those of the agents.

    Attributes:
        number: of the certificates; it changes with them.
        server_name: name that the agent's certificate must have.
    """

    number: int
    context: ssl.SSLContext
    server_name: str


class ConnectionFailed(Exception):
    """The connection failed, or what came over it is no answer; the message is the cause.

    Attributes:
        kind: `unreachable`, `tls` or `malformed`.
        is_stale: a kept connection ended before the first byte of the answer. The agent may have restarted.
    """

    def __init__(self, kind: str, message: str, is_stale: bool = False) -> None:
        super().__init__(message)
        self.kind, self.is_stale = kind, is_stale


class Connection:
    """A connection. `advance` goes on until it would block; on an idle connection it detects the end.

    Attributes:
        events: selector events that it waits for.
        identity: of the connection's handshake.
    """

    __slots__ = ("identity", "events", "_socket", "_tls", "_is_open", "_request", "_reader", "_is_kept")

    def __init__(self, host: str, port: int, identity: Identity) -> None:
        """Begin to connect.

        Raises:
            ConnectionFailed
        """
        self.identity, self.events = identity, WRITE
        self._tls: ssl.SSLSocket | None = None
        self._is_open = self._is_kept = False
        self._request = b""
        self._reader: AnswerReader | None = None
        try:
            self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise ConnectionFailed("unreachable", _text(error)) from error
        self._socket.setblocking(False)
        error_number = self._socket.connect_ex((host, port))
        if error_number not in _IN_PROGRESS:
            self.close()
            raise ConnectionFailed("unreachable", os.strerror(error_number))

    def fileno(self) -> int:
        """File descriptor for a selector; it stays until `close`."""
        return (self._tls or self._socket).fileno()

    def send(self, request: bytes) -> None:
        """Take a request, which `advance` sends once the connection is open. One at a time."""
        self._request, self._reader = request, AnswerReader()

    def advance(self, buffer: bytearray) -> HttpAnswer | None:
        """Go on; return the answer once it is complete.

        Args:
            buffer: of CHUNK bytes, for the time of the call.

        Raises:
            ConnectionFailed: the connection is of no use any more.
        """
        try:
            if not self._is_open:
                self._open()
            if self._request:
                self._send_request()
            return self._receive(memoryview(buffer))
        except ssl.SSLWantReadError:
            self.events = READ
        except ssl.SSLWantWriteError:
            self.events = WRITE
        except (ssl.SSLError, ssl.CertificateError) as error:
            raise self._failed("tls", _tls_text(error, self.identity.server_name)) from error
        except NotHttp as error:
            raise self._failed("malformed", str(error)) from error
        except OSError as error:
            raise self._failed("unreachable", _text(error)) from error
        return None

    def close(self) -> None:
        """Close without a farewell: the agent notices."""
        (self._tls or self._socket).close()

    @property
    def _channel(self) -> ssl.SSLSocket:
        assert self._tls
        return self._tls

    def _open(self) -> None:
        """Finish connecting, then do the handshake."""
        if self._tls is None:
            error_number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error_number:
                raise OSError(error_number, os.strerror(error_number))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            context, name = self.identity.context, self.identity.server_name
            self._tls = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
        self._tls.do_handshake()
        self._is_open, self.events = True, READ

    def _send_request(self) -> None:
        # In TLS 1.3 the agent judges the client's certificate after the client has finished its handshake.
        # If the agent has closed the connection by then, the alert with the reason can still be received.
        with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
            # A request fits into an empty buffer of the system.
            self._channel.send(self._request)
        self._request = b""

    def _receive(self, buffer: memoryview) -> HttpAnswer | None:
        """Read until the answer is complete.

        Raises:
            ssl.SSLWantReadError: there is nothing to read now.
        """
        while True:
            count = self._channel.recv_into(buffer)
            if not count:
                raise OSError(errno.ECONNRESET, "the agent closed the connection")
            if self._reader is None:
                raise NotHttp("the agent sends data without a request")
            answer = self._reader.feed(buffer[:count])
            if answer:
                # The reader of an idle connection would keep the body.
                self._is_kept, self._reader = True, None
                return answer

    def _failed(self, kind: str, message: str) -> ConnectionFailed:
        has_begun = self._reader is not None and not self._reader.is_empty
        return ConnectionFailed(kind, message, self._is_kept and not has_begun)


def _text(error: OSError) -> str:
    return error.strerror or str(error)


def _tls_text(error: Exception, server_name: str) -> str:
    """Return OpenSSL's reason in words."""
    reason = getattr(error, "verify_message", "") or str(getattr(error, "reason", "") or error).lower().replace("_", " ")
    if "ostname mismatch" in reason:
        return f"the certificate of the agent is not for {server_name}"
    if isinstance(error, ssl.SSLEOFError):
        return "the agent ended the handshake; it may not trust the adapter's certificate"
    return f"TLS: {reason}"
