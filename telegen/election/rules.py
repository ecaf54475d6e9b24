"""The numbers of an election, and what one agent knows of the Leases: those that it has seen, and those that it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from telegen.election.lease import Lease, now_text

STANDBY = "-standby"
NEVER = float("inf")
LOOKS = 10.0
"""Looks a second by the agents of all nodes together that are always allowed: lists of a few kB, out of the server's cache."""
MOST = 2**31 - 1
"""The largest number that the API takes."""
LONGEST = 10
"""What a Lease says of its duration counts up to so many times our own: a person may have written it."""


@dataclass(frozen=True)
class Rules:
    """Numbers of an election; times in seconds.

    Attributes:
        identity: of this agent, unlike any other's.
        names: of the shards' Leases, in order.
        lease: time without renewal after which a Lease is free.
        deadline: time after the last renewal for which a holder may serve.
        retry: time between two renewals.
        waiting: longest time between two looks at all Leases, give or take a half.
    """

    identity: str
    names: tuple[str, ...]
    lease: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0
    waiting: float = 30.0

    def ours(self, lease: Lease, nodes: int) -> Lease:
        """A Lease as we write it to hold it: all of it but how often it has changed hands is our own word, whatever somebody has put there.

        Args:
            nodes: how many there are; 0 leaves what was written.
        """
        now, stays = now_text(), lease.holder == self.identity or not lease.version
        return replace(
            lease,
            holder=self.identity,
            duration=math.ceil(self.lease),
            acquired=lease.acquired if lease.holder == self.identity and lease.acquired else now,
            renewed=now,
            transitions=min(lease.transitions + (0 if stays else 1), MOST),
            total=len(self.names),
            nodes=nodes or lease.nodes,
        )

    def interval(self, nodes: int) -> float:
        """Time between two looks, give or take a half, in a cluster of so many nodes, 0 for an unknown number."""
        return min(self.waiting, max(self.retry / 2, nodes / LOOKS)) if nodes else self.waiting


@dataclass
class Seen:
    """A Lease as it was seen last, and since when it has looked like that."""

    lease: Lease
    since: float

    def free_at(self, default: float) -> float:
        """From when on anybody may take it; `default` is our own duration, the least that another agent counts on."""
        lasts = min(max(self.lease.duration, default), LONGEST * default)
        return self.since if self.lease.released else self.since + lasts


@dataclass
class Held:
    """A Lease of ours: when the last renewal that succeeded was sent, and when the last one was tried.

    Who has made a Lease does not serve before its first renewal, at the end of a deadline: where the Lease was deleted, its holder
    has seen by then that it is another's, or, cut off, has stopped.
    """

    lease: Lease
    sent: float
    tried: float

    @classmethod
    def made(cls, lease: Lease, sent: float, rules: Rules) -> Held:
        """One that did not exist until we wrote it."""
        return cls(lease, sent - rules.deadline, sent + rules.deadline - rules.retry)
