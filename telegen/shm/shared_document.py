"""A document of any length in memory that is inherited over fork: one writer at a time, any number of readers, no locks."""

from __future__ import annotations

import mmap
import struct

from telegen.shm.deflate import crc32

_HEADER = struct.Struct("<QII")
_PAGE = mmap.PAGESIZE
TRIES = 8
"""Reads of a document that is replaced meanwhile; two replacements within one copy are needed for one failure."""


class SharedDocument:
    """The last complete document that was written, and its number.

    The memory has a header (number, length, crc32) and two halves. The writer fills the half that is not in use, then writes the
    header by one assignment. The checksum replaces the memory fences that Python does not have.
    """

    def __init__(self, limit: int) -> None:
        """Reserve memory for documents of up to `limit` bytes. The kernel allocates pages when they are written."""
        self._limit = -(-limit // _PAGE) * _PAGE
        self._memory = mmap.mmap(-1, _PAGE + 2 * self._limit)

    @property
    def number(self) -> int:
        """Number of documents that were written; 0 for none."""
        return int(_HEADER.unpack_from(self._memory)[0])

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
        self._memory[: _HEADER.size] = _HEADER.pack(number, len(data), crc32(data))

    def read(self) -> bytes:
        """Return the document; b"" for none, or if it was replaced during every read."""
        for _ in range(TRIES):
            number, length, checksum = _HEADER.unpack_from(self._memory)
            data = self._memory[self._start(number) : self._start(number) + length]
            if crc32(data) == checksum:
                return data
        return b""

    def _start(self, number: int) -> int:
        return _PAGE + (number & 1) * self._limit
