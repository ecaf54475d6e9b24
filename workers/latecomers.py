"""Pods that have just got their node are shown late, so that they are not there twice.

Until then another watch had them, that of pods without a node, which is another agent's or another process's. It drops them by an event
of its own, and nothing tells us when that has come: there is only time to go by. Who shows what waits does so for `ALLOWED` seconds at the
most after it was last known to be in step (`telegen.shm.serving_deadlines`); a little later it may be shown here.

What never waited is shown at once: a pod that was made with its node. Binding a pod writes its node and the condition PodScheduled at
once, and that is the only way to give it one later. Of the pods of a whole state, those that were bound long ago are shown at once, by
the API server's clock alone, which has set both times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from telegen.api.protocols import Event, Store
from telegen.kubestate.fields import items, seconds
from telegen.metrics.family import Object
from telegen.metrics.store import uid

ALLOWED = 4.0
"""Seconds for which what waits may be shown after its watch was last known to be in step."""
MARGIN = 1.0
"""Seconds by which the other watch may bring its events later than ours does, less what goes by until a page that was begun in time has
come to its reader."""
DELAY = ALLOWED + MARGIN
"""Seconds that a pod is held back."""
SETTLED = 60.0
"""Seconds after which a pod that got its node is no news, whichever of several API servers has set the time."""
INFINITE = float("inf")

Held = dict[str, tuple[float, Object]]
"""By key, when it is to be shown, and its newest form; those that are due first come first."""

_conditions = items("status.conditions")


class Latecomers:
    """Stands before a store, to whose reflector it is the store. `run` wants a thread of its own."""

    def __init__(
        self,
        store: Store,
        date: Callable[[], float | None],
        succeeds: bool = False,
        delay: float = DELAY,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Hold back what is new by `delay` seconds.

        Args:
            date: what time it is by the API server's clock, or has been a while ago, in Unix seconds; None if it is not known.
            succeeds: whether pods that a process before this one has published are shown until the first whole state is.
        """
        self._store, self._date, self._succeeds = store, date, succeeds
        self._delay, self._clock, self._sleep = delay, clock, sleep
        self._changed = threading.Condition()
        self._waiting: Held = {}
        self._shown: set[str] = set()
        self._taking = False

    def replace(self, events: Iterable[Event]) -> None:
        """Take a whole state, without what is new in it: that is held back. Meanwhile nothing else is shown."""
        shown: set[str] = set()
        held: Held = {}
        with self._changed:
            self._taking = True
        try:
            self._store.replace(self._known(events, shown, held))
            with self._changed:
                # What waited is in the new state, or is no more.
                self._shown, self._succeeds = shown, False
                self._waiting = dict(sorted(held.items(), key=lambda item: item[1][0]))
        finally:
            with self._changed:
                self._taking = False
                self._changed.notify()

    def _known(self, events: Iterable[Event], shown: set[str], held: Held) -> Iterator[Event]:
        """The events of what may be shown at once, noted in `shown`; the rest goes into `held`."""
        for kind, obj in events:
            key = uid(obj)
            if kind == "DELETED":
                held.pop(key, None)
                shown.discard(key)
                yield kind, obj
            elif key in shown or key in self._shown or (key not in held and self._is_settled(obj)):
                shown.add(key)
                yield kind, obj
            else:
                held[key] = (self._due(held.get(key) or self._waiting.get(key)), obj)
        if self._succeeds and held:
            # Some of them may be shown. They stay until this state takes their place, so it takes the others along when it may.
            self._sleep(self._delay)
            shown.update(held)
            yield from [("ADDED", obj) for _, obj in held.values()]
            held.clear()

    def _is_settled(self, obj: Object) -> bool:
        """Whether a pod of a whole state has had its node for long, or ever since it was made."""
        bound, date = bound_at(obj), self._date()
        return bound is None or (date is not None and bound < date - SETTLED)

    def _due(self, held: tuple[float, Object] | None) -> float:
        """When what is held back is to be shown: it does not wait anew for having changed."""
        return held[0] if held else self._clock() + self._delay

    def upsert(self, obj: Object) -> None:
        """Pass on a change of what is shown, and what never waited; hold back what is new, in its newest form."""
        key = uid(obj)
        with self._changed:
            held = self._waiting.get(key)
            if key in self._shown or (not held and bound_at(obj) is None):
                self._shown.add(key)
                self._store.upsert(obj)
                return
            self._waiting[key] = (self._due(held), obj)
            self._changed.notify()

    def delete(self, obj: Object) -> None:
        """Forget an object, shown or not."""
        key = uid(obj)
        with self._changed:
            self._waiting.pop(key, None)
            self._shown.discard(key)
            self._store.delete(obj)

    def bookmark(self, resource_version: str) -> None:
        """Pass it on."""
        self._store.bookmark(resource_version)

    def run(self) -> None:
        """Show what has waited long enough, for ever."""
        with self._changed:
            while True:
                self._changed.wait(self.tend())

    def tend(self) -> float | None:
        """Show what has waited long enough; seconds until the next is due, None when none waits."""
        with self._changed:
            while self._waiting and not self._taking:
                key, (due, obj) = next(iter(self._waiting.items()))
                if due > self._clock():
                    return due - self._clock()
                del self._waiting[key]
                self._shown.add(key)
                self._store.upsert(obj)
        return None


def bound_at(pod: Object) -> float | None:
    """When a pod got its node, in Unix seconds of the server's clock; None when it was made with it, infinite when it cannot be read."""
    try:
        for condition in _conditions(pod):
            if condition["type"] == "PodScheduled":
                return seconds(condition["lastTransitionTime"] or "")
    except (AttributeError, KeyError, TypeError, ValueError):
        return INFINITE
    return None
