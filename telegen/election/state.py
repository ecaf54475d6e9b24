"""Settings of an election, and the state that one agent keeps of Leases: those it has observed and those it holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from telegen.election.lease import LAYOUT, Lease, later_position, now_text

RANKS = ("", "-standby", "-reserve")
"""Suffixes of a shard's Leases, the holder's first: the order in which agents move up."""
NEVER = float("inf")
MOST = 2**31 - 1
"""The largest number that the API stores."""
LONGEST = 10
"""The duration that a Lease states counts up to so many times our own: a person may have edited it."""


@dataclass(frozen=True)
class Slot:
    """One Lease of a shard: its place in the line."""

    name: str
    shard: int
    rank: int


@dataclass(frozen=True)
class ElectionSettings:
    """Settings of an election; times in seconds.

    Attributes:
        identity: of this agent, different from any other's.
        names: of the shards' Leases, in the order of the shards.
        lease_duration: time without renewal after which a Lease is free.
        renew_deadline: time after the last renewal for which a holder may serve.
        retry_period: time between two renewals.
        list_interval: mean time between two lists of all Leases; each is drawn from half of it to one and a half.
        layout: way in which the agents divide the series (see `telegen.election.lease`).
        position: returns the position of the Kubernetes events that this agent has sent, "" for none.
    """

    identity: str
    names: tuple[str, ...]
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    list_interval: float = 30.0
    layout: int = LAYOUT
    position: Callable[[], str] = str

    @cached_property
    def lines(self) -> tuple[tuple[Slot, ...], ...]:
        """By shard, its slots by rank."""
        return tuple(
            tuple(Slot(name + suffix, shard, rank) for rank, suffix in enumerate(RANKS)) for shard, name in enumerate(self.names)
        )

    @property
    def listed_by_all(self) -> float:
        """Time within which every agent has listed the Leases once."""
        return 1.5 * self.list_interval + 0.5 * self.retry_period

    def differs(self, lease: Lease) -> bool:
        """Return true for a record of an agent that divides the series in another way."""
        return lease.total > 0 and (lease.layout, lease.total) != (self.layout, len(self.names))

    def held(self, lease: Lease) -> Lease:
        """Return the record to write to hold a Lease. Nothing of the old one stays but the count of its transitions and, in the first
        shard's, the position of events."""
        ours, now = lease.holder == self.identity, now_text()
        return replace(
            lease,
            holder=self.identity,
            duration=math.ceil(self.lease_duration),
            acquired=lease.acquired if ours and lease.acquired else now,
            renewed=now,
            transitions=min(lease.transitions + (0 if ours or not lease.version else 1), MOST),
            total=len(self.names),
            layout=self.layout,
            position=self.last_position(lease),
        )

    def last_position(self, lease: Lease) -> str:
        """Return the position of events to write into a Lease: "" into all but the first shard's."""
        return later_position(self.position(), lease.position) if lease.name == self.names[0] else ""


@dataclass
class Observed:
    """A Lease as last observed, and the time since which its record has not changed."""

    lease: Lease
    since: float

    def free_at(self, settings: ElectionSettings) -> float:
        """Time from which another agent may take it, if it is not renewed."""
        # Agents of another layout may serve parts of the cluster without a Lease. As long as one of them waits, it takes the
        # Lease when it lists next.
        since = self.since + (settings.listed_by_all if self.lease.layout not in (0, settings.layout) else 0.0)
        ours = settings.lease_duration
        return since if self.lease.released else since + min(max(self.lease.duration, ours), LONGEST * ours)


@dataclass
class Held:
    """A Lease that this agent holds: the times at which the last successful and the last tried renewal were sent."""

    lease: Lease
    sent: float
    tried: float

    @classmethod
    def created(cls, lease: Lease, sent: float, settings: ElectionSettings) -> Held:
        """A Lease that did not exist: it is served from its first renewal, a renew_deadline later.

        If it was deleted, its former holder may not know that yet. By then it has seen the new record, or, cut off, has stopped.
        """
        return cls(lease, sent - settings.renew_deadline, sent + settings.renew_deadline - settings.retry_period)


@dataclass(frozen=True)
class Failure:
    """The last error of an action, and the times of the first and the last of its kind in a row."""

    error: Exception
    since: float
    last: float
