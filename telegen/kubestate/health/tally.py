"""Counts of the objects of one kind, kept by deltas, and the detail policy: which objects have series of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from telegen.kubestate.health.status import CURRENT
from telegen.kubestate.health.status import UNKNOWN as UNKNOWN_STATUS
from telegen.kubestate.health.status import Health, dict_at, time_of, unready_since
from telegen.metrics.family import Object

ALL, UNHEALTHY, NONE = "all", "unhealthy", "none"
"""Detail of a kind: series for each object, for those that are not Current, for none."""
AUTO = "auto"
OBJECTS, UNHEALTHY_OBJECTS = 500, 2000
"""Objects of a kind up to which `auto` shows all, and objects that are not Current up to which it shows these."""
HYSTERESIS = 0.8
"""A kind has more detail again when its objects are fewer than this fraction of the limit."""
PHASES = 16
"""Distinct phases of a kind whose schema does not list them; with more of them the field is no phase."""
TYPES = 64
"""Distinct types of conditions of a kind that are counted by their names; the others are counted as `Other`."""
KNOWN = 256
"""Combinations of conditions of a kind that are kept once."""


def next_detail(detail: str, total: int, unhealthy: int) -> str:
    """Return the detail of a kind by `auto`, from its detail until now and its numbers of objects."""
    if total <= OBJECTS * (1 if detail == ALL else HYSTERESIS):
        return ALL
    return UNHEALTHY if unhealthy <= UNHEALTHY_OBJECTS * (HYSTERESIS if detail == NONE else 1) else NONE


class Facts(NamedTuple):
    """Values of an object that are counted."""

    namespace: str
    status: str
    conditions: tuple[tuple[str, str], ...]
    phase: str


class Tally:
    """Counts of one kind. For one thread at a time.

    Attributes:
        counts: objects by their facts.
        phases: objects by their phase.
        unhealthy: number of objects that are not Current.
        unready: time since which each object that is not ready is so, by UID.
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        """Make an empty one.

        Args:
            clock: Unix seconds, for objects that do not have the time of their last change.
        """
        self._clock = clock
        self._facts: dict[str, Facts] = {}
        self._shared: dict[Facts, Facts] = {}
        self._known: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        self.counts: Counter[Facts] = Counter()
        self.phases: Counter[str] = Counter()
        self.unhealthy = 0
        self.unready: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._facts)

    def take(self, uid: str, obj: Object, health: Health, before: Tally | None = None) -> None:
        """Add an object, or replace it.

        Args:
            before: the tally that this one replaces; it knows since when objects are not ready.
        """
        known = self._facts.get(uid)
        known = known or (before._facts.get(uid) if before else None)
        since = self.unready.get(uid) or (before.unready.get(uid) if before else None)
        self.drop(uid)
        facts = Facts(str(dict_at(obj, "metadata").get("namespace") or ""), health.status, self._conditions(health), health.phase)
        # Most objects of a kind have equal facts, which are kept once.
        facts = self._facts[uid] = self._shared.setdefault(facts, facts)
        self._count(facts, 1)
        if health.status not in (CURRENT, UNKNOWN_STATUS):
            self.unready[uid] = self._since(obj, health, since, bool(known and known.status == CURRENT))

    def _conditions(self, health: Health) -> tuple[tuple[str, str], ...]:
        """Return types and statuses. PERF: equal ones are kept once, which saves 4 of 18 MB for 7,000 objects of 145 kinds."""
        if len(self._known) > KNOWN:
            self._known.clear()
        conditions = tuple([(condition.type, condition.status) for condition in health.conditions])
        return self._known.setdefault(conditions, conditions)

    def _since(self, obj: Object, health: Health, since: int | None, was_ready: bool) -> int:
        """Return the time since which an object is not ready: its own, the earlier one, now if it was ready, or its creation."""
        own = unready_since(obj, health)
        if own is not None or since is not None:
            return min(time for time in (own, since) if time is not None)
        created = time_of(dict_at(obj, "metadata").get("creationTimestamp"))
        return int(self._clock()) if was_ready or created is None else created

    def drop(self, uid: str) -> None:
        """Remove an object, if it is there."""
        self.unready.pop(uid, None)
        facts = self._facts.pop(uid, None)
        if facts:
            self._count(facts, -1)
            if not self.counts[facts]:
                del self.counts[facts], self._shared[facts]

    def totals(self) -> Totals:
        """Return a copy of the counts."""
        return Totals(dict(self.counts), min(self.unready.values(), default=None))

    def _count(self, facts: Facts, change: int) -> None:
        self.counts[facts] += change
        self.unhealthy += change if facts.status != CURRENT else 0
        if facts.phase:
            self.phases[facts.phase] += change
            if not self.phases[facts.phase]:
                del self.phases[facts.phase]


class Totals(NamedTuple):
    """Counts of a tally at one moment.

    Attributes:
        oldest: time since which an object is not ready for longest, None if all are ready.
    """

    counts: dict[Facts, int]
    oldest: int | None


class Sums(NamedTuple):
    """Sums of one kind: objects by namespace, by namespace and status, conditions by type and status."""

    objects: dict[str, int]
    statuses: dict[tuple[str, str], int]
    conditions: dict[tuple[str, str], int]
    oldest: int | None = None


def sums(totals: Iterable[Totals]) -> Sums:
    """Return the sums of one kind."""
    objects: Counter[str] = Counter()
    statuses: Counter[tuple[str, str]] = Counter()
    conditions: Counter[tuple[str, str]] = Counter()
    oldest = []
    for one in totals:
        for facts, count in one.counts.items():
            objects[facts.namespace] += count
            statuses[facts.namespace, facts.status] += count
            conditions.update(dict.fromkeys(facts.conditions, count))
        oldest += [] if one.oldest is None else [one.oldest]
    return Sums(dict(sorted(objects.items())), dict(sorted(statuses.items())), _bounded(conditions), min(oldest, default=None))


def _bounded(conditions: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the counts with at most `TYPES` types, the most frequent ones; names of hosts as types would be a series each."""
    types: Counter[str] = Counter()
    for (type_, _), count in conditions.items():
        types[type_] += count
    named = {type_ for type_, _ in types.most_common(TYPES)}
    bounded: Counter[tuple[str, str]] = Counter()
    for (type_, status), count in sorted(conditions.items()):
        bounded[type_ if type_ in named else "Other", status] += count
    return dict(bounded)
