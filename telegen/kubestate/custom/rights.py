"""Rights that entries need: the rules of a ClusterRole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from telegen.kubestate.custom.model import ANY, Kind, Pattern
from telegen.kubestate.health import apiservices
from telegen.kubestate.health.crds import CRDS
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.registry import PACKS
from telegen.kubestate.registry import RESOURCES

VERBS = ("list", "watch")
DEFINITIONS = (CRDS.group, CRDS.name)
"""Watched to notice new kinds at once."""
API_SERVICES = (apiservices.API_SERVICES.group, apiservices.API_SERVICES.name)
"""Watched for the health."""
_TABLES = (*RESOURCES.values(), *(one.table for pack in PACKS.values() for one in pack.resources))
NAMES = {(table.group, table.kind): table.name for table in _TABLES}
"""Resource names of kinds of Kubernetes and of packs."""
EVERY_GROUP = """\
# The rights to the custom resources of all API groups are not below: RBAC has no rule for "custom resources", and a rule for everything
# (apiGroups "*", resources "*") would include Secrets. Three ways:
#   k8s/components/custom-resources-view binds the role `view`, to which most operators add their kinds and which has no Secrets;
#   --against-cluster prints a rule per group that the cluster serves now;
#   --health GROUP,GROUP prints the rules of these groups."""
"""Comment in the rights for the health of all groups."""


def rights(kinds: Iterable[tuple[str, str]]) -> list[dict[str, list[str]]]:
    """Return the rules for some (group, resource), one per group, and for the definitions."""
    groups: dict[str, set[str]] = {DEFINITIONS[0]: {DEFINITIONS[1]}}
    for group, resource in kinds:
        groups.setdefault(group, set()).add(resource)
    return [
        {"apiGroups": [group], "resources": [ANY] if ANY in resources else sorted(resources), "verbs": list(VERBS)}
        for group, resources in sorted(groups.items())
    ]


def selected_resources(patterns: Sequence[Pattern], served: Iterable[Kind] | None) -> Mapping[tuple[str, str], str]:
    """Return each (group, resource) that patterns select, with a remark, "" where it is certain.

    Args:
        served: kinds of a cluster; None to guess resource names from kinds that are not among `NAMES`.
    """
    if served is not None:
        return {
            (kind.group, kind.plural): ""
            for kind in sorted(served)
            if any(pattern.matches(kind.group, kind.version, kind.kind) for pattern in patterns)
        }
    found = {}
    for pattern in patterns:
        known = NAMES.get((pattern.group, pattern.kind))
        if pattern.kind == ANY:
            found[pattern.group, ANY] = "every kind of the group"
        elif known:
            found[pattern.group, known] = ""
        else:
            found[pattern.group, plural(pattern.kind)] = f"guessed from the kind {pattern.kind}"
    return found


def pack_resources(packs: Iterable[Pack]) -> Mapping[tuple[str, str], str]:
    """Return each (group, resource) that packs read."""
    return {(resource.table.group, resource.table.name): "" for pack in packs for resource in pack.resources}


def health_resources(scope: Scope | None, served: Iterable[Kind] | None) -> Mapping[tuple[str, str], str]:
    """Return each (group, resource) that the health reads, APIServices included.

    Args:
        served: kinds of a cluster; None for every resource of the named groups.
    """
    if scope is None:
        return {}
    if served is not None:
        found = {(kind.group, kind.plural): "" for kind in scope.kinds(served, {}, ())}
    else:
        found = {(group, ANY): "every kind of the group" for group in sorted(scope.groups or ())}
    return {API_SERVICES: "", **found}


def plural(kind: str) -> str:
    """Return the usual resource name of a kind, as code generators make it."""
    name = kind.lower()
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in ("a", "e", "i", "o", "u"):
        return f"{name[:-1]}ies"
    return f"{name}s"
