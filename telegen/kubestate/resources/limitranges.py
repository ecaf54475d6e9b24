"""LimitRanges: core/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import created
from telegen.kubestate.fields import items
from telegen.kubestate.quantity import milli
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE, Object, Row, gauge

CONSTRAINTS = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")

_limits = items("spec.limits")


def limits(obj: Object) -> Iterable[Row]:
    return [
        (resource, limit.get("type") or "", constraint, milli(amount))
        for limit in _limits(obj)
        for constraint in CONSTRAINTS
        for resource, amount in (limit.get(constraint) or {}).items()
    ]


FAMILIES = (
    gauge(
        "kube_limitrange", "Minimum, maximum, default and ratio of each resource; cores or bytes, by constraint (spec.limits).", STABLE,
        limits, "resource", "type", "constraint",
    ),
    created("kube_limitrange"),
)

RESOURCE = Resource(
    name="limitranges",
    group="",
    version="v1",
    kind="LimitRange",
    namespaced=True,
    identity=(NAMESPACE, name_label("limitrange")),
    families=FAMILIES,
)
