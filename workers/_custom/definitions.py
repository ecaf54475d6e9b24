"""Index of the CustomResourceDefinitions, kept by a watch: it wakes discovery, and shows which kinds are gone for good."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.kubestate.custom.definitions import defined_kinds
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.crds import CRDS
from telegen.kubestate.health.schema import Schema, schemas
from telegen.metrics.store import MetricsStore

STORE = "customresources/definitions"
"""Value of the label `store` in the agent's own metrics."""
COLLECTION = Collection(CRDS.path(), reads=("metadata.name", "metadata.resourceVersion", "metadata.uid", *CRDS.reads))
"""The definitions without their annotations and schemas, which are most of their size."""


class Definitions:
    """Store of a reflector: the kinds of each definition, and their schemas.

    Attributes:
        synced: a complete state was taken.
    """

    def __init__(self, on_change: Callable[[], None], shown: MetricsStore | None = None) -> None:
        """Make an empty index.

        Args:
            shown: store of the families of definitions, which gets all that this one gets; None if they are not served.
        """
        self._on_change, self._shown = on_change, shown
        self._kinds: dict[str, dict[Kind, Schema]] = {}
        self._ever: set[Kind] = set()
        self.synced = False

    def schemas(self) -> dict[Kind, Schema]:
        """Return the kinds that definitions serve now, with their schemas."""
        return {kind: schema for kinds in list(self._kinds.values()) for kind, schema in kinds.items()}

    def kinds(self) -> set[Kind]:
        """Return the kinds that definitions serve now."""
        return set(self.schemas())

    def gone(self) -> set[Kind]:
        """Return the kinds that a definition served once and none serves now."""
        return self._ever - self.kinds() if self.synced else set()

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state."""
        kinds: dict[str, dict[Kind, Schema]] = {}
        indexed = _indexed(events, kinds)
        if self._shown is not None:
            self._shown.replace(indexed)
        else:
            deque(indexed, maxlen=0)
        before, self._kinds, self.synced = self._kinds, kinds, True
        self._ever.update(self.kinds())
        if before != kinds:
            self._on_change()

    def upsert(self, obj: dict[str, Any]) -> None:
        """Take a new or changed definition."""
        name, kinds = obj["metadata"].get("name") or "", _kinds_of(obj)
        if self._kinds.get(name) != kinds:
            self._kinds[name] = kinds
            self._ever.update(kinds)
            self._on_change()
        if self._shown is not None:
            self._shown.upsert(obj)

    def delete(self, obj: dict[str, Any]) -> None:
        """Drop a definition."""
        if self._kinds.pop(obj["metadata"].get("name") or "", None) is not None:
            self._on_change()
        if self._shown is not None:
            self._shown.delete(obj)

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""


def _indexed(events: Iterable[Event], kinds: dict[str, dict[Kind, Schema]]) -> Iterator[Event]:
    """Yield events, and keep the kinds of their definitions."""
    for type_, obj in events:
        name = obj["metadata"].get("name") or ""
        if type_ == "DELETED":
            kinds.pop(name, None)
        else:
            kinds[name] = _kinds_of(obj)
        yield type_, obj


def _kinds_of(definition: dict[str, Any]) -> dict[Kind, Schema]:
    found = dict(schemas(definition))
    return {kind: found[kind.version] for kind in defined_kinds(definition)}
