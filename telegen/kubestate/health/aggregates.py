"""Families of one kind: numbers of its objects, of their statuses and of their conditions."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.health.table import PREFIX
from telegen.kubestate.health.tally import Sums
from telegen.kubestate.resource import Resource
from telegen.metrics.family import ALPHA, Object, gauge

KIND = "KindHealth"


def aggregate(group: str, kind: str, found: Sums, is_truncated: bool) -> Object:
    """Return the object that the families of a kind are rendered from.

    Args:
        is_truncated: objects of the kind have no series of their own, even those that are not Current.
    """
    return {
        "apiVersion": KIND_HEALTH.api_version,
        "kind": KIND,
        "metadata": {"uid": f"{group}/{kind}", "name": kind},
        "group": group,
        "kindName": kind,
        "sums": found,
        "truncated": is_truncated,
    }


def _objects(obj: Object) -> Iterable[tuple[str, int]]:
    return list(obj["sums"].objects.items())


def _statuses(obj: Object) -> Iterable[tuple[str, str, int]]:
    return [(namespace, status, count) for (namespace, status), count in obj["sums"].statuses.items()]


def _conditions(obj: Object) -> Iterable[tuple[str, str, int]]:
    return [(type_, status, count) for (type_, status), count in obj["sums"].conditions.items()]


KIND_HEALTH = Resource(
    name="kindhealth",
    group="telegen",
    version="v1",
    kind=KIND,
    namespaced=False,
    identity=(("group", lambda obj: obj["group"]), ("kind", lambda obj: obj["kindName"])),
    families=(
        gauge(f"{PREFIX}_objects", "Objects of a kind, by namespace.", ALPHA, _objects, "namespace"),
        gauge(
            f"{PREFIX}_objects_by_status",
            "Objects of a kind, by namespace and health: Current, InProgress, Failed, Terminating, Unknown.",
            ALPHA, _statuses, "namespace", "status",
        ),
        gauge(
            f"{PREFIX}_conditions", "Conditions of the objects of a kind, by type and status (status.conditions[]).",
            ALPHA, _conditions, "type", "status",
        ),
        gauge(
            f"{PREFIX}_oldest_unready_timestamp_seconds",
            "Time since which an object of a kind is not ready, in Unix seconds: that of the one that has been so for longest.",
            ALPHA, lambda obj: obj["sums"].oldest,
        ),
        gauge(
            f"{PREFIX}_truncated",
            "1 for a kind with so many objects that they have no series of their own, even those that are not ready.",
            ALPHA, lambda obj: 1 if obj["truncated"] else None,
        ),
    ),
)  # fmt: skip
"""Made by the agent from the objects that it watches; no API server has it."""
