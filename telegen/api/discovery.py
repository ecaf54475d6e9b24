"""Discovery: the resources that an API server serves, those of aggregated API servers included."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from telegen.api.client import Client
from telegen.api.errors import ApiError, NotFound, ProtocolError

_AS = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
ACCEPT = ",".join([_AS.format("v2"), _AS.format("v2beta1"), "application/json"])
"""Aggregated discovery (KEP-3352) in one request, where the server has it (Kubernetes 1.27 and newer); else the older documents."""
JSON = "application/json"
NEEDED = frozenset(("list", "watch"))


class ServedResource(NamedTuple):
    """A resource in one version that can be listed and watched.

    Attributes:
        singular: "" if the server does not name it, as before Kubernetes 1.27.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""


@dataclass(frozen=True)
class Served:
    """Resources of some groups.

    Attributes:
        stale: (group, version) of aggregated API servers that do not answer: their resources are unknown, not gone.
    """

    resources: frozenset[ServedResource]
    stale: frozenset[tuple[str, str]]


def discover(client: Client, groups: Collection[str] | None, without: Collection[str] = ()) -> Served:
    """Return the resources of some API groups.

    Args:
        groups: names of groups; "" is the core group. None for all.
        without: groups to leave out of all.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """

    def is_wanted(group: str) -> bool:
        return group not in without if groups is None else group in groups

    found: set[ServedResource] = set()
    stale: set[tuple[str, str]] = set()
    roots = [root for root, needed in (("/api", is_wanted("")), ("/apis", groups is None or any(groups))) if needed]
    for root in roots:
        answer = client.get(root, {}, ACCEPT)
        try:
            is_aggregated = answer["kind"] == "APIGroupDiscoveryList"
            versions = _aggregated(answer, is_wanted) if is_aggregated else _separate(client, root, answer, is_wanted)
            for group, version, resources in versions:
                if resources is None:
                    stale.add((group, version))
                else:
                    found.update(resources)
        except (KeyError, TypeError, AttributeError) as error:
            raise ProtocolError(f"{root}: the answer is no discovery document: {error!r}") from error
    return Served(frozenset(found), frozenset(stale))


Wanted = Callable[[str], bool]
"""True for the name of a wanted group."""
Version = tuple[str, str, "list[ServedResource] | None"]
"""(group, version, resources); None for resources that are unknown now."""


def _aggregated(answer: Any, is_wanted: Wanted) -> Iterator[Version]:
    """Yield the versions of the aggregated document."""
    for item in answer["items"]:
        group = item["metadata"].get("name") or ""
        for version in item.get("versions") or () if is_wanted(group) else ():
            name = version["version"]
            if version.get("freshness") == "Stale":
                yield group, name, None
                continue
            resources = [
                ServedResource(
                    group,
                    name,
                    one["resource"],
                    one["responseKind"]["kind"],
                    one.get("scope") == "Namespaced",
                    one.get("singularResource") or "",
                )
                for one in version.get("resources") or ()
                if NEEDED.issubset(one.get("verbs") or ()) and one.get("responseKind")
            ]
            yield group, name, resources


def _separate(client: Client, root: str, answer: Any, is_wanted: Wanted) -> Iterator[Version]:
    """Yield the versions by a request each: APIVersions for the core group, else APIGroupList."""
    if root == "/api":
        names = [("", version, f"/api/{version}") for version in answer["versions"]]
    else:
        names = [
            (group["name"], version["version"], f"/apis/{version['groupVersion']}")
            for group in answer["groups"]
            if is_wanted(group["name"])
            for version in group["versions"]
        ]
    for group, name, path in names:
        yield group, name, _listed(client, path, group, name)


def _listed(client: Client, path: str, group: str, version: str) -> list[ServedResource] | None:
    """Return the resources of one version, None if its server does not answer."""
    try:
        answer = client.get(path, {}, JSON)
    except NotFound:
        return []
    except ApiError as error:
        if error.status < 500:
            raise
        return None
    return [
        ServedResource(group, version, one["name"], one["kind"], bool(one["namespaced"]), one.get("singularName") or "")
        for one in answer["resources"]
        if "/" not in one["name"] and NEEDED.issubset(one.get("verbs") or ())
    ]
