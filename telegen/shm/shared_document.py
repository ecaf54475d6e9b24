"""A document of any length that one process replaces as a whole and others read."""

from __future__ import annotations

import mmap
import struct
import time

from telegen.shm.deflate import crc32
from telegen.shm.region import Region

_HEADER = struct.Struct("<QII")
_PAGE = mmap.PAGESIZE
TRIES = 100
"""Reads of a document that is replaced meanwhile, a millisecond apart. A failure needs two replacements during every one of them."""


class SharedDocument(Region):
    """The last complete document that was written, and its number, 0 before the first. One writer at a time; readers without locks.

    The memory has a header (number, length, crc32) and two halves. The writer fills the half that is not in use, then writes the
    header by one assignment. The checksum replaces the memory fences that Python does not have.
    """

    def __init__(self, name: str, limit: int) -> None:
        """Reserve memory for documents of up to `limit` bytes. The kernel allocates pages when they are written.

        Raises:
            OSError: the system has no memory or no file descriptors left.
        """
        self._limit = -(-limit // _PAGE) * _PAGE
        super().__init__(name, _PAGE + 2 * self._limit)

    @property
    def number(self) -> int:
        """Number of the document; it changes with each write."""
        return int.from_bytes(self._memory[:8], "little")

    def write(self, data: bytes) -> None:
        """Replace the document.

        Raises:
            ValueError: it is longer than the limit.
        """
        if len(data) > self._limit:
            raise ValueError(f"a document of {len(data)} bytes; at most {self._limit} are possible")
        number = self.number + 1
        start = self._start(number)
        self._memory[start : start + len(data)] = data
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        self._memory[: _HEADER.size] = _HEADER.pack(number, len(data), crc32(data))

    def read(self) -> tuple[int, bytes]:
        """Return number and document.

        Raises:
            TimeoutError: the document changed during every try.
        """
        for _ in range(TRIES):
            number, length, checksum = _HEADER.unpack(self._memory[: _HEADER.size])
            start = self._start(number)
            data = self._memory[start : start + length]
            if crc32(data) == checksum:
                return number, data
            time.sleep(0.001)
        raise TimeoutError("a shared document changes faster than it can be read")

    def _start(self, number: int) -> int:
        return _PAGE + (number & 1) * self._limit
