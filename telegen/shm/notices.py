"""The last warning or error of each process, for the status page."""

from __future__ import annotations

import struct
import time

from telegen.shm.region import Region

_ROW = 512
_HEAD = struct.Struct("<dH")
_TEXT = 16
TEXT_BYTES = _ROW - _TEXT
"""Bytes of a text; a longer one is cut."""


class Notices(Region):
    """Rows of (time, text), inherited over fork. Each row is written by its own process alone.

    A reader may see the text of one line with the time of the one before: the page is repeated, so that does no harm.
    """

    def __init__(self, rows: int) -> None:
        super().__init__("notices", rows * _ROW)

    def write(self, row: int, text: str) -> None:
        """Set the last line of a process, one line of text."""
        data = " ".join(text.split()).encode("utf-8", "replace")[:TEXT_BYTES]
        start = row * _ROW
        self._memory[start + _TEXT : start + _TEXT + len(data)] = data
        self._memory[start : start + _HEAD.size] = _HEAD.pack(time.time(), len(data))

    def read(self, row: int) -> tuple[float, str]:
        """Return time in Unix seconds and text; 0 and "" if there is none."""
        start = row * _ROW
        at, length = _HEAD.unpack(self._memory[start : start + _HEAD.size])
        return at, self._memory[start + _TEXT : start + _TEXT + length].decode("utf-8", "ignore")
