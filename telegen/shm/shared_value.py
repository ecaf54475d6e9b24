"""Single values in anonymous memory that is inherited over fork: one writer at a time, any number of readers."""

from __future__ import annotations

import mmap
import struct

from telegen.shm.region import Region

_SHARD = struct.Struct("<II")
_KNOWN = 1 << 31
MOST = _KNOWN - 1
"""The largest number of shards."""
TEXT_BYTES = 255
"""The longest text, in bytes of UTF-8."""


class SharedShard(Region):
    """(number, total), or None before it is known. The highest bit of the number marks a value that was written."""

    def __init__(self) -> None:
        super().__init__("shard", mmap.PAGESIZE)

    def write(self, shard: tuple[int, int]) -> None:
        """Set the shard; each of the two numbers is from 0 to `MOST`."""
        number, total = shard
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        self._memory[: _SHARD.size] = _SHARD.pack(number | _KNOWN, total)

    def clear(self) -> None:
        """Return to "not known"."""
        self._memory[: _SHARD.size] = bytes(_SHARD.size)

    def read(self) -> tuple[int, int] | None:
        """Return the shard, None before it is known."""
        number, total = _SHARD.unpack_from(self._memory)
        return (number & ~_KNOWN, total) if number & _KNOWN else None


class SharedText(Region):
    """A short text, or "" for none.

    The text before is removed first, then the bytes are written, and their count last: a reader takes a text that is written in
    part for none.
    """

    def __init__(self) -> None:
        super().__init__("text", mmap.PAGESIZE)

    def write(self, text: str) -> None:
        """Set the text: 1 to `TEXT_BYTES` bytes without a NUL.

        Raises:
            ValueError: it is shorter or longer.
        """
        data = text.encode()
        if not 0 < len(data) <= TEXT_BYTES:
            raise ValueError(f"a shared text has 1 to {TEXT_BYTES} bytes, not {len(data)}")
        self.clear()
        self._memory[1 : 1 + len(data)] = data
        self._memory[0] = len(data)

    def clear(self) -> None:
        """Return to no text."""
        self._memory[0] = 0
        self._memory[1 : 1 + TEXT_BYTES] = bytes(TEXT_BYTES)

    def read(self) -> str:
        """Return the text."""
        data = self._memory[1 : 1 + self._memory[0]]
        return "" if b"\0" in data else data.decode()
