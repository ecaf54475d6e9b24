"""Index of the ConfigMaps with configurations of custom resources, kept by a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.config.model import ConfigMapSource

STORE = "customresources/configmaps"
"""Value of the label `store` in the agent's own metrics."""
RIGHTS = "apply k8s/components/custom-resources-config-maps"
_FIELDS = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def collection(settings: ConfigMapSource) -> Collection:
    """Return the ConfigMaps that the settings select."""
    namespace = "" if settings.namespace == "*" else f"/namespaces/{settings.namespace}"
    reads = (*(f"metadata.{name}" for name in _FIELDS), "data")
    return Collection(f"/api/v1{namespace}/configmaps", params={"labelSelector": settings.selector}, reads=reads)


class _Held(NamedTuple):
    """One ConfigMap; older ones sort first."""

    created: str
    name: str
    data: Mapping[str, str]


class ConfigMaps:
    """Store of a reflector: the data of each ConfigMap.

    Attributes:
        number: changes with every change of the data.
        synced: a complete state was taken.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._held: dict[str, _Held] = {}
        self.number, self.synced = 0, False

    def data(self) -> dict[str, Mapping[str, str]]:
        """Return the data of each ConfigMap by `NAMESPACE/NAME`, the oldest ConfigMap first."""
        return {one.name: one.data for one in sorted(list(self._held.values()), key=lambda one: one[:2])}

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state."""
        held: dict[str, _Held] = {}
        for type_, obj in events:
            one = _held(obj)
            if type_ == "DELETED":
                held.pop(one.name, None)
            else:
                held[one.name] = one
        before, self._held, was_synced, self.synced = self._held, held, self.synced, True
        if before != held or not was_synced:
            self._note_change()

    def upsert(self, obj: dict[str, Any]) -> None:
        """Take a new or changed ConfigMap."""
        one = _held(obj)
        if self._held.get(one.name) != one:
            self._held[one.name] = one
            self._note_change()

    def delete(self, obj: dict[str, Any]) -> None:
        """Drop a ConfigMap."""
        if self._held.pop(_held(obj).name, None):
            self._note_change()

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""

    def _note_change(self) -> None:
        self.number += 1
        self._on_change()


def _held(obj: dict[str, Any]) -> _Held:
    metadata, data = obj["metadata"], obj.get("data")
    name = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
    texts = {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, dict) else {}
    return _Held(str(metadata.get("creationTimestamp") or ""), name, texts)
