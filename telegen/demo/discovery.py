"""Discovery documents of the simulated API server, in the form without aggregation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegen.demo.errors import Refusal
from telegen.demo.state import Collection

VERBS = ["get", "list", "watch"]


def is_discovery(path: str) -> bool:
    """Return True for `/api`, `/apis`, `/api/VERSION` and `/apis/GROUP/VERSION`."""
    parts = [part for part in path.split("/") if part]
    return (parts[:1] == ["api"] and len(parts) < 3) or (parts[:1] == ["apis"] and len(parts) in (1, 3))


def discovery(path: str, collections: Mapping[str, Collection]) -> dict[str, Any]:
    """Return the document at a path.

    Raises:
        Refusal: 404 for a group or version without a collection.
    """
    parts = [part for part in path.split("/") if part]
    versions = list(dict.fromkeys(collection.api_version for collection in collections.values()))
    if len(parts) == 1:
        return _versions() if parts[0] == "api" else _groups(versions)
    api_version = "/".join(parts[1:])
    if api_version not in versions:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    resources = [
        {"name": name, "kind": collection.kind, "namespaced": True, "verbs": VERBS}
        for name, collection in collections.items()
        if collection.api_version == api_version
    ]
    return {"kind": "APIResourceList", "groupVersion": api_version, "resources": resources}


def _versions() -> dict[str, Any]:
    return {"kind": "APIVersions", "versions": ["v1"]}


def _groups(versions: list[str]) -> dict[str, Any]:
    groups: dict[str, list[str]] = {}
    for api_version in versions:
        group, _, version = api_version.rpartition("/")
        if group:
            groups.setdefault(group, []).append(version)
    items = [
        {"name": group, "versions": [{"groupVersion": f"{group}/{version}", "version": version} for version in served]}
        for group, served in groups.items()
    ]
    return {"kind": "APIGroupList", "groups": items}
