"""Labels of namespaces for the series of their objects (`labels_on_series`), kept by a watch of their metadata."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.config.model import LabelsOnSeries
from telegen.kubestate.series_labels import namespace_pairs, pairs_text

STORE = "labels/namespaces"
"""Value of the label `store` in the agent's own metrics."""
COLLECTION = Collection("/api/v1/namespaces", "metadata")
SETTLE = 2.0
"""Seconds after a change in which further ones are collected: each leads to complete states of all resources."""


class NamespaceLabels:
    """Store of a reflector: the text of the labels of each namespace.

    A change concerns objects that are rendered already and that the agent does not keep, so their complete states are requested.
    """

    def __init__(self, settings: LabelsOnSeries, on_sync: Callable[[], None]) -> None:
        """Make an empty index.

        Args:
            on_sync: called after the first complete state.
        """
        self._settings, self._on_sync = settings, on_sync
        self._texts: dict[str, str] = {}
        self._missed: set[str] = set()
        self._changed_at = 0.0
        self.synced = False

    def text(self, namespace: str) -> str:
        """Return the labels of a namespace, "" for none."""
        found = self._texts.get(namespace)
        if found is None:
            # Its event may arrive after that of its first object, or in another thread right now: hence the second look.
            self._missed.add(namespace)
            found = self._texts.get(namespace)
        return found or ""

    def take_change(self) -> bool:
        """Return True once after changes that objects on the page have not seen."""
        if not self._changed_at or time.monotonic() - self._changed_at < SETTLE:
            return False
        self._changed_at = 0.0
        return True

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state."""
        known = set(self._texts)
        for kind, obj in events:
            if kind == "DELETED":
                self.delete(obj)
            else:
                self.upsert(obj)
                known.discard(obj["metadata"].get("name") or "")
        for name in known:
            self._texts.pop(name, None)
        if not self.synced:
            self.synced = True
            self._on_sync()

    def upsert(self, obj: dict[str, Any]) -> None:
        """Take a new or changed namespace."""
        name, text = obj["metadata"].get("name") or "", pairs_text(namespace_pairs(self._settings, obj))
        before = self._texts.get(name)
        self._texts[name] = text
        if text != (before or "") and (before is not None or name in self._missed):
            self._changed_at = time.monotonic()
        self._missed.discard(name)

    def delete(self, obj: dict[str, Any]) -> None:
        """Drop a namespace; its objects are gone already."""
        self._texts.pop(obj["metadata"].get("name") or "", None)

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""
