"""Resources of the cluster by the names that rules, labels and requests give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from telegen.api.discovery import ServedResource

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_FIRST = ("", "apps", "batch")
"""Groups whose resources a name without a group means before those of others."""


class GroupResource(NamedTuple):
    """A resource: its API group, "" for the core group, and its plural."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @classmethod
    def parse(cls, text: str) -> GroupResource:
        """Return the resource of `pods` or `jobs.batch`."""
        resource, _, group = text.partition(".")
        return cls(group, resource)


NAMESPACES, NODES, PODS = GroupResource("", "namespaces"), GroupResource("", "nodes"), GroupResource("", "pods")


class Mapped(NamedTuple):
    """A resource as the API server serves it in its preferred version."""

    resource: GroupResource
    version: str
    kind: str
    namespaced: bool
    singular: str

    @property
    def api_version(self) -> str:
        return f"{self.resource.group}/{self.version}" if self.resource.group else self.version

    def path(self, namespace: str = "") -> str:
        """Return the path of the collection on the API server."""
        root = f"/apis/{self.api_version}" if self.resource.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.resource.resource}" if namespace else f"{root}/{self.resource.resource}"


class RestMapping:
    """Resources by plural, singular or kind, in any case, with the whole group, its beginning, or none."""

    def __init__(self, served: Iterable[ServedResource]) -> None:
        preferred: dict[GroupResource, Mapped] = {}
        for one in sorted(served, key=_order):
            resource = GroupResource(one.group, one.plural)
            preferred.setdefault(resource, Mapped(resource, one.version, one.kind, one.namespaced, one.singular or one.kind.lower()))
        self._by_name: dict[str, list[Mapped]] = {}
        for mapped in preferred.values():
            for name in {mapped.resource.resource.lower(), mapped.singular.lower(), mapped.kind.lower()}:
                self._by_name.setdefault(name, []).append(mapped)
        self.resources = tuple(preferred.values())

    def find(self, name: GroupResource) -> Mapped | None:
        """Return the resource of a name, None if the cluster has none. Of several the first of the usual order."""
        found = self._by_name.get(name.resource.lower(), [])
        if not name.group:
            return found[0] if found else None
        exact = [mapped for mapped in found if mapped.resource.group == name.group]
        begins = [mapped for mapped in found if mapped.resource.group.startswith(name.group)]
        return next(iter(exact or begins), None)


def _order(one: ServedResource) -> tuple[int, bool, str, int, int, int, str]:
    """Sort groups in the usual order, and the versions of a group from the preferred to the oldest.

    The groups of Kubernetes come before those of custom resources: they have no dot, or end with .k8s.io.
    """
    place = _FIRST.index(one.group) if one.group in _FIRST else len(_FIRST)
    found = _VERSION.fullmatch(one.version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]] if found else 3
    numbers = (-int(found[1]), -int(found[3] or 0)) if found else (0, 0)
    is_custom = "." in one.group and not one.group.endswith(".k8s.io")
    return (place, is_custom, one.group, stage, *numbers, one.plural)
