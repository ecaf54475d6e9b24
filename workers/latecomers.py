"""Pods that have just got their node are shown a moment late, so that they are not there twice.

Until then another watch had them, that of pods without a node, which is another agent's or another process's. It drops them by an event
of its own, and nothing tells us when that has come and been published: there is only time to go by. No clock but ours is asked: a pod that
the watch adds is new on this node, since whenever it has been there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from telegen.api.contract import Event, Store
from telegen.metrics.family import Object
from telegen.metrics.store import uid

MARGIN = 1.0
"""Seconds that a pod is held back, besides one flush interval. The other watch may bring its event so much later than ours does, less
the 0.3 s by which a worker under load may publish later than one at rest."""


class Latecomers:
    """Stands before a store, to whose reflector it is the store. `run` wants a thread of its own."""

    def __init__(
        self,
        store: Store,
        delay: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Hold back what is new by `delay` seconds."""
        self._store, self._delay, self._clock, self._sleep = store, delay, clock, sleep
        self._changed = threading.Condition()
        self._waiting: dict[str, tuple[float, Object]] = {}
        self._shown: set[str] = set()
        self._taking = False

    def replace(self, events: Iterable[Event]) -> None:
        """Take a whole state, all of it late: what is new in it is not known. Meanwhile nothing else is shown."""
        shown: set[str] = set()
        with self._changed:
            self._taking = True
        try:
            self._store.replace(self._late(events, shown))
            with self._changed:
                # What waited is in the new state, or is no more.
                self._shown = shown
                self._waiting.clear()
        finally:
            with self._changed:
                self._taking = False
                self._changed.notify()

    def _late(self, events: Iterable[Event], shown: set[str]) -> Iterator[Event]:
        for kind, obj in events:
            (shown.discard if kind == "DELETED" else shown.add)(uid(obj))
            yield kind, obj
        self._sleep(self._delay)

    def upsert(self, obj: Object) -> None:
        """Pass on a change of what is shown; hold back what is not, in its newest form."""
        key = uid(obj)
        with self._changed:
            if key in self._shown:
                self._store.upsert(obj)
                return
            due, _ = self._waiting.get(key, (self._clock() + self._delay, obj))
            self._waiting[key] = (due, obj)
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
                # All wait equally long: the first that came is due first.
                key, (due, obj) = next(iter(self._waiting.items()))
                if due > self._clock():
                    return due - self._clock()
                del self._waiting[key]
                self._shown.add(key)
                self._store.upsert(obj)
        return None
