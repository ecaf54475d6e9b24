"""A shard that one process finds out and another goes by: a number of 64 bits in anonymous memory."""

from __future__ import annotations

import mmap
import struct

_SHARD = struct.Struct("<II")
_KNOWN = 1 << 31
MOST = _KNOWN - 1
"""The largest number of shards."""


class ShardCell:
    """(number, of how many), or None before it is known; inherited over fork. One writer at a time, any readers.

    The number's highest bit says that the cell has been written.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def write(self, shard: tuple[int, int]) -> None:
        """Say what the shard is now; each of the two numbers is from 0 to `MOST`."""
        number, total = shard
        # One assignment: struct.pack_into would show zeros for a moment.
        self._memory[: _SHARD.size] = _SHARD.pack(number | _KNOWN, total)

    def clear(self) -> None:
        """Forget it."""
        self._memory[: _SHARD.size] = bytes(_SHARD.size)

    def read(self) -> tuple[int, int] | None:
        """What the shard is."""
        number, total = _SHARD.unpack_from(self._memory)
        return (number & ~_KNOWN, total) if number & _KNOWN else None
