"""Serving deadlines in shared memory: until when this agent may serve each shard of the cluster.

The elector writes them. The web workers read them at each scrape; the supervisor reads which watch workers have to run.
A deadline passes by itself, so the end of service does not depend on any process being alive.
"""

from __future__ import annotations

import secrets
import struct
import time

from telegen.shm.region import Region

_ROW = 64
_FIELDS = struct.Struct("<QQ")
_WANTED, _LEAVING = 8, 0


def boottime_ns() -> int:
    """Nanoseconds on a clock that includes suspension of the machine."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boottime() -> float:
    """Seconds on the same clock (clock_gettime(2), CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ServingDeadlines(Region):
    """Rows of (deadline, wanted), inherited over fork.

    Row 0: 1 while the agent is leaving its group. Row n + 1, of shard n: the deadline in nanoseconds of CLOCK_BOOTTIME, 0 for
    none; 1 if the watch workers of the shard have to run.

    Attributes:
        token: random text that tells this agent from all others while its supervisor lives.
    """

    def __init__(self, shards: int) -> None:
        super().__init__("deadlines", (shards + 1) * _ROW)
        self._shards = shards
        self.token = secrets.token_hex(4)

    def set(self, shard: int, until: float, wanted: bool) -> bool:
        """Allow a shard to be served until a moment of CLOCK_BOOTTIME in seconds; return true if `wanted` has changed."""
        changed = wanted != self.is_wanted(shard)
        self._put(shard + 1, max(0, int(until * 1e9)), int(wanted))
        return changed

    def is_served(self, shard: int) -> bool:
        """Return true while the shard may be served."""
        return boottime_ns() < self._get(shard + 1, 0)

    def serves_any(self) -> bool:
        """Return true while any shard may be served."""
        return any(map(self.is_served, range(self._shards)))

    def is_wanted(self, shard: int) -> bool:
        """Return true if the watch workers of the shard have to run."""
        return bool(self._get(shard + 1, _WANTED))

    def set_leaving(self, leaving: bool) -> None:
        """Ask the elector to release its Leases when it ends."""
        self._put(0, int(leaving), 0)

    @property
    def leaving(self) -> bool:
        """True if the elector has to release its Leases when it ends."""
        return bool(self._get(0, _LEAVING))

    def _get(self, row: int, offset: int) -> int:
        start = row * _ROW + offset
        return int.from_bytes(self._memory[start : start + 8], "little")

    def _put(self, row: int, first: int, second: int) -> None:
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        self._memory[row * _ROW : row * _ROW + _FIELDS.size] = _FIELDS.pack(first, second)
