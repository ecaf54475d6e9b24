"""VerticalPodAutoscalers, with the families that kube-state-metrics had up to version 2.8."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, conditions
from telegen.kubestate.fields import items, text
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.quantity import milli, whole
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, FamilyGenerator, Generate, Object, Row, gauge

PREFIX = "kube_verticalpodautoscaler"
MODES = ("Off", "Initial", "Recreate", "Auto")
POLICIES, RECOMMENDATIONS = "spec.resourcePolicy.containerPolicies", "status.recommendation.containerRecommendations"
UNITS: dict[str, tuple[str, str, Callable[..., float]]] = {
    "cpu": ("cpu", "core", milli),
    "memory": ("memory", "byte", whole),
    "storage": ("storage", "byte", whole),
    "ephemeral-storage": ("ephemeral_storage", "byte", whole),
}
"""Label, unit and rounding of each resource that is shown."""


def _without_selection(family: FamilyGenerator) -> FamilyGenerator:
    """Let a family show every object, also without an allowlist, as the peer does."""
    return FamilyGenerator(**{**vars(family), "generate": lambda obj: [((), 1)]})


def _update_mode(obj: Object) -> Iterable[Row] | None:
    policy = (obj.get("spec") or {}).get("updatePolicy") or {}
    if policy.get("updateMode") is None:
        return None
    return [(mode, mode == policy["updateMode"]) for mode in MODES]


def _amounts(path: str, field: str) -> Generate:
    """Make rows of the amounts of each container; a malformed amount costs its own sample only."""
    read = items(path)

    def generate(obj: Object) -> Iterable[Row]:
        rows = []
        for container in read(obj):
            for resource, amount in (container.get(field) or {}).items():
                if resource in UNITS:
                    label, unit, rounded = UNITS[resource]
                    try:
                        rows.append((container.get("containerName") or "", label, unit, rounded(amount)))
                    except ValueError:
                        continue
        return rows

    return generate


def _amount_family(name: str, help: str, path: str, field: str) -> FamilyGenerator:
    return gauge(f"{PREFIX}_{name}", f"{help} ({path}[].{field}).", ALPHA, _amounts(path, field), "container", "resource", "unit")


def _policy(bound: str, field: str) -> FamilyGenerator:
    name = f"spec_resourcepolicy_container_policies_{field.lower()}"
    return _amount_family(name, f"{bound} that the autoscaler may set", POLICIES, field)


def _recommendation(what: str, field: str) -> FamilyGenerator:
    return _amount_family(f"status_recommendation_containerrecommendations_{field.lower()}", what, RECOMMENDATIONS, field)


VERTICAL_POD_AUTOSCALERS = Resource(
    name="verticalpodautoscalers",
    group="autoscaling.k8s.io",
    version="v1",
    kind="VerticalPodAutoscaler",
    namespaced=True,
    identity=(
        NAMESPACE,
        name_label("verticalpodautoscaler"),
        ("target_api_version", text("spec.targetRef.apiVersion")),
        ("target_kind", text("spec.targetRef.kind")),
        ("target_name", text("spec.targetRef.name")),
    ),
    families=(
        _without_selection(allowed_annotations(PREFIX)),
        _without_selection(allowed_labels(PREFIX, ALPHA)),
        gauge(
            f"{PREFIX}_spec_updatepolicy_updatemode", "1 for the current update mode, 0 for the others (spec.updatePolicy.updateMode).",
            ALPHA, _update_mode, "update_mode",
        ),
        _policy("Lower bound", "minAllowed"),
        _policy("Upper bound", "maxAllowed"),
        _recommendation("Lower bound of the recommendation", "lowerBound"),
        _recommendation("Upper bound of the recommendation", "upperBound"),
        _recommendation("Recommended amount", "target"),
        _recommendation("Recommended amount without the bounds of the policy", "uncappedTarget"),
        conditions(PREFIX, ALPHA),
    ),
    reads=("spec.targetRef", "spec.updatePolicy", "spec.resourcePolicy", "status"),
)

PACK = Pack(
    "vpa",
    "VerticalPodAutoscalers, with the families of kube-state-metrics up to 2.8.",
    (PackResource(VERTICAL_POD_AUTOSCALERS, ("v1beta2",)),),
)
