"""Store of a reflector in front of a MetricsStore: counts the objects of a kind, and decides which have series of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from telegen.kubestate.health.status import CURRENT, examine
from telegen.kubestate.health.table import PHASE
from telegen.kubestate.health.tally import ALL, AUTO, HYSTERESIS, NONE, PHASES, UNHEALTHY, Tally, Totals, next_detail
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.render import Render
from telegen.metrics.store import MetricsStore, uid

_LESS = (ALL, UNHEALTHY, NONE)
"""Details, each less than the one before it."""


class DetailedStore:
    """Receives the objects of one kind for a store whose render function `guard` has made.

    A change of the detail applies to objects as they change, and to all of them with the complete state that `take_incomplete`
    asks for.

    Attributes:
        changes: grows with each change of the counts.
    """

    def __init__(self, setting: str, has_phases: bool, clock: Callable[[], float], elements: str = "") -> None:
        """Prepare for `attach`.

        Args:
            setting: `health_detail`.
            has_phases: the schema of the kind lists its phases.
            clock: Unix seconds.
            elements: field of status whose elements have the conditions; "" for status.conditions.
        """
        self._elements = elements
        self._setting, self._has_phases, self._clock = setting, has_phases, clock
        self._detail, self._shows_phase = ALL if setting == AUTO else setting, True
        self._tally, self._lock = Tally(clock), threading.Lock()
        self._is_shown, self._is_incomplete = True, False
        self.changes = 0

    def attach(self, store: MetricsStore) -> DetailedStore:
        """Set the store that gets all objects; return self."""
        self._store = store
        return self

    @property
    def is_truncated(self) -> bool:
        """True if the kind has too many objects for any detail."""
        return self._setting == AUTO and self._detail == NONE

    def totals(self) -> Totals:
        """Return the counts; for any thread."""
        with self._lock:
            return self._tally.totals()

    def take_incomplete(self) -> bool:
        """Return True once after a change of the detail: a complete state is needed."""
        found, self._is_incomplete = self._is_incomplete, False
        return found

    def guard(self, render: Render, families: Sequence[FamilyGenerator]) -> Render:
        """Return the render function that leaves out the families of objects without detail."""
        nothing = [""] * len(families)
        phases = [column for column, family in enumerate(families) if family.name == PHASE]

        def render_shown(obj: Object) -> list[str]:
            if not self._is_shown:
                return nothing
            texts = render(obj)
            return texts if self._shows_phase else ["" if column in phases else text for column, text in enumerate(texts)]

        return render_shown

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a complete state."""
        tally, before = Tally(self._clock), self._view
        self._store.replace(self._counted(events, tally))
        with self._lock:
            self._tally = tally
        self._choose(tally)
        self._is_incomplete = self._view != before
        self.changes += 1

    def upsert(self, obj: Object) -> None:
        """Add or update an object."""
        before = self._view
        status = self._take(obj, self._tally)
        self._choose(self._tally)
        self._show(status)
        self._store.upsert(obj)
        self._note_change(before)

    def delete(self, obj: Object) -> None:
        """Remove an object."""
        before = self._view
        with self._lock:
            self._tally.drop(uid(obj))
        self._choose(self._tally)
        self._store.delete(obj)
        self._note_change(before)

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""

    @property
    def _view(self) -> tuple[str, bool]:
        return self._detail, self._shows_phase

    def _note_change(self, before: tuple[str, bool]) -> None:
        self.changes += 1
        self._is_incomplete = self._is_incomplete or self._view != before

    def _counted(self, events: Iterable[tuple[str, Object]], tally: Tally) -> Iterator[tuple[str, Object]]:
        """Yield events, and count their objects. The detail can only become less: not all objects are counted yet."""
        for kind, obj in events:
            if kind == "DELETED":
                tally.drop(uid(obj))
            else:
                status = self._take(obj, tally, self._tally)
                detail, shows_phase = self._view
                self._choose(tally)
                self._detail, self._shows_phase = max(detail, self._detail, key=_LESS.index), shows_phase and self._shows_phase
                self._show(status)
            yield kind, obj

    def _take(self, obj: Object, tally: Tally, before: Tally | None = None) -> str:
        """Count an object; return its status."""
        health = examine(obj, self._elements)
        with self._lock:
            tally.take(uid(obj), obj, health, before)
        return health.status

    def _choose(self, tally: Tally) -> None:
        """Set the detail for the counts of a tally."""
        if self._setting == AUTO:
            self._detail = next_detail(self._detail, len(tally), tally.unhealthy)
        self._shows_phase = self._has_phases or len(tally.phases) <= PHASES * (1 if self._shows_phase else HYSTERESIS)

    def _show(self, status: str) -> None:
        """Decide on the object that the store renders next."""
        self._is_shown = self._detail == ALL or self._detail == UNHEALTHY and status != CURRENT
