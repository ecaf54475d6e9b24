"""Heartbeats: one row of shared memory per process."""

from __future__ import annotations

import struct
import time

from telegen.shm.region import Region

_ROW = 64
_BEAT = struct.Struct("<Q")
_PID = struct.Struct("<Q")
_MEMORY = 16
_CPU = 24


class Heartbeats(Region):
    """Rows of (pid, last beat, memory, CPU time), inherited over fork. Beats are written by the process itself, the rest by the supervisor.

    A row is 64 bytes: the pid; the beat in nanoseconds of CLOCK_MONOTONIC, which all processes share, 0 before the first; the
    resident bytes, 0 if unknown; the CPU time in nanoseconds, 0 if unknown.
    """

    def __init__(self, rows: int) -> None:
        super().__init__("heartbeats", rows * _ROW)

    def enter(self, row: int, pid: int) -> None:
        """Assign a row to a process; its age starts at 0."""
        self._put(row, 0, _PID.pack(pid))
        self.beat(row)

    def beat(self, row: int) -> None:
        """Write the time of now."""
        self._put(row, 8, _BEAT.pack(time.monotonic_ns()))

    def leave(self, row: int) -> None:
        """Note that the process has ended; the time of its last beat stays."""
        self._put(row, 0, _PID.pack(0))
        self.note_memory(row, 0)
        self.note_cpu(row, 0)

    def note_memory(self, row: int, resident: int) -> None:
        """Set the resident bytes of the row's process."""
        self._put(row, _MEMORY, _PID.pack(resident))

    def memory(self, row: int) -> int:
        """Resident bytes of the row's process a second ago; 0 if it does not run."""
        return int(_PID.unpack_from(self._memory, row * _ROW + _MEMORY)[0])

    def note_cpu(self, row: int, nanoseconds: int) -> None:
        """Set the CPU time of the row's process."""
        self._put(row, _CPU, _PID.pack(nanoseconds))

    def cpu(self, row: int) -> int:
        """Nanoseconds of CPU time that the row's process had used a second ago; 0 if it does not run."""
        return int(_PID.unpack_from(self._memory, row * _ROW + _CPU)[0])

    def clear(self, row: int) -> None:
        """Empty a row whose process is no longer wanted."""
        self._put(row, 0, bytes(32))

    def pid(self, row: int) -> int:
        """Pid of the row's process, 0 for none."""
        return int(_PID.unpack_from(self._memory, row * _ROW)[0])

    def age(self, row: int) -> float:
        """Seconds since the last beat; infinite when there was none."""
        beat = int(_BEAT.unpack_from(self._memory, row * _ROW + 8)[0])
        return (time.monotonic_ns() - beat) / 1e9 if beat else float("inf")

    def _put(self, row: int, offset: int, data: bytes) -> None:
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        start = row * _ROW + offset
        self._memory[start : start + len(data)] = data
