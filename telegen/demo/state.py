"""The state of the simulated API server: collections of serialized objects and the history of their changes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

HISTORY = 32768
"""Changes per collection that a watch can still catch up with."""


@dataclass(frozen=True)
class Stored:
    """One object as it is served: its JSON, and what selectors ask about."""

    namespace: str
    name: str
    node: str
    version: int
    data: bytes

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    def load(self) -> dict[str, Any]:
        """The object as a dict of the caller's own."""
        return orjson.loads(self.data)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Change:
    """One event: ADDED, MODIFIED or DELETED, the object after it and the object before it."""

    kind: str
    stored: Stored
    before: Stored | None = None


class Compacted(Exception):
    """The history does not reach back so far."""


class Collection:
    """All objects of one resource."""

    def __init__(self, kind: str, api_version: str, history: int) -> None:
        self.kind, self.api_version = kind, api_version
        self.objects: dict[tuple[str, str], Stored] = {}
        self.history: deque[Change] = deque(maxlen=history)
        self.first = 0
        """Changes that have left the history: the first of it has this number."""
        self.oldest = 0
        """Version before the first change of the history."""

    def record(self, change: Change) -> None:
        """Append a change; the oldest may leave."""
        if len(self.history) == self.history.maxlen:
            self.first += 1
            self.oldest = self.history[0].stored.version
        self.history.append(change)

    def since(self, number: int) -> list[Change]:
        """The changes from this number on.

        Raises:
            Compacted: some of them have left the history.
        """
        if number < self.first:
            raise Compacted
        return list(islice(self.history, number - self.first, None))

    def number_after(self, version: int) -> int:
        """The number of the first change after a version.

        Raises:
            Compacted: the history does not reach back so far.
        """
        if version < self.oldest:
            raise Compacted
        return self.first + sum(1 for change in self.history if change.stored.version <= version)

    def compact(self, version: int) -> None:
        """Forget all changes up to `version`."""
        self.first += len(self.history)
        self.history.clear()
        self.oldest = version


class State:
    """All collections. Safe for threads: `changed` is their lock, and wakes those who wait for changes."""

    def __init__(self, history: int = HISTORY) -> None:
        self.changed = threading.Condition()
        self.version = 1
        self.epoch = 0
        """Counts the times that all watches were to end."""
        self.collections: dict[str, Collection] = {}
        self._history = history

    def define(self, resource: str, kind: str, api_version: str) -> None:
        """Let there be a resource."""
        self.collections[resource] = Collection(kind, api_version, self._history)

    def put(self, resource: str, obj: dict[str, Any]) -> Stored:
        """Create or update an object; it gets the next resourceVersion."""
        collection = self.collections[resource]
        with self.changed:
            self.version += 1
            metadata = obj["metadata"]
            metadata["resourceVersion"] = str(self.version)
            node = (obj.get("spec") or {}).get("nodeName") or ""
            stored = Stored(metadata.get("namespace") or "", metadata["name"], node, self.version, orjson.dumps(obj))
            before = collection.objects.get(stored.key)
            collection.objects[stored.key] = stored
            collection.record(Change("MODIFIED" if before else "ADDED", stored, before))
            self.changed.notify_all()
        return stored

    def delete(self, resource: str, namespace: str, name: str) -> bool:
        """Remove an object; False when there is none."""
        collection = self.collections[resource]
        with self.changed:
            stored = collection.objects.pop((namespace, name), None)
            if stored is None:
                return False
            self.version += 1
            obj = stored.load()
            obj["metadata"]["resourceVersion"] = str(self.version)
            gone = Stored(stored.namespace, stored.name, stored.node, self.version, orjson.dumps(obj))
            collection.record(Change("DELETED", gone, stored))
            self.changed.notify_all()
        return True

    def fill(self, objects: Iterator[tuple[str, dict[str, Any]]]) -> None:
        """Put many objects, then forget how they came."""
        for resource, obj in objects:
            self.put(resource, obj)
        self.compact()

    def compact(self) -> None:
        """Forget the history: every watch from before is told 410."""
        with self.changed:
            for collection in self.collections.values():
                collection.compact(self.version)

    def end_watches(self) -> None:
        """Let every open watch end."""
        with self.changed:
            self.epoch += 1
            self.changed.notify_all()
