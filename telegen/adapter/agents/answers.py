"""Answers of agents, put together from the bytes that arrive.

PERF: some 10 us per answer. A general parser of HTTP in Python (h11) takes 150, more than all else that a poll costs; an agent
sends one form only.
"""

from __future__ import annotations

from typing import NamedTuple

MOST_HEAD = 16 << 10
MOST_BODY = 8 << 20
"""Bytes of an answer: a node of 500 pods, each with 16 kB of labels."""


class NotHttp(ValueError):
    """The bytes are not an answer that an agent sends."""


class HttpAnswer(NamedTuple):
    """An answer.

    Attributes:
        etag: of the document, "" for none.
        closes: True if the connection ends after the answer.
    """

    status: int
    body: bytes
    etag: str
    closes: bool


class AnswerReader:
    """Reader of one answer."""

    __slots__ = ("_data", "_head", "_length")

    def __init__(self) -> None:
        self._data = bytearray()
        self._head: tuple[int, str, bool] | None = None
        self._length = 0

    @property
    def is_empty(self) -> bool:
        """True before the first byte."""
        return not self._data and self._head is None

    def feed(self, data: bytes | memoryview) -> HttpAnswer | None:
        """Take bytes; return the answer once it is complete.

        Raises:
            NotHttp
        """
        self._data += data
        if self._head is None:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                if len(self._data) > MOST_HEAD or not _may_begin(self._data):
                    raise NotHttp(f"the answer is not HTTP/1.1: {bytes(self._data[:40])!r}")
                return None
            self._head, self._length = _parse_head(bytes(self._data[:end]))
            del self._data[: end + 4]
        if len(self._data) < self._length:
            return None
        if len(self._data) > self._length:
            raise NotHttp("the answer is longer than its Content-Length")
        status, etag, closes = self._head
        return HttpAnswer(status, bytes(self._data), etag, closes)


def _may_begin(data: bytearray) -> bool:
    start = b"HTTP/1.1 "
    return data[: len(start)] == start[: len(data)]


def _parse_head(head: bytes) -> tuple[tuple[int, str, bool], int]:
    """Return (status, ETag, whether the connection ends) and the length of the body in bytes."""
    line, _, rest = head.partition(b"\r\n")
    words = line.split(b" ", 2)
    if words[0] != b"HTTP/1.1" or len(words) < 2 or not words[1].isdigit() or len(words[1]) != 3:
        raise NotHttp(f"the answer is not HTTP/1.1: {line[:40]!r}")
    fields = dict(_field(one) for one in rest.split(b"\r\n") if one)
    status = int(words[1])
    length = fields.get(b"content-length", b"0" if status in (204, 304) else b"")
    if b"transfer-encoding" in fields or not length.isdigit() or len(length) > 12:
        raise NotHttp("the answer has no valid Content-Length")
    if int(length) > MOST_BODY:
        raise NotHttp(f"the answer has {int(length)} bytes; at most {MOST_BODY} are read")
    etag = fields.get(b"etag", b"").decode("ascii", "replace")
    closes = fields.get(b"connection", b"").lower() == b"close"
    return (status, etag if etag.isprintable() and len(etag) < 256 else "", closes), 0 if status in (204, 304) else int(length)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon:
        raise NotHttp(f"the answer has a malformed header: {line[:40]!r}")
    return name.lower(), value.strip()
