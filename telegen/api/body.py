"""Bodies of answers as they arrive: decompressed piece by piece and split into lines."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from telegen.api.errors import ProtocolError, Silent, Stalled, Unreachable, cause

READ = 256 * 1024
"""Bytes requested of the socket at once while data flows. PERF: 8 kB took twice the CPU for a list of 118 MB."""
QUIET = 16 * 1024
"""Bytes requested while little data flows: an idle watch keeps its buffer."""
MAX_LINE = 64 << 20
"""Bytes of the longest line; etcd stores objects of 1.5 MB at most."""
INFINITE = float("inf")


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
            zlib.error: the bytes are not gzip; pieces before the fault have been yielded.
        """
        while data:
            self._member = self._member or zlib.decompressobj(31)
            piece = self._member.decompress(data)
            if piece:
                yield piece
            data = self._member.unused_data
            if self._member.eof:
                self._member = None

    @property
    def is_complete(self) -> bool:
        """Whether the stream may end here: not inside a member."""
        return self._member is None


def pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Pieces of a body, decompressed as they arrive: an event is available as soon as the server has flushed it.

    Raises:
        ProtocolError: a content coding that was not requested, or bytes that are not gzip.
        Silent: no byte for the read timeout.
        Unreachable: the connection broke.
    """
    coding = response.headers.get("Content-Encoding", "identity")
    if coding not in ("identity", "gzip"):
        raise ProtocolError(f"content coding {coding} was not requested")
    gunzip = Gunzip() if coding == "gzip" else None
    try:
        for data in _read(response):
            if gunzip:
                yield from gunzip.decompress(data)
            else:
                yield data
    except zlib.error as error:
        raise ProtocolError(f"gzip: {error}") from error
    except ReadTimeoutError as error:
        raise Silent("no data for the read timeout") from error
    except (HTTPError, OSError) as error:
        raise Unreachable(cause(error)) from error
    if gunzip and not gunzip.is_complete:
        raise Unreachable("the connection ended inside a gzip member")


def _read(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Pieces of a body as they arrive on the wire."""
    if response.chunked:
        # PERF: kube-apiserver sends each event as a chunk: 12 us for one of 10 kB, where a read1, which ends with the chunk, takes 22.
        yield from response.read_chunked(READ, decode_content=False)
        return
    size = READ
    while data := response.read1(size):
        yield data
        size = READ if len(data) >= QUIET else QUIET


def split_lines(
    parts: Iterator[bytes], timeout: float = INFINITE, clock: Callable[[], float] = time.monotonic
) -> Iterator[bytes]:
    """Complete lines of a stream, without their ends and without empty ones.

    Args:
        timeout: seconds without a line after which the stream counts as stalled, although bytes arrive.

    Raises:
        ProtocolError: a line is longer than `MAX_LINE`, or the stream ends inside a line.
        Stalled: bytes arrive, but no line.
    """
    # PERF: a line in many pieces is joined once; 118 MB in pieces of 256 kB take 30 ms.
    tail: list[bytes] = []
    size, since = 0, clock()
    for piece in parts:
        first, *rest = piece.split(b"\n")
        tail.append(first)
        size += len(first)
        if size > MAX_LINE:
            raise ProtocolError(f"a line is longer than {MAX_LINE} bytes")
        complete = False
        if rest:
            *lines, last = b"".join(tail), *rest
            for line in lines:
                if line:
                    complete = True
                    yield line
            tail, size = [last], len(last)
        # The time that the receiver of the lines took does not count.
        if complete:
            since = clock()
        elif clock() - since > timeout:
            raise Stalled("data arrives, but no event and no bookmark for the read timeout")
    if any(tail):
        raise ProtocolError("the stream ended inside a line")
