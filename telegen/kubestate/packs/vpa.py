"""VerticalPodAutoscalers, with the families that kube-state-metrics had up to version 2.8."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, conditions
from telegen.kubestate.custom.model import Family
from telegen.kubestate.fields import each, items, text
from telegen.kubestate.packs.described import Describing
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import Path, kind
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


def _recommender(obj: Object) -> Iterable[Row]:
    names = [one.get("name") or "" for one in items("spec.recommenders")(obj)]
    return [(names[0] if names else "", 1)]


def _container_mode(container: Object) -> Row | None:
    mode = container.get("mode")
    return (container.get("containerName") or "", mode, 1) if mode else None


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
                    except (TypeError, ValueError):
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
        gauge(
            f"{PREFIX}_info", "One series per autoscaler, always 1; its first recommender, empty for the default one (spec.recommenders).",
            ALPHA, _recommender, "recommender",
        ),
        gauge(
            f"{PREFIX}_spec_resourcepolicy_container_policies_mode",
            f"One series per container, always 1; its scaling mode ({POLICIES}[].mode).",
            ALPHA, each(POLICIES, _container_mode), "container", "mode",
        ),
    ),
    reads=("spec.targetRef", "spec.recommenders", "spec.updatePolicy", "spec.resourcePolicy", "status"),
)

RESOURCES = ("cpu", "memory")
IDENTITY: Mapping[str, Path] = {
    "namespace": "metadata.namespace",
    "verticalpodautoscaler": "metadata.name",
    "target_api_version": "spec.targetRef.apiVersion",
    "target_kind": "spec.targetRef.kind",
    "target_name": "spec.targetRef.name",
}
BOUNDS = [(POLICIES, f"spec_resourcepolicy_container_policies_{field.lower()}", field) for field in ("minAllowed", "maxAllowed")]
RECOMMENDED = [
    (RECOMMENDATIONS, f"status_recommendation_containerrecommendations_{field.lower()}", field)
    for field in ("lowerBound", "upperBound", "target", "uncappedTarget")
]


def _described_amounts(
    of: Describing, sources: Iterable[tuple[str, str, str]], units: tuple[str, str], suffix: bool, zero: bool
) -> tuple[Family, ...]:
    """Make a family per amount and resource, or one per amount with both resources."""
    found = []
    for path, name, field in sources:
        for resource, unit in zip(RESOURCES, units):
            named = f"verticalpodautoscaler_{name}{f'_{resource}' if suffix else ''}"
            made = of.gauge(named, f"Amount of {resource}", path, (field, resource), zero, container="containerName")
            found.append(replace(made, common_labels={"resource": resource, "unit": unit}))
    return tuple(found)


def _described_mode(of: Describing, label: str) -> Family:
    name = "verticalpodautoscaler_spec_updatepolicy_updatemode"
    return of.states(name, "Update mode", "spec.updatePolicy.updateMode", label, (*MODES, "InPlaceOrRecreate"))


def _variant(*described: Family) -> PackResource:
    return PackResource(replace(VERTICAL_POD_AUTOSCALERS, families=()), ("v1beta2",), described)


def _gateway(name: str, plural: str, family: str, namespaced: bool, **labels: Path) -> PackResource:
    of = Describing("kube_customresource", {"name": "metadata.name", **({"namespace": "metadata.namespace"} if namespaced else {})})
    return kind(
        "kube_customresource", "gateway.networking.k8s.io/v1", plural, name,
        namespaced=namespaced, selects=False, described=(of.info(family, f"{name} of the Gateway API", **labels),),
    )


_kube, _custom = Describing("kube", IDENTITY), Describing("kube_customresource", IDENTITY)
_core, _cores = ("core", "byte"), ("cores", "bytes")
NAMED: dict[str, Path] = {"name": "metadata.name"}
_ALL = [*BOUNDS, *RECOMMENDED]

VARIANTS = {
    "ksm-docs": (
        _variant(
            _kube.info("verticalpodautoscaler_annotations", "Annotations", **NAMED, **{"annotation_*": "metadata.annotations"}),
            _kube.info("verticalpodautoscaler_labels", "Labels", **NAMED, **{"label_*": "metadata.labels"}),
            _described_mode(_kube, "update_mode"),
            *_described_amounts(_kube, _ALL, _core, suffix=True, zero=False),
        ),
    ),
    "openshift": (
        _variant(_described_mode(_custom, "updatemode"), *_described_amounts(_custom, _ALL, _cores, suffix=True, zero=False)),
        _gateway("GatewayClass", "gatewayclasses", "gateway_class_info", False, controller_name="spec.controllerName"),
        _gateway("Gateway", "gateways", "gateway_info", True, gatewayclass_name="spec.gatewayClassName"),
    ),
    "gardener": (
        _variant(_described_mode(_custom, "update_mode"), *_described_amounts(_custom, _ALL, _core, suffix=True, zero=True)),
    ),
    "mixin": (_variant(*_described_amounts(_custom, RECOMMENDED, _core, suffix=False, zero=True)),),
}
"""Names that published configurations of kube-state-metrics give the families since 2.9."""

PACK = Pack(
    "vpa",
    "VerticalPodAutoscalers, with the families of kube-state-metrics up to 2.8.",
    (PackResource(VERTICAL_POD_AUTOSCALERS, ("v1beta2",)),),
    VARIANTS,
)
