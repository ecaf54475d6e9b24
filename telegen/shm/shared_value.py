"""What one process finds out and others go by, in anonymous memory that is inherited over fork."""

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


class TextCell:
    """A short text, or "" before it is known. One writer at a time, any readers.

    Its bytes come first and their number last: what has been seen in part is not known yet.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def write(self, text: str) -> None:
        """Say what it is: 1 to 255 bytes without a NUL.

        Raises:
            ValueError: it is shorter or longer.
        """
        data = text.encode()
        if not 0 < len(data) < 256:
            raise ValueError(f"{len(data)} bytes are no short text")
        self._memory[1 : 1 + len(data)] = data
        self._memory[0] = len(data)

    def clear(self) -> None:
        """Forget it."""
        self._memory[0] = 0
        self._memory[1:256] = bytes(255)

    def read(self) -> str:
        """The text."""
        data = self._memory[1 : 1 + self._memory[0]]
        return "" if b"\0" in data else data.decode()
