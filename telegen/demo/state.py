"""The state of the simulated API server: collections of serialized objects and the history of their changes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

HISTORY = 10_000
"""Changes per collection that are kept for watches. A change of a pod takes 17 kB; etcd forgets changes after 5 minutes."""


@dataclass(frozen=True)
class Stored:
    """One object: its JSON, and the fields that selectors use."""

    namespace: str
    name: str
    node: str
    version: int
    data: bytes

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name

    def load(self) -> dict[str, Any]:
        """Return the object as a new dict."""
        return orjson.loads(self.data)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Change:
    """One event: ADDED, MODIFIED or DELETED, the object after it and the object before it."""

    kind: str
    stored: Stored
    before: Stored | None = None


class Compacted(Exception):
    """The requested changes are no longer in the history."""


class Collection:
    """All objects of one resource."""

    def __init__(self, kind: str, api_version: str, history: int) -> None:
        self.kind, self.api_version = kind, api_version
        self.objects: dict[tuple[str, str], Stored] = {}
        self.history: deque[Change] = deque(maxlen=history)
        self.first = 0
        """Number of the first change in the history; the changes before it have left."""
        self.oldest = 0
        """Lowest version from which a watch can resume."""

    def record(self, change: Change) -> None:
        """Append a change; a full history drops its oldest."""
        if len(self.history) == self.history.maxlen:
            self.first += 1
            self.oldest = self.history[0].stored.version
        self.history.append(change)

    def since(self, number: int) -> list[Change]:
        """Return the changes from this number on.

        Raises:
            Compacted: some of them have left the history.
        """
        if number < self.first:
            raise Compacted
        return list(islice(self.history, number - self.first, None))

    def number_after(self, version: int) -> int:
        """Return the number of the first change after a version.

        Raises:
            Compacted: the history does not reach back so far.
        """
        if version < self.oldest:
            raise Compacted
        return self.first + sum(1 for change in self.history if change.stored.version <= version)

    def compact(self, version: int) -> None:
        """Drop all changes up to `version`."""
        self.first += len(self.history)
        self.history.clear()
        self.oldest = version


class State:
    """All collections. Safe for threads: `changed` is their lock, and wakes the threads of watches."""

    def __init__(self, history: int = HISTORY) -> None:
        self.changed = threading.Condition()
        self.version = 1
        self.epoch = 0
        """Number of times that all watches were ended."""
        self.collections: dict[str, Collection] = {}
        self._history = history

    def define(self, resource: str, kind: str, api_version: str) -> None:
        """Create an empty collection."""
        self.collections[resource] = Collection(kind, api_version, self._history)

    def put(self, resource: str, obj: dict[str, Any]) -> Stored:
        """Create or update an object, with the next resourceVersion."""
        collection = self.collections[resource]
        with self.changed:
            # One counter for all collections, as in etcd: a list of one resource is at the version of the last write to any.
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
        """Delete an object; return False if it does not exist."""
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
        """Put many objects, then drop the history."""
        for resource, obj in objects:
            self.put(resource, obj)
        self.compact()

    def compact(self) -> None:
        """Drop the history: watches from an earlier version get 410."""
        with self.changed:
            for collection in self.collections.values():
                collection.compact(self.version)

    def end_watches(self) -> None:
        """End every open watch."""
        with self.changed:
            self.epoch += 1
            self.changed.notify_all()
