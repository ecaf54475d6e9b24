"""Connections whose answers have bounded headers.

http.client bounds the number of headers (100) and the size of each (64 KiB), but neither their time nor the number of interim answers
(1xx). urllib3's timeout begins anew with each byte.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_HEADERS = 1 << 20
"""Bytes of the headers of an answer, interim answers included."""


class _Reader(io.RawIOBase):
    """Bytes of a connection, limited until `release`.

    Attributes:
        sock: the socket of the connection.
    """

    def __init__(self, raw: Any, sock: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin the limits.

        Args:
            raw: unbuffered reader of the connection.
            sock: its socket; its timeout is the time until `release`.
        """
        self._raw, self.sock, self._clock = raw, sock, clock
        self._timeout: float | None = sock.gettimeout()
        self._deadline = None if self._timeout is None else clock() + self._timeout
        self._left, self._is_limited = MAX_HEADERS, True

    def release(self) -> None:
        """End the limits; the timeout applies to each read again."""
        self._is_limited = False
        self.sock.settimeout(self._timeout)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived, see io.RawIOBase.

        Raises:
            TimeoutError: the time is over.
            HTTPException: there are more bytes than a header may have.
        """
        if self._is_limited and self._deadline is not None:
            left = self._deadline - self._clock()
            if left <= 0:
                raise TimeoutError("timed out")
            self.sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        if self._is_limited:
            self._left -= count or 0
            if self._left < 0:
                raise HTTPException(f"the headers of the answer have more than {MAX_HEADERS} bytes")
        return count

    def close(self) -> None:
        """Close the connection's reader."""
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer whose headers are limited; so is the body of one that is no success."""

    def __init__(self, sock: Any, *args: Any, **values: Any) -> None:
        super().__init__(sock, *args, **values)
        self._reader = _Reader(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the headers."""
        super().begin()
        if 200 <= self.status < 300:
            self._reader.release()


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def bounded(manager: PoolManager) -> PoolManager:
    """Let the connections of a manager have bounded headers; return it."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
