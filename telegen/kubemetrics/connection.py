"""One HTTP connection: gunicorn's protocol, which also notes what its client sends and takes."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

from gunicorn.asgi.parser import LimitRequestHeaders
from gunicorn.asgi.protocol import ASGIProtocol

from telegen.kubemetrics.app import CLIENT
from telegen.kubemetrics.clients import Clients
from telegen.kubemetrics.connection_security import ConnectionSecurity

SCRAPE_TIMEOUT = b"x-prometheus-scrape-timeout-seconds"
"""Header by which Prometheus, vmagent and the OpenTelemetry collector name the time after which they give up."""
NEVER = float("inf")
UNREAD = 64 << 10
"""Bytes of pipelined requests that wait for their turn; more stay in the socket."""


class Connection(ASGIProtocol):  # type: ignore[misc]
    """A connection that can be dropped from outside, as a `telegen.kubemetrics.bodies.Client`.

    gunicorn waits for room in the socket before it takes the next part of a response, and knows no other limit of a client.
    """

    def __init__(self, worker: Any, security: ConnectionSecurity) -> None:
        """Make a connection.

        Args:
            worker: a `telegen.kubemetrics.web_process.WebProcess`.
            security: of the address that the client has connected to.
        """
        super().__init__(worker)
        self._clients: Clients = worker.clients
        self._limits, self._security = self._clients.limits, security
        self._application, self.app = worker.asgi, self._answer
        self._max_buffer_size = UNREAD
        self._answers = 0
        self._half_closed = False
        self._received, self._given = 0, 0
        self.quiet_since = time.monotonic()
        # Since when the socket has no room, NEVER if it has.
        self._full_since = NEVER
        # Since when a request is arriving, NEVER between two.
        self._request_since = self.quiet_since
        self._deadline = NEVER
        # Time, and bytes taken until then: the begin of the window over which the rate is measured.
        self._mark = (self.quiet_since, 0)
        self._may_be_sent: Any = None

    # --- events of asyncio and gunicorn

    def connection_made(self, transport: Any) -> None:
        """Note a new connection; drop it if the name in the client's certificate is not allowed."""
        super().connection_made(transport)
        self._clients.add(self)
        if self._is_ssl and not self._security.accepts(transport.get_extra_info("ssl_object")):
            self.drop("handshake")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        self._clients.discard(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:
        """Return True to keep the connection open: a client that sends no more may still read its response."""
        self._half_closed = True
        # TLS has no half-closed connections.
        return self.is_answering and not self._is_ssl

    def pause_writing(self) -> None:
        """Note that the socket is full."""
        self._full_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client has taken something."""
        self._full_since = NEVER
        super().resume_writing()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Parse what has arrived, also what has waited for the end of the response before."""
        if self._request_since == NEVER and not self._answers:
            self._request_since = time.monotonic()
        room = self._limits.max_header_size - self._received
        self._received += len(data)
        if self._current_request is None and room < len(data) and not _ends_headers(data, room):
            # PERF: 10 us. Parsing the headers first takes 3 ms, and all clients wait while 200 clients send 64 KiB each.
            self._send_error_response(431, "the headers are too large")
            self._close_transport()
            going_on = False
        else:
            going_on = bool(super()._feed_callback_parser(data))
        if not going_on:
            self._clients.count("invalid")
        return going_on

    def _on_headers_complete(self) -> Any:
        """Limit the size of all headers together; gunicorn limits each of them."""
        size = sum(len(name) + len(value) + 4 for name, value in self._callback_parser.headers)
        if size > self._limits.max_header_size:
            raise LimitRequestHeaders("the headers are too large")
        return super()._on_headers_complete()

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        """Return True if a response announces the end of its connection."""
        return bool(self.worker.draining or super()._will_close(request, response_requires_close))

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Return False: a request for another protocol is answered as any other (RFC 9110, section 7.8)."""
        return False

    async def _answer(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer a request, and note how much the client is given."""
        self._begin(scope)

        async def counted(message: dict[str, Any]) -> None:
            self._given += len(message.get("body", b""))
            await send(message)

        try:
            await self._application(scope, receive, counted)
        finally:
            self._end()

    def _begin(self, scope: dict[str, Any]) -> None:
        now = time.monotonic()
        self._answers += 1
        self._given, self._mark = 0, (now, 0)
        self._deadline = now + _scrape_timeout(scope["headers"])
        scope[CLIENT] = self
        self._clients.answering()

    def _end(self) -> None:
        self._answers -= 1
        self._may_be_sent = None
        self._received = 0
        self._request_since, self.quiet_since = NEVER, time.monotonic()

    # --- a client

    def is_gone(self) -> bool:
        """Return True if the connection has ended."""
        return bool(self._closed or self.transport.is_closing())

    def drop(self, reason: str) -> None:
        """Reset the connection."""
        self._clients.drop(self, reason)

    def watch(self, may_be_sent: Any) -> None:
        """Let the sweep end the response when `may_be_sent()` is no longer true, though its client takes nothing."""
        self._may_be_sent = may_be_sent

    @property
    def is_answering(self) -> bool:
        """True while a request is being answered or bytes of a response are unsent."""
        return self._answers > 0 or self._current_request is not None or self._unsent > 0

    @property
    def is_idle(self) -> bool:
        """True between two requests."""
        return self._request_since == NEVER and not self.is_answering

    @property
    def blocked_since(self) -> float:
        """Time since which the client has not taken its response or not sent the rest of its request; infinite if it keeps pace."""
        return min(self._full_since, self._request_since if self._lacks_body else NEVER)

    @property
    def _lacks_body(self) -> bool:
        receiver = self._body_receiver
        return receiver is not None and not receiver._complete

    @property
    def _unsent(self) -> int:
        try:
            return int(self.transport.get_write_buffer_size())
        except AttributeError:
            # A transport with TLS that was closed twice has no buffer any more (asyncio), until its end is reported.
            return 0

    def check(self, now: float) -> str:
        """Return the reason for which the connection has to be dropped, "" for none; close it if the client sends no more."""
        if not self.is_answering:
            if self._half_closed:
                self.close()
            return "silent" if now - self._request_since > self._limits.read_timeout else ""
        if self._may_be_sent is not None and not self._may_be_sent():
            return "unserved"
        if now > self._deadline:
            return "deadline"
        if not self._given and self._current_request is not None:
            # The application may ask other servers; a request whose rest is missing has no more time than any other.
            limit = self._limits.read_timeout if self._lacks_body else max(self._limits.read_timeout, self._limits.answer_timeout)
            return "silent" if now - self._request_since > limit else ""
        return self._rate_problem(now)

    def _rate_problem(self, now: float) -> str:
        """Return a reason if the client has taken too little since the begin of the window."""
        taken = self._given - self._unsent
        since, before = self._mark
        if not self._unsent:
            self._mark = (now, taken)
        elif now - since >= self._limits.write_timeout:
            if taken - before < self._limits.min_rate * (now - since):
                return "slow"
            self._mark = (now, taken)
        return ""

    def abort(self) -> None:
        """Reset the connection. `close` would wait until the client has taken what is unsent, and so would the kernel."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close(self) -> None:
        """Close the connection when all is sent."""
        self._close_transport()


def _ends_headers(data: bytes, within: int) -> bool:
    """Return True if the headers of a request can end within the first bytes of `data`."""
    # The end may have begun with the last bytes before.
    return data.startswith((b"\n", b"\r\n")) or b"\r\n\r\n" in data[: max(0, within)]


def _scrape_timeout(headers: list[tuple[bytes, bytes]]) -> float:
    """Return the seconds after which the client gives up; infinite if it does not say, or says what is no time."""
    text = next((value for name, value in headers if name == SCRAPE_TIMEOUT), b"")
    try:
        seconds = float(text)
    except ValueError:
        return NEVER
    return seconds if seconds > 0 else NEVER
