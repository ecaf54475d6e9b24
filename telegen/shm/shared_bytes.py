"""Bytes that the supervisor replaces as a whole and web processes read."""

from __future__ import annotations

import struct
import time

from telegen.shm.deflate import crc32
from telegen.shm.region import Region

_HEAD = struct.Struct("<QII")
_DATA = 64
CAPACITY = 2 << 20
"""Most bytes of a content."""
TRIES = 100
"""Reads of a content that changes meanwhile, a millisecond apart. A write takes less than one."""


class SharedBytes(Region):
    """A content and its number, 0 before the first. One writer; any number of readers without a lock.

    64 bytes of head (number, length, crc32 of the content), then the content. A reader that meets a write finds another checksum.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, _DATA + CAPACITY)

    def write(self, content: bytes) -> None:
        """Replace the content.

        Raises:
            ValueError: it has more than `CAPACITY` bytes.
        """
        if len(content) > CAPACITY:
            raise ValueError(f"{len(content)} bytes; at most {CAPACITY} are allowed")
        before = self.number
        self._memory[_DATA : _DATA + len(content)] = content
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        self._memory[: _HEAD.size] = _HEAD.pack(before + 1, len(content), crc32(content))

    @property
    def number(self) -> int:
        """Number of the content; it changes with each write."""
        return int.from_bytes(self._memory[:8], "little")

    def read(self) -> tuple[int, bytes]:
        """Return number and content.

        Raises:
            TimeoutError: the content changed during every try.
        """
        for _ in range(TRIES):
            number, length, crc = _HEAD.unpack(self._memory[: _HEAD.size])
            content = self._memory[_DATA : _DATA + length]
            if crc32(content) == crc:
                return number, content
            time.sleep(0.001)
        raise TimeoutError("shared bytes change faster than they can be read")
