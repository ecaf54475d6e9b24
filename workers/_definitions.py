"""Index of the CustomResourceDefinitions, kept by a watch: it wakes discovery, and shows which kinds are gone for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.kubestate.custom.definitions import defined_kinds
from telegen.kubestate.custom.model import Kind

STORE = "customresources/definitions"
"""Value of the label `store` in the agent's own metrics."""
COLLECTION = Collection(
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    reads=(
        "metadata.name",
        "metadata.resourceVersion",
        "metadata.uid",
        "spec.group",
        "spec.names",
        "spec.scope",
        "spec.versions[].name",
        "spec.versions[].served",
    ),
)
"""The definitions without their schemas, which are most of their size."""


class Definitions:
    """Store of a reflector: the kinds of each definition.

    Attributes:
        synced: a complete state was taken.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._kinds: dict[str, frozenset[Kind]] = {}
        self._ever: set[Kind] = set()
        self.synced = False

    def kinds(self) -> set[Kind]:
        """Return the kinds that definitions serve now."""
        return {kind for kinds in list(self._kinds.values()) for kind in kinds}

    def gone(self) -> set[Kind]:
        """Return the kinds that a definition served once and none serves now."""
        return self._ever - self.kinds() if self.synced else set()

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state."""
        kinds: dict[str, frozenset[Kind]] = {}
        for kind, obj in events:
            name = obj["metadata"].get("name") or ""
            if kind == "DELETED":
                kinds.pop(name, None)
            else:
                kinds[name] = frozenset(defined_kinds(obj))
        before, self._kinds, self.synced = self._kinds, kinds, True
        self._ever.update(self.kinds())
        if before != kinds:
            self._on_change()

    def upsert(self, obj: dict[str, Any]) -> None:
        """Take a new or changed definition."""
        name, kinds = obj["metadata"].get("name") or "", frozenset(defined_kinds(obj))
        if self._kinds.get(name) != kinds:
            self._kinds[name] = kinds
            self._ever.update(kinds)
            self._on_change()

    def delete(self, obj: dict[str, Any]) -> None:
        """Drop a definition."""
        if self._kinds.pop(obj["metadata"].get("name") or "", None) is not None:
            self._on_change()

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""
