"""Bodies of answers, decoded from the bytes of the wire: chunked transfer coding, gzip, lines. Nothing here reads a socket."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from telegen.api.errors import ProtocolError

MAX_LINE = 64 << 20
"""Bytes of the longest line; etcd stores objects of 1.5 MB at most."""
MAX_PIECE = 1 << 20
"""Bytes that are decompressed at once: a few bytes of gzip may stand for a thousand times as many."""
MAX_CHUNK_HEAD = 1024
"""Bytes of the line before a chunk, extensions included."""
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;.*)?")


class Gunzip:
    """Decompressor of a gzip stream: a series of members (RFC 1952, section 2.2).

    kube-apiserver 1.37 ends a member at every flush of a streamed list (feature gate WatchListCompression). zlib stops at the
    end of a member and keeps what follows in `unused_data`, so each member needs a decompressor of its own.
    """

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Decompressed pieces of the next bytes of the stream; none of them is empty.

        Raises:
            ProtocolError: the bytes are not gzip; pieces before the fault have been yielded.
        """
        is_full = False
        while data or is_full:
            self._member = self._member or zlib.decompressobj(31)
            try:
                piece = self._member.decompress(data, MAX_PIECE)
            except zlib.error as error:
                raise ProtocolError(f"gzip: {error}") from error
            if piece:
                yield piece
            # A full piece may leave more output in zlib, although all input is consumed.
            is_full = len(piece) == MAX_PIECE and not self._member.eof
            data = self._member.unused_data or self._member.unconsumed_tail
            if self._member.eof:
                self._member = None

    @property
    def is_complete(self) -> bool:
        """True if the stream may end here: not inside a member."""
        return self._member is None


class Chunks:
    """Decoder of the chunked transfer coding (RFC 9112, section 7.1). Chunk extensions and trailers are ignored.

    PERF: kube-apiserver sends each event as a chunk: 2 us for one of 10 kB, where urllib3's read_chunked takes 12.

    Attributes:
        is_complete: whether the last chunk has arrived.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0
        self._after_data = False
        self.is_complete = False

    def decode(self, data: bytes) -> bytes:
        """Content of the next bytes of the stream.

        Raises:
            ProtocolError: the bytes are not chunks.
        """
        if self._rest:
            data, self._rest = self._rest + data, b""
        found, at = [], 0
        while not self.is_complete:
            if self._left:
                piece = data[at : at + self._left]
                at, self._left = at + len(piece), self._left - len(piece)
                found.append(piece)
                if self._left:
                    break
                self._after_data = True
            end = data.find(b"\r\n", at)
            if end < 0:
                if len(data) - at > MAX_CHUNK_HEAD:
                    raise ProtocolError("chunked: a chunk's head is too long")
                self._rest = data[at:]
                break
            at = self._take_head(data[at:end], end + 2)
        return found[0] if len(found) == 1 else b"".join(found)

    def _take_head(self, line: bytes, after: int) -> int:
        """Take the line end behind a chunk, or the line that gives the size of the next one; `after` is where data continues."""
        if self._after_data:
            if line:
                raise ProtocolError("chunked: a chunk is longer than its size")
            self._after_data = False
            return after
        match = _SIZE.fullmatch(line)
        if not match:
            raise ProtocolError(f"chunked: {line[:40]!r} is not the size of a chunk")
        self._left = int(match[1], 16)
        self.is_complete = self._left == 0
        return after


class Lines:
    """Splitter of a stream into lines, without their ends and without empty ones."""

    def __init__(self) -> None:
        # PERF: a line in many pieces is joined once; 118 MB in pieces of 256 kB take 30 ms.
        self._tail: list[bytes] = []
        self._size = 0

    def split(self, data: bytes) -> list[bytes]:
        """The lines that the next bytes of the stream complete.

        Raises:
            ProtocolError: a line is longer than `MAX_LINE`.
        """
        first, *rest = data.split(b"\n")
        self._tail.append(first)
        self._size += len(first)
        if self._size > MAX_LINE:
            raise ProtocolError(f"a line is longer than {MAX_LINE} bytes")
        if not rest:
            return []
        lines = [b"".join(self._tail), *rest[:-1]]
        self._tail, self._size = [rest[-1]], len(rest[-1])
        return [line for line in lines if line]

    @property
    def is_complete(self) -> bool:
        """True if the stream may end here: not inside a line."""
        return not any(self._tail)
