"""Gates: until when this agent may serve which shard of the cluster, in memory that every process of it sees.

One process, the one that takes part in the election, writes; the web workers look at each scrape, and the supervisor
at which workers there ought to be. A gate closes by itself: nobody has to be alive for that.

Some of what belongs to a shard is shown only while it is known to be in step with the API server. The process that keeps it in step
writes until when that is, which closes by itself as well.
"""

from __future__ import annotations

import mmap
import secrets
import struct
import time

_ROW = 64
_FIELDS = struct.Struct("<QQ")
_WANTED, _LEAVING, _PROVEN = 8, 0, 16


def boottime_ns() -> int:
    """Nanoseconds on a clock that runs on through suspension."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Gates:
    """Rows of (deadline, wanted), inherited over fork.

    Row 0 says in its first field whether the agent is leaving; row n + 1 is of shard n: the deadline in nanoseconds of
    CLOCK_BOOTTIME, 0 for closed, then 1 if the shard's stores are to be kept in step, then until when what has to be in step is.

    Attributes:
        token: random text that tells this agent from all others, for as long as its supervisor lives.
    """

    def __init__(self, shards: int) -> None:
        self._memory = mmap.mmap(-1, (shards + 1) * _ROW)
        self.token = secrets.token_hex(4)

    def set(self, shard: int, until: float, wanted: bool) -> bool:
        """Let a shard be served until a moment of CLOCK_BOOTTIME in seconds; whether `wanted` is new."""
        fresh = wanted != self.wanted(shard)
        # One assignment: struct.pack_into would show zeros for a moment.
        self._put(shard + 1, _FIELDS.pack(max(0, int(until * 1e9)), int(wanted)))
        return fresh

    def prove(self, shard: int, until: float) -> None:
        """Let what has to be in step be shown until a moment of CLOCK_BOOTTIME in seconds, as long as the shard may be served."""
        self._put(shard + 1, max(0, int(until * 1e9)).to_bytes(8, "little"), _PROVEN)

    def is_open(self, shard: int, proven: bool = False) -> bool:
        """Whether the shard may be served now; with `proven`, what of it has to be in step."""
        now = boottime_ns()
        return now < self._get(shard + 1, 0) and (not proven or now < self._get(shard + 1, _PROVEN))

    def wanted(self, shard: int) -> bool:
        """Whether the shard's stores are to be kept in step."""
        return bool(self._get(shard + 1, _WANTED))

    def leave(self, leaving: bool) -> None:
        """Say whether the agent is about to leave the group, so that its Leases are to be given back."""
        self._put(0, _FIELDS.pack(int(leaving), 0))

    @property
    def leaving(self) -> bool:
        """Whether the agent is about to leave the group."""
        return bool(self._get(0, _LEAVING))

    def _get(self, row: int, offset: int) -> int:
        start = row * _ROW + offset
        return int.from_bytes(self._memory[start : start + 8], "little")

    def _put(self, row: int, data: bytes, offset: int = 0) -> None:
        start = row * _ROW + offset
        self._memory[start : start + len(data)] = data
