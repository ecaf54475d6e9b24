"""Labels of namespaces for the series of their objects, kept by a watch of their metadata."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from telegen.api.collection import Collection
from telegen.api.protocols import Event

STORE = "labels/namespaces"
"""Value of the label `store` in the agent's own metrics."""
COLLECTION = Collection("/api/v1/namespaces", "metadata")
SETTLE = 2.0
"""Seconds after a change in which further ones are collected: each leads to complete states of all resources."""

Labels = TypeVar("Labels")


class NamespaceLabels(Generic[Labels]):
    """Store of a reflector: the labels of each namespace, in any form that can be compared.

    A change concerns objects that are rendered already and that the agent does not keep, so their complete states are requested.
    """

    def __init__(self, read: Callable[[dict[str, Any]], Labels], nothing: Labels, on_sync: Callable[[], None] = lambda: None) -> None:
        """Make an empty index.

        Args:
            read: returns the labels of a namespace object.
            nothing: labels of a namespace without any.
            on_sync: called after the first complete state.
        """
        self._read, self._nothing, self._on_sync = read, nothing, on_sync
        self._labels: dict[str, Labels] = {}
        self._missed: set[str] = set()
        self._changed_at = 0.0
        self.synced = False

    def get(self, namespace: str) -> Labels:
        """Return the labels of a namespace."""
        found = self._labels.get(namespace)
        if found is None:
            # Its event may arrive after that of its first object, or in another thread right now: hence the second look.
            self._missed.add(namespace)
            found = self._labels.get(namespace)
        return self._nothing if found is None else found

    def take_change(self) -> bool:
        """Return True once after changes that objects on the page have not seen."""
        if not self._changed_at or time.monotonic() - self._changed_at < SETTLE:
            return False
        self._changed_at = 0.0
        return True

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state."""
        known = set(self._labels)
        for kind, obj in events:
            if kind == "DELETED":
                self.delete(obj)
            else:
                self.upsert(obj)
                known.discard(obj["metadata"].get("name") or "")
        for name in known:
            self._labels.pop(name, None)
        if not self.synced:
            self.synced = True
            self._on_sync()

    def upsert(self, obj: dict[str, Any]) -> None:
        """Take a new or changed namespace."""
        name, labels = obj["metadata"].get("name") or "", self._read(obj)
        before = self._labels.get(name)
        self._labels[name] = labels
        if labels != (self._nothing if before is None else before) and (before is not None or name in self._missed):
            self._changed_at = time.monotonic()
        self._missed.discard(name)

    def delete(self, obj: dict[str, Any]) -> None:
        """Drop a namespace; its objects are gone already."""
        self._labels.pop(obj["metadata"].get("name") or "", None)

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""
