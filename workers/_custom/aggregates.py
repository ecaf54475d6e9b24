"""Store of the aggregates of one kind, and the stores of reflectors that feed it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from telegen.api.protocols import Event, ReflectorStore
from telegen.kubestate.custom.expressions.aggregates import NOTHING, Aggregates, Contribution
from telegen.metrics.family import Object
from telegen.metrics.store import MetricsStore, uid


class AggregateStore(MetricsStore):
    """Publishes the groups of a kind's aggregates. Each group is an object of the store, and is rendered at most once per flush.

    Any number of collections feed it, each through a `ContributingStore`: one per watched namespace.
    """

    def __init__(self, aggregates: Aggregates, *arguments: Any, **options: Any) -> None:
        """Make an empty, unpublished store.

        Args:
            arguments, options: of `MetricsStore`, whose objects are groups.
        """
        super().__init__(*arguments, **options)
        self._aggregates, self._changes = aggregates, threading.Lock()

    def contribution(self, obj: Object) -> Contribution:
        """Return the numbers that an object adds to each group."""
        return self._aggregates.contribution(obj)

    def exchange(self, changes: Iterable[tuple[Contribution, Contribution]]) -> None:
        """Replace contributions by others; readers see the result of all of them at once, after the next flush."""
        with self._changes:
            is_changed = [self._aggregates.change(before, after) for before, after in changes]
        if any(is_changed):
            self._on_change()

    def publish(self) -> None:
        """Publish all groups: every collection that feeds the store is complete, or refused."""
        with self._changes:
            self._aggregates.take_changes()
            groups = list(self._aggregates.objects())
        self.replace(("ADDED", group) for group in groups)
        # What has changed meanwhile.
        self._on_change()

    def flush(self) -> bool:
        """Publish the groups that have changed since the last flush. Return False if there are none."""
        if self.synced:
            with self._changes:
                groups = self._aggregates.take_changes()
            for group in groups:
                if group["row"] is None:
                    self.delete(group)
                else:
                    self.upsert(group)
        return super().flush()


class ContributingStore:
    """Store of a reflector in front of another one: what its objects add to aggregates. For the threads of one reflector.

    PERF: an object that changes costs its expressions and 2 us per group, however many objects there are.

    Attributes:
        name: of the store of the aggregates.
        synced: a complete state was taken, and is among the aggregates.
    """

    def __init__(self, target: ReflectorStore, aggregated: AggregateStore) -> None:
        self._target, self._aggregated = target, aggregated
        self._known: dict[str, Contribution] = {}
        self.name, self.synced = aggregated.name, False

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state. An exception of the events leaves the aggregates as they were."""
        found: dict[str, Contribution] = {}
        self._target.replace(self._counted(events, found))
        before, self._known = self._known, found
        keys = {**before, **found}
        self._aggregated.exchange([(before.get(key, NOTHING), found.get(key, NOTHING)) for key in keys])
        self.synced = True

    def _counted(self, events: Iterable[Event], found: dict[str, Contribution]) -> Iterator[Event]:
        for kind, obj in events:
            if kind == "DELETED":
                found.pop(uid(obj), None)
            else:
                found[uid(obj)] = self._aggregated.contribution(obj)
            yield kind, obj

    def upsert(self, obj: Object) -> None:
        """Add or update an object."""
        key, after = uid(obj), self._aggregated.contribution(obj)
        before, self._known[key] = self._known.get(key, NOTHING), after
        self._aggregated.exchange([(before, after)])
        self._target.upsert(obj)

    def delete(self, obj: Object) -> None:
        """Remove an object."""
        self._aggregated.exchange([(self._known.pop(uid(obj), NOTHING), NOTHING)])
        self._target.delete(obj)

    def bookmark(self, resource_version: str) -> None:
        """Pass a bookmark on."""
        self._target.bookmark(resource_version)
