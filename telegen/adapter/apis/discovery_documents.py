"""Discovery documents: legacy lists, and the aggregated document (KEP-3352)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telegen.adapter.apis.negotiation import Form

AGGREGATED = tuple(Form("APIGroupDiscoveryList", "apidiscovery.k8s.io", version) for version in ("v2", "v2beta1"))
"""Forms of the aggregated document."""


@dataclass(frozen=True)
class ListedResource:
    """A resource of a discovery document.

    Attributes:
        name: `pods`, `pods/METRIC` or `METRIC`.
        kind: of an answer.
    """

    name: str
    namespaced: bool
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True)
class ListedGroup:
    """An API group.

    Attributes:
        versions: the preferred one first. Each has all resources.
    """

    name: str
    versions: tuple[str, ...]
    resources: tuple[ListedResource, ...]


def resource_list(group: ListedGroup, version: str) -> dict[str, Any]:
    """Return the APIResourceList of a version."""
    resources = [
        {"name": one.name, "singularName": "", "namespaced": one.namespaced, "kind": one.kind, "verbs": list(one.verbs)}
        for one in group.resources
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group.name}/{version}", "resources": resources}


def api_group(group: ListedGroup) -> dict[str, Any]:
    """Return the APIGroup."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_versions(group)}


def group_list(groups: Iterable[ListedGroup]) -> dict[str, Any]:
    """Return the APIGroupList."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_versions(group) for group in groups]}


def _versions(group: ListedGroup) -> dict[str, Any]:
    versions = [{"groupVersion": f"{group.name}/{version}", "version": version} for version in group.versions]
    return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}


def aggregated(groups: Iterable[ListedGroup], form: Form) -> dict[str, Any]:
    """Return the aggregated document in one of its forms."""
    items = [
        {
            "metadata": {"name": group.name},
            "versions": [
                {"version": version, "resources": _parents(group, version), "freshness": "Current"} for version in group.versions
            ],
        }
        for group in groups
    ]
    return {"kind": form.kind, "apiVersion": f"{form.group}/{form.version}", "metadata": {}, "items": items}


def _parents(group: ListedGroup, version: str) -> list[dict[str, Any]]:
    """Return the resources with their subresources: `pods/x` is the subresource x of pods.

    The parent has a responseKind, without which older clients fail, and no verb but get: controllers act on what can be listed and watched.
    """
    parents = dict[str, dict[str, Any]]()
    for one in group.resources:
        name, _, subresource = one.name.partition("/")
        kind: Mapping[str, str] = {"group": group.name, "version": version, "kind": one.kind}
        parent = parents.setdefault(
            name,
            {
                "resource": name,
                "responseKind": kind,
                "scope": "Namespaced" if one.namespaced else "Cluster",
                "singularResource": "",
                "verbs": list(one.verbs),
            },
        )
        if subresource:
            entry = {"subresource": subresource, "responseKind": kind, "verbs": list(one.verbs)}
            parent.setdefault("subresources", []).append(entry)
    return list(parents.values())


def sorted_resources(resources: Iterable[ListedResource]) -> Sequence[ListedResource]:
    """Return resources in the order of their names."""
    return sorted(resources, key=lambda one: one.name)
