"""Signs of life: one row per process in anonymous memory that needs no help from the dead."""

from __future__ import annotations

import mmap
import struct
import time

_ROW = 64
_BEAT = struct.Struct("<Q")
_PID = struct.Struct("<Q")


class Board:
    """Rows of (pid, last beat), inherited over fork. Each row has one writer: the process that it is about.

    A row is 64 bytes: the pid, then the beat in nanoseconds of the system-wide monotonic clock, 0 before the first.
    """

    def __init__(self, rows: int) -> None:
        self._memory = mmap.mmap(-1, rows * _ROW)

    def enter(self, row: int, pid: int) -> None:
        """Note which process the row is about now; its age starts anew."""
        self._put(row, 0, _PID.pack(pid))
        self.beat(row)

    def beat(self, row: int) -> None:
        """Say "alive"."""
        self._put(row, 8, _BEAT.pack(time.monotonic_ns()))

    def leave(self, row: int) -> None:
        """The process of this row has gone; the time of its last beat stays."""
        self._put(row, 0, _PID.pack(0))

    def clear(self, row: int) -> None:
        """The process of this row is not wanted any more: as if there had never been one."""
        self._put(row, 0, bytes(16))

    def pid(self, row: int) -> int:
        """Who is in the row, 0 for nobody."""
        return int(_PID.unpack_from(self._memory, row * _ROW)[0])

    def age(self, row: int) -> float:
        """Seconds since the last beat; infinite when there was none."""
        beat = int(_BEAT.unpack_from(self._memory, row * _ROW + 8)[0])
        return (time.monotonic_ns() - beat) / 1e9 if beat else float("inf")

    def _put(self, row: int, offset: int, data: bytes) -> None:
        # One assignment: struct.pack_into would show zeros for a moment.
        start = row * _ROW + offset
        self._memory[start : start + len(data)] = data
