"""APIServices: the servers behind the API server, one per group and version."""

from __future__ import annotations

from telegen.kubestate.health.conditions import TRUE, read_conditions
from telegen.kubestate.health.status import dict_at
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, Object, gauge


def _available(obj: Object) -> bool:
    conditions = read_conditions(dict_at(obj, "status").get("conditions"))
    return any(one.type == "Available" and one.status == TRUE for one in conditions)


API_SERVICES = Resource(
    name="apiservices",
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    namespaced=False,
    identity=(name_label("name"),),
    families=(
        gauge(
            "telegen_apiservice_available",
            "1 for a group and version whose server answers, else 0 (condition Available of the APIService).",
            ALPHA, _available,
        ),
    ),
    reads=("status.conditions",),
)  # fmt: skip
