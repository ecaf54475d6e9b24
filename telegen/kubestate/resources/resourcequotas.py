"""ResourceQuotas: core/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created
from telegen.kubestate.fields import at
from telegen.kubestate.quantity import milli
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE, Object, Row, gauge

# status.hard, not spec.hard: the limits that are enforced.
_amounts = [(kind, at(f"status.{kind}", {})) for kind in ("hard", "used")]


def amounts(obj: Object) -> Iterable[Row]:
    return [(name, kind, milli(amount)) for kind, read in _amounts for name, amount in read(obj).items()]


FAMILIES = (
    created("kube_resourcequota"),
    gauge(
        "kube_resourcequota", "Limit (hard) and current use (used) of each resource; cores, bytes or objects (status.hard, status.used).",
        STABLE, amounts, "resource", "type",
    ),
    allowed_annotations("kube_resourcequota"),
    allowed_labels("kube_resourcequota"),
)

RESOURCE = Resource(
    name="resourcequotas",
    group="",
    version="v1",
    kind="ResourceQuota",
    namespaced=True,
    identity=(NAMESPACE, name_label("resourcequota")),
    families=FAMILIES,
)
