"""Answers that go on: lines of a watch, read as they arrive, without ever waiting for more than has arrived.

An open watch is silent nearly all the time. So that one thread can follow many, a stream is read from its socket when that is
readable, and decoded by the decoders of `telegen.api.body`.
"""

from __future__ import annotations

import select
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import urllib3

from telegen.api.body import Chunks, Gunzip, Lines
from telegen.api.errors import ProtocolError, Silent, Stalled, Unreachable, content_coding
from telegen.process.http_client import cause

READ = 256 * 1024
"""Bytes read at once while data flows. PERF: 8 kB took twice the CPU for a list of 118 MB."""
QUIET = 16 * 1024
"""Bytes read at once while little data flows: memory for the larger buffer is requested only when it is useful."""
TURN = 1 << 20
"""Bytes after which a stream lets others have their turn."""


class Stream:
    """Lines of one open answer.

    Attributes:
        ended: whether the server has ended the answer, at the end of a line.
        deadline: time on `clock` until which a line has to arrive.
    """

    def __init__(
        self, response: urllib3.BaseHTTPResponse, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take over an answer whose headers have been read.

        Args:
            timeout: seconds without a line after which the stream has failed.

        Raises:
            ProtocolError: a content coding that was not requested.
        """
        coding = content_coding(response.headers.get("Content-Encoding"))
        self._response, self._timeout, self._clock = response, timeout, clock
        self._chunks = Chunks() if "chunked" in response.headers.get("Transfer-Encoding", "").lower() else None
        self._left = None if self._chunks else _content_length(response)
        self._gunzip = Gunzip() if coding == "gzip" else None
        self._splitter, self._lines = Lines(), deque[bytes]()
        self._socket, self._ahead = _take_socket(response)
        self._size = READ
        self._received = self._was_taken = False
        self._error: Exception | None = None
        self.ended = self._socket is None
        self.deadline = clock() + timeout

    def fileno(self) -> int:
        """File descriptor of the connection, for a selector."""
        return int(self._socket.fileno())

    def lines(self) -> Iterator[bytes]:
        """All lines until the end of the answer; waits for each.

        Raises:
            ProtocolError, Silent, Stalled, Unreachable: see `available` and `check`.
        """
        while True:
            yield from self.available()
            if self.ended:
                return
            self.wait()
            self.check()

    def available(self, most: float = float("inf")) -> Iterator[bytes]:
        """Lines that have arrived. A line that the caller does not take remains for the next call.

        Args:
            most: bytes after which reading stops, although more have arrived.

        Raises:
            ProtocolError: the bytes cannot be decoded, or the answer ends inside a line.
            Unreachable: the connection broke, or ended inside a chunk or a gzip member.
        """
        while True:
            while self._lines:
                self._was_taken = True
                yield self._lines.popleft()
            if self._was_taken:
                # The time that the caller took for the lines does not count as silence.
                self._was_taken = self._received = False
                self.deadline = self._clock() + self._timeout
            if self._error:
                raise self._error
            data = None if self.ended or most <= 0 else self._receive()
            if data is None:
                return
            most -= len(data)
            try:
                self._decode(data)
            except (ProtocolError, Unreachable) as error:
                # Raised when the lines before the fault have been taken.
                self._error = error

    def check(self) -> None:
        """Make sure that the stream is alive.

        Raises:
            Silent: no byte has arrived for the timeout.
            Stalled: bytes have arrived, but no line.
        """
        if self._clock() < self.deadline or self._lines:
            return
        if self._received:
            raise Stalled("data arrives, but no event and no bookmark for the read timeout")
        raise Silent("no data for the read timeout")

    def wait(self) -> None:
        """Wait until bytes arrive or the deadline has passed."""
        if self._lines or self._ahead or self._pending():
            return
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        poll.poll(max(0.0, self.deadline - self._clock()) * 1000)

    def has_more(self) -> bool:
        """True if lines or bytes are buffered in this process, where a selector cannot see them."""
        return bool(self._lines or self._ahead or self._pending())

    def close(self) -> None:
        """Drop the connection: the rest of a stream is not worth reading."""
        self._response.close()
        if self._socket is not None:
            self._socket.close()

    def _pending(self) -> int:
        """Bytes that TLS has decrypted already."""
        return self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0

    def _receive(self) -> bytes | None:
        """Bytes that have arrived; None when there are none, b"" at the end of the connection."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        try:
            data = bytes(self._socket.recv(self._size))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            raise Unreachable(cause(error)) from error
        self._size = READ if len(data) >= QUIET else QUIET
        return data

    def _decode(self, data: bytes) -> None:
        """Decode received bytes to lines; b"" ends the answer."""
        if not data:
            self._end()
            return
        self._received = True
        if self._chunks:
            content = self._chunks.decode(data)
        else:
            content = data if self._left is None else data[: self._left]
            self._left = None if self._left is None else self._left - len(content)
        for piece in self._gunzip.decompress(content) if self._gunzip else (content,):
            self._lines.extend(self._splitter.split(piece))
        if (self._chunks and self._chunks.is_complete) or self._left == 0:
            self._end()

    def _end(self) -> None:
        """Note the end of the answer."""
        if self._chunks and not self._chunks.is_complete:
            raise Unreachable("the connection ended inside a chunked answer")
        if self._left:
            raise Unreachable("the connection ended before the end of the answer")
        if self._gunzip and not self._gunzip.is_complete:
            raise Unreachable("the connection ended inside a gzip member")
        if not self._splitter.is_complete:
            raise ProtocolError("the stream ended inside a line")
        self.ended = True


def _content_length(response: urllib3.BaseHTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < 16 else None


def _take_socket(response: urllib3.BaseHTTPResponse) -> tuple[Any, bytes]:
    """The socket of an answer, not blocking any more, and the bytes of the body that were read together with the headers.

    Neither urllib3 nor http.client has a public way to it. The buffered reader of http.client is not used after this.
    """
    reader = response._fp.fp  # type: ignore[attr-defined]
    if reader is None:
        # http.client closes an answer whose headers promise no body.
        return None, b""
    connection: Any = reader.raw.sock
    connection.settimeout(0.0)
    try:
        ahead: bytes = reader.peek()
    except (BlockingIOError, ssl.SSLWantReadError):
        ahead = b""
    except OSError as error:
        raise Unreachable(cause(error)) from error
    return connection, ahead
