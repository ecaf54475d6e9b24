"""Who of many agents holds which shard of the cluster: the rules of client-go's leader election, for N Leases at once.

Each shard has two Leases: its own, and one of its standby, the agent that is next in line. Only the standby looks hard
at the shard's Lease (the worker lets it watch); everybody else looks at all of them now and then: the more nodes there are, the less
often. The holder of the first shard counts them. So a few agents see soon that a holder and its standby are gone, and
thousands may wait, at two requests a minute each.

No two clocks are ever compared. A holder counts from the moment at which it *sent* its last renewal; an onlooker from
the moment at which it had *seen* the record change. As `renew_deadline` is shorter than `lease_duration`, the holder
gives up before anybody else may begin. The clock must run on while the machine is suspended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from telegen.api.errors import ApiError, Conflict, Forbidden, NotFound, ProtocolError, Unreachable, label
from telegen.election.lease import RELEASED, Lease, Leases, now_text
from telegen.election.rules import NEVER, STANDBY, Held, Rules, Seen

CENSUS = 300.0
"""Seconds between two counts of the nodes."""
FAILURES = (ApiError, Unreachable, ProtocolError)

log = logging.getLogger("telegen.election")


def boottime() -> float:
    """Seconds on a clock that runs on through suspension (clock_gettime(2), CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Election:
    """One agent's part. `step` does what is due; it is called again when it says, or after `see`."""

    def __init__(
        self,
        leases: Leases,
        rules: Rules,
        draw: Callable[[], float],
        clock: Callable[[], float] = boottime,
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Take part.

        Args:
            draw: random numbers from 0 to 1.
            failed: told a word for each request that failed; that another was faster is no failure.
        """
        self._failed = failed
        self._leases, self._rules, self._draw, self._clock = leases, rules, draw, clock
        self._seen: dict[str, Seen] = {}
        self._held: dict[str, Held] = {}
        self._born = self._look_at = self._count_at = clock()
        self._looked = 0.0
        self._nodes = self._size = 0
        self._vain = 0.0
        self._not_before = 0.0
        self._failures: dict[tuple[str, ...], str] = {}

    # --- what others ask

    def serves_until(self, shard: int) -> float:
        """Until when, on our clock, this agent may serve a shard; 0 when it does not hold it."""
        held = self._held.get(self._rules.names[shard])
        return held.sent + self._rules.deadline if held else 0.0

    def stands_by(self, shard: int) -> bool:
        """Whether this agent is the next in line for a shard."""
        return self._rules.names[shard] + STANDBY in self._held

    @property
    def watches(self) -> bool:
        """Whether this agent ought to see every change of the Leases at once."""
        return any(name.endswith(STANDBY) for name in self._held)

    def see(self, lease: Lease) -> None:
        """Take note of a record; of one that is gone, too: whoever held it may have renewed it just before."""
        known = self._seen.get(lease.name)
        if lease.name == self._rules.names[0] and lease.nodes:
            self._size = lease.nodes
        if known and known.lease.holder and not lease.version:
            if known.lease.version:
                known.lease, known.since = replace(known.lease, version=""), self._clock()
        elif known is None or known.lease.record != lease.record:
            self._seen[lease.name] = Seen(lease, self._clock())
        else:
            known.lease = lease

    # --- what is done

    def step(self) -> float:
        """Renew what is held, look around, take what is free, as far as each is due; seconds until the next call."""
        for name, held in list(self._held.items()):
            due = name in self._held and self._clock() >= held.tried + self._rules.retry
            if due and not self._guarded(self._renew, name):
                self._look_soon()
        if self._clock() >= self._look_at:
            self._guarded(self._look)
        # The shards first, then their standbys; among equals anyone, so that agents do not all run after the same one.
        names = sorted(self._names(), key=lambda name: (name.endswith(STANDBY), self._draw()))
        for name in names:
            if self._chance(name) <= self._clock() >= self._not_before and not self._guarded(self._take, name):
                self._look_soon()
        if self._rules.names[0] in self._held and self._clock() >= self._count_at:
            self._guarded(self._count)
        return max(0.0, self._next() - self._clock())

    def resign(self) -> None:
        """Give everything back. Whoever calls this has stopped serving before."""
        for name in list(self._held):
            self._guarded(self._release, name)

    def _guarded(self, action: Callable[..., None], *arguments: str) -> bool:
        """Do something, and say whether it was done."""
        what = (action.__name__, *arguments)
        try:
            action(*arguments)
            self._failures.pop(what, None)
            return True
        except FAILURES as error:
            # Who may not do it has to wait for a person; thousands who ask every few seconds would keep the API server busy.
            refused = isinstance(error, Forbidden) and action == self._take
            pause = self._rules.waiting if refused else self._rules.retry
            self._not_before = self._clock() + pause * (1 + self._draw())
            if isinstance(error, Conflict):
                log.debug("%s: somebody else was faster: %s", self._leases.path, error)
            else:
                self._complain(what, error)
            return False

    def _complain(self, what: tuple[str, ...], error: Exception) -> None:
        """Count what the API server says against something, and log it once."""
        self._failed(label(error))
        if self._failures.get(what) != label(error):
            self._failures[what] = label(error)
            lacks = isinstance(error, Forbidden) and what != (self._count.__name__,)
            log.warning("%s: %s%s", self._leases.path, error, ": apply k8s/base/leases.yaml" if lacks else "")

    def _look_soon(self) -> None:
        """Something has failed: that we knew too little may be why."""
        self._look_at = min(self._look_at, self._not_before)

    def _renew(self, name: str) -> None:
        """Write our Lease anew; when somebody else has written it, see who holds it now."""
        held, sent = self._held[name], self._clock()
        held.tried = sent
        try:
            stored = self._leases.write(self._rules.ours(held.lease, self._nodes))
        except (Conflict, NotFound):
            self._resolve(name, self._leases.get(name), sent)
            return
        if sent > held.sent + self._rules.deadline:
            self._confirm(name, stored, sent)
        else:
            held.lease, held.sent = stored, sent
            self.see(stored)

    def _resolve(self, name: str, current: Lease, sent: float) -> None:
        """Somebody else has written or deleted our Lease: go on at once where that gives it to nobody else."""
        held = self._held[name]
        self.see(current)
        if not current.version and sent <= held.sent + self._rules.deadline:
            # Others let our time pass; until then it is made anew.
            log.warning("%s: deleted", name)
            held.lease, held.tried = replace(held.lease, version=""), sent - self._rules.retry
        elif current.released or current.holder not in ("", self._rules.identity):
            self._lose(name, current)
        else:
            # Ours: an answer was lost on its way, or a person has changed the object.
            ours = replace(current, holder=self._rules.identity, acquired=current.acquired or held.lease.acquired)
            held.lease, held.tried = ours, sent - self._rules.retry

    def _lose(self, name: str, current: Lease) -> None:
        """Somebody else has our Lease."""
        log.warning("%s: lost to %s", name, current.holder or "nobody")
        del self._held[name]

    def _look(self) -> None:
        """See all Leases; those that have not changed since the last time, again when they will be free."""
        last, rules = self._looked, self._rules
        # While nobody reaches the API server, those who wait try less and less often: thousands would keep it down.
        self._vain = min(2 * self._vain or rules.retry, max(rules.retry, self._interval()))
        self._look_at = self._clock() + self._vain * (0.5 + self._draw())
        self._see_all(self._leases.list())
        self._vain = 0.0
        pause = rules.waiting if self.watches else self._interval()
        self._look_at = self._looked + pause * (0.5 + self._draw())
        ends = [seen.free_at(rules.lease) for seen in self._seen.values() if not seen.lease.released and seen.since <= last]
        if self._looked < self._born + 2 * rules.lease:
            # Of what is new to us we learn soonest in this way whether its holder lives, and how many nodes there are.
            ends.append(self._looked + rules.lease * (1.05 + 0.1 * self._draw()))
        self._look_at = min([self._look_at, *(end for end in ends if end > self._looked)])

    def _see_all(self, found: dict[str, Lease]) -> None:
        """Take note of all records, and forget those that are no more."""
        for name in self._names():
            self.see(found.pop(name, Lease(name)))
        for other in found.values():
            self.see(other)
        for name in set(self._seen) - set(found) - set(self._names()):
            del self._seen[name]
        self._looked = self._clock()
        for name, held in list(self._held.items()):
            # Who may not write any more never gets to know it by a renewal. Within our time the list is behind, not we.
            late, current = self._looked > held.sent + self._rules.lease, self._seen[name].lease
            if late and current.holder not in ("", self._rules.identity):
                self._lose(name, current)

    def _count(self) -> None:
        """Count the nodes; the next renewal says how many there are."""
        self._count_at = self._clock() + CENSUS
        self._nodes = self._leases.count_nodes()

    def _take(self, name: str) -> None:
        """Write ourselves into a free Lease; whoever is faster wins, the others get a Conflict."""
        sent, made = self._clock(), not self._seen[name].lease.version
        try:
            stored = self._leases.write(self._rules.ours(self._seen[name].lease, self._nodes))
        except Conflict:
            if not made:
                raise
            # It is there: made just now, or no list shows it, as somebody has taken its label away.
            self.see(self._leases.get(name))
            if self._chance(name) > self._clock():
                raise
            made, stored = False, self._leases.write(self._rules.ours(self._seen[name].lease, self._nodes))
        if self._confirm(name, stored, sent):
            log.info("%s: taken", name)
            if made:
                self._held[name] = Held.made(stored, sent, self._rules)
            if name + STANDBY in self._held:
                self._release(name + STANDBY)

    def _confirm(self, name: str, stored: Lease, sent: float) -> bool:
        """Hold a Lease that had been free until we wrote it, unless the cluster is divided otherwise.

        Who divides it otherwise may have written a Lease of another name at the same time. All look after they have written,
        so that of two at least one sees the other.
        """
        self.see(stored)
        self._see_all(self._leases.list(newest=True))
        self._held[name] = Held(stored, sent, sent)
        if self._is_divided_otherwise():
            self._release(name)
            return False
        return True

    def _release(self, name: str) -> None:
        """Give a Lease of ours back, so that nobody has to wait for its end."""
        held, now = self._held.pop(name), now_text()
        self.see(self._leases.write(replace(held.lease, holder="", duration=RELEASED, acquired=now, renewed=now)))
        log.info("%s: given back", name)

    # --- what is due when

    def _chance(self, name: str) -> float:
        """When we may take a Lease, by all that is known now: the next in line and who holds nothing come first."""
        seen = self._seen.get(name)
        own_standby = name.endswith(STANDBY) and name.removesuffix(STANDBY) in self._held
        if seen is None or name in self._held or own_standby:
            return NEVER
        if seen.lease.holder == self._rules.identity:
            # Left by this very agent's last process.
            return seen.since
        free = seen.free_at(self._rules.lease)
        if not seen.lease.released and self._known_at() < free:
            # It may have been renewed since we looked; a watch would have told.
            return free if self.watches else NEVER
        if self._is_divided_otherwise():
            return NEVER
        if not self._held or name + STANDBY in self._held:
            return free
        # Those who hold nothing come first. They have looked by then where a holder has vanished; what was given back, or nobody ever
        # had, is for those who are still to start.
        looks = self._interval() if seen.lease.holder else self._rules.waiting
        return free + 1.5 * looks + 0.5 * self._rules.retry

    def _interval(self) -> float:
        """Time between two looks of those who hold nothing, by the last number of nodes that anybody has written."""
        return self._rules.interval(self._size)

    def _is_divided_otherwise(self) -> bool:
        """Whether an agent that knows of another number of shards still holds one: then we would serve things twice."""
        known, total = self._known_at(), len(self._rules.names)
        return any(
            seen.lease.holder and seen.lease.total not in (0, total) and known < seen.free_at(self._rules.lease)
            for seen in self._seen.values()
        )

    def _known_at(self) -> float:
        """Up to when we know of every change."""
        return self._clock() if self.watches else self._looked

    def _next(self) -> float:
        """When something will be due."""
        renewals = [held.tried + self._rules.retry for held in self._held.values()]
        chances = [max(self._chance(name), self._not_before) for name in self._names()]
        return min([self._look_at, *renewals, *chances])

    def _names(self) -> Iterator[str]:
        for name in self._rules.names:
            yield from (name, name + STANDBY)
