"""Election of the agents that serve the shards: client-go's leader election, with a line of three Leases per shard.

Only the holder of a shard's first Lease serves. The agents behind it move up one by one, so that a lost holder has a
successor that watches its Lease. All other agents only list the Leases now and then: thousands may wait.

State of an agent for one shard, by the Lease that it holds:

    state      Lease           Leases are observed   objects              series
    waiting    none            list_interval         -                    -
    reserve    NAME-reserve    watch                 -                    -
    standby    NAME-standby    watch                 in step (if "hot")   -
    holder     NAME            list_interval         in step              served until last renewal sent + renew_deadline

    from        event                                                          to
    waiting     its list shows a free slot, and all slots behind are free      that slot
    standby,    the slot before is free (released, or not renewed for          the slot before; releases its own
    reserve     lease_duration), and all slots between
    any         another agent's name is in its Lease                           waiting
    any         its Lease was deleted                                          the same; it creates the Lease again
    any         SIGTERM                                                        waiting; stops serving, releases the Lease
    any         a live record is of another layout or total_shards             takes no further slot
    holder      no renewal for renew_deadline                                  holder, not serving, until a renewal succeeds

A slot that never existed is created, and served from its first renewal, a renew_deadline later (see `Held.created`).
An agent that holds a slot of one shard takes one of another shard only after agents without any have had time to do so.

No two clocks are compared. A holder counts from the time at which it *sent* its last renewal; another agent from the time at
which it *observed* the record change. As renew_deadline is shorter than lease_duration, the holder stops before another starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from telegen.api.errors import ApiError, Conflict, Forbidden, NotFound, ProtocolError, Unreachable, label
from telegen.election.lease import RELEASED, Lease, Leases, now_text
from telegen.election.state import NEVER, RANKS, ElectionSettings, Failure, Held, Observed, Slot
from telegen.shm.serving_deadlines import boottime

FAILURES = (ApiError, Unreachable, ProtocolError)
ROLE = "k8s/base/leases.yaml"
RESTART = 30.0
"""Seconds for which a restarting API server may refuse valid requests."""

log = logging.getLogger("telegen.election")


class Election:
    """One agent's part. `step` does what is due; call it again after the time that it returns, or after `record`."""

    def __init__(
        self,
        leases: Leases,
        settings: ElectionSettings,
        draw: Callable[[], float],
        clock: Callable[[], float] = boottime,
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Take part.

        Args:
            draw: random numbers from 0 to 1.
            failed: called with the reason of each failed request; losing a race is no failure.
        """
        self._leases, self._settings, self._draw, self._clock, self._failed = leases, settings, draw, clock, failed
        self._slots = {slot.name: slot for line in settings.lines for slot in line}
        self._observed: dict[str, Observed] = {}
        self._held: dict[str, Held] = {}
        self._list_at, self._listed, self._list_backoff = clock(), 0.0, 0.0
        self._not_before = 0.0
        self._failures: dict[tuple[str, ...], Failure] = {}

    # --- state

    def serves_until(self, shard: int) -> float:
        """Time on our clock until which this agent may serve a shard; 0 if it does not hold it."""
        held = self._held.get(self._settings.names[shard])
        return held.sent + self._settings.renew_deadline if held else 0.0

    @property
    def position(self) -> str:
        """Position of the Kubernetes events that were sent, from the first shard's Lease; "" if this agent does not hold it."""
        held = self._held.get(self._settings.names[0])
        return held.lease.position if held else ""

    def stands_by(self, shard: int) -> bool:
        """Return true if this agent is the standby of a shard."""
        return self._rank(shard) == 1

    def holder(self, name: str) -> str:
        """Return the holder of a Lease as last observed, without the token that makes it unique; "" if there is none."""
        if name in self._held:
            return self._settings.identity.partition("_")[0]
        observed = self._observed.get(name)
        return observed.lease.holder.partition("_")[0] if observed else ""

    @property
    def watches(self) -> bool:
        """True if this agent has to observe every change of the Leases at once."""
        return any(self._slots[name].rank for name in self._held)

    @property
    def problem(self) -> str:
        """The right that is missing, with its cure; "" for none.

        A restarting API server refuses valid requests, so after the first list only a refusal that lasts counts.
        """
        refusals = [failure for failure in self._failures.values() if isinstance(failure.error, Forbidden)]
        if not any(not self._listed or failure.last - failure.since >= RESTART for failure in refusals):
            return ""
        return f"election: no right to list and write Leases ({self._leases.path}): apply the Role and RoleBinding of {ROLE}"

    def record(self, lease: Lease) -> None:
        """Note a record that was read, or an empty one for a Lease that was deleted."""
        known = self._observed.get(lease.name)
        if known and known.lease.holder and not lease.version:
            # Its holder may have renewed it just before: only the version is forgotten, and its time starts anew.
            if known.lease.version:
                known.lease, known.since = replace(known.lease, version=""), self._clock()
        elif known is None or known.lease.record != lease.record:
            self._observed[lease.name] = Observed(lease, self._clock())
        else:
            known.lease = lease

    # --- actions

    def step(self) -> float:
        """Renew, list and take Leases as far as each is due; return the seconds until the next call."""
        for name, held in list(self._held.items()):
            due = name in self._held and self._clock() >= held.tried + self._settings.retry_period
            if due and not self._guarded(self._renew, name):
                self._list_soon()
        if self._clock() >= self._list_at:
            self._guarded(self._list_leases)
        # In random order within a rank, so that agents do not all race for the same one.
        for slot in sorted(self._slots.values(), key=lambda slot: (slot.rank, self._draw())):
            if self._eligible_at(slot) > self._clock():
                self._forget_failure(self._take, slot.name)
            elif self._clock() >= self._not_before and not self._guarded(self._take, slot.name):
                self._list_soon()
        return max(0.0, self._next() - self._clock())

    def resign(self) -> None:
        """Release all Leases. The caller has stopped serving before."""
        for name in list(self._held):
            self._guarded(self._release, name)

    def _guarded(self, action: Callable[..., None], *arguments: str) -> bool:
        """Run an action; return false if it failed, and note why."""
        try:
            action(*arguments)
            self._forget_failure(action, *arguments)
            return True
        except FAILURES as error:
            # A missing right takes a person to cure: thousands of agents that retry every few seconds would load the API server.
            refused = isinstance(error, Forbidden) and action == self._take
            pause = self._settings.list_interval if refused else self._settings.retry_period
            self._not_before = self._clock() + pause * (1 + self._draw())
            if isinstance(error, Conflict):
                log.debug("%s: another agent was faster: %s", self._leases.path, error)
            else:
                self._complain((action.__name__, *arguments), error)
            return False

    def _complain(self, key: tuple[str, ...], error: Exception) -> None:
        """Count a failure; log the first of each kind."""
        self._failed(label(error))
        before, now = self._failures.get(key), self._clock()
        is_new = before is None or label(before.error) != label(error)
        self._failures[key] = Failure(error, now if before is None or is_new else before.since, now)
        if is_new:
            log.warning("%s: %s%s", self._leases.path, error, f": apply {ROLE}" if isinstance(error, Forbidden) else "")

    def _forget_failure(self, action: Callable[..., None], *arguments: str) -> None:
        """Forget the failure of an action that has succeeded or is no longer due."""
        self._failures.pop((action.__name__, *arguments), None)

    def _list_soon(self) -> None:
        """List after a failure: outdated records may be its cause."""
        self._list_at = min(self._list_at, self._not_before)

    def _renew(self, name: str) -> None:
        """Write our Lease again; if it has changed, read who holds it now."""
        held, sent = self._held[name], self._clock()
        held.tried = sent
        try:
            stored = self._leases.write(self._settings.held(held.lease))
        except (Conflict, NotFound):
            self._resolve(name, self._leases.get(name), sent)
            return
        if sent > held.sent + self._settings.renew_deadline:
            self._confirm(name, stored, sent)
        else:
            held.lease, held.sent = stored, sent
            self.record(stored)

    def _resolve(self, name: str, current: Lease, sent: float) -> None:
        """Handle a Lease of ours that was edited or deleted: keep it, unless that gives it to another agent."""
        held = self._held[name]
        self.record(current)
        if not current.version and sent <= held.sent + self._settings.renew_deadline:
            # Other agents wait until our time has passed; until then we create it again.
            log.warning("%s: deleted; creating it again", name)
            held.lease, held.tried = replace(held.lease, version=""), sent - self._settings.retry_period
        elif current.released or current.holder not in ("", self._settings.identity):
            self._lose(name, current)
        else:
            # Ours: an answer was lost on its way, or a person has edited the Lease.
            ours = replace(current, holder=self._settings.identity, acquired=current.acquired or held.lease.acquired)
            held.lease, held.tried = ours, sent - self._settings.retry_period

    def _lose(self, name: str, current: Lease) -> None:
        log.warning("%s: lost to %s", name, current.holder or "no agent")
        del self._held[name]
        self._forget_failure(self._renew, name)

    def _list_leases(self) -> None:
        """List all Leases, and schedule the next list."""
        last, settings = self._listed, self._settings
        # Waiting agents back off while the API server is out of reach: thousands would keep it down.
        self._list_backoff = min(2 * self._list_backoff or settings.retry_period, settings.list_interval)
        self._list_at = self._clock() + self._list_backoff * (0.5 + self._draw())
        self._record_all(self._leases.list())
        self._list_backoff = 0.0
        # Records that have not changed since the last list become free soon; at the first list that may be true of all.
        held = [seen for seen in self._observed.values() if not seen.lease.released and (not last or seen.since <= last)]
        free = [moment for moment in (seen.free_at(settings) for seen in held) if moment > self._listed]
        self._list_at = min([self._listed + settings.list_interval * (0.5 + self._draw()), *free])

    def _record_all(self, found: dict[str, Lease]) -> None:
        """Note all records of a list, and forget those of other names that have gone."""
        for name in self._slots:
            self.record(found.pop(name, Lease(name)))
        for other in found.values():
            self.record(other)
        for name in set(self._observed) - set(found) - set(self._slots):
            del self._observed[name]
        self._listed = self._clock()
        for name, held in list(self._held.items()):
            # An agent that may no longer write does not learn that from a renewal. Before the end of our time a list that shows
            # another holder is outdated.
            late, current = self._listed > held.sent + self._settings.lease_duration, self._observed[name].lease
            if late and current.holder not in ("", self._settings.identity):
                self._lose(name, current)

    def _take(self, name: str) -> None:
        """Write ourselves into a free Lease. Of several agents one succeeds; the others get a Conflict."""
        sent, created = self._clock(), not self._observed[name].lease.version
        try:
            stored = self._leases.write(self._settings.held(self._observed[name].lease))
        except Conflict:
            if not created:
                raise
            # It exists: created just now, or missing from lists as a person has removed its label.
            self.record(self._leases.get(name))
            if self._eligible_at(self._slots[name]) > self._clock():
                raise
            created, stored = False, self._leases.write(self._settings.held(self._observed[name].lease))
        if self._confirm(name, stored, sent):
            log.info("%s: taken", name)
            if created:
                self._held[name] = Held.created(stored, sent, self._settings)
            slot = self._slots[name]
            for behind in self._settings.lines[slot.shard][slot.rank + 1 :]:
                if behind.name in self._held:
                    self._release(behind.name)

    def _confirm(self, name: str, stored: Lease, sent: float) -> bool:
        """Hold a Lease that was free until we wrote it, unless an agent divides the series differently.

        That agent may have written a Lease of another name at the same time. All list after they have written, so that at least
        one of two sees the other.
        """
        self.record(stored)
        self._record_all(self._leases.list(newest=True))
        self._held[name] = Held(stored, sent, sent)
        if self._layout_conflict():
            self._release(name)
            return False
        return True

    def _release(self, name: str) -> None:
        """Give a Lease back, so that no agent has to wait for its end."""
        held, now = self._held.pop(name), now_text()
        self._forget_failure(self._renew, name)
        position = self._settings.last_position(held.lease)
        released = replace(held.lease, holder="", duration=RELEASED, acquired=now, renewed=now, position=position)
        self.record(self._leases.write(released))
        log.info("%s: released", name)

    # --- times

    def _rank(self, shard: int) -> int:
        """Our place in a shard's line; its length if we have none."""
        return next((slot.rank for slot in self._settings.lines[shard] if slot.name in self._held), len(RANKS))

    def _eligible_at(self, slot: Slot) -> float:
        """Time from which we may take a slot, as far as is known: it and all slots between it and our own have to be free."""
        own, observed = self._rank(slot.shard), self._observed.get(slot.name)
        if slot.rank >= own or observed is None:
            return NEVER
        if observed.lease.holder == self._settings.identity:
            # Left by the last process of this agent.
            return observed.since
        if self._layout_conflict():
            return NEVER
        free = max(self._free_at(between.name) for between in self._settings.lines[slot.shard][slot.rank : own])
        return free + (self._settings.listed_by_all if self._held and own == len(RANKS) else 0.0)

    def _free_at(self, name: str) -> float:
        """Time from which a slot is free; NEVER if it may have been renewed since the last list."""
        observed = self._observed[name]
        free = observed.free_at(self._settings)
        return free if observed.lease.released or self.watches or self._listed >= free else NEVER

    def _layout_conflict(self) -> bool:
        """Return true while an agent that divides the series differently holds a Lease: series would be served twice."""
        known = self._clock() if self.watches else self._listed
        records = [seen for seen in self._observed.values() if seen.lease.holder and self._settings.differs(seen.lease)]
        return any(known < seen.free_at(self._settings) for seen in records)

    def _next(self) -> float:
        """Time at which the next action is due."""
        renewals = [held.tried + self._settings.retry_period for held in self._held.values()]
        chances = [max(self._eligible_at(slot), self._not_before) for slot in self._slots.values()]
        return min([self._list_at, *renewals, *chances])
