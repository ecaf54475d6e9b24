"""HorizontalPodAutoscalers: autoscaling/v2."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from telegen.kubestate.constructors import (
    allowed_annotations,
    allowed_labels,
    conditions,
    created,
    deletion_timestamp,
    generation,
)
from telegen.kubestate.fields import at, converted, count, items
from telegen.kubestate.quantity import approximate, milli
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Generate, Object, Row, dynamic, gauge

SOURCES = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "External": "external",
}
"""Type of a metric → field with its description."""

AMOUNTS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("value", "value", milli),
    ("average", "averageValue", milli),
    ("utilization", "averageUtilization", lambda percent: percent),
)
"""Type of an amount, its field, and the function from its value to a number."""

_target = at("spec.scaleTargetRef", {})


def info(obj: Object) -> Iterable[tuple[list[tuple[str, str]], int]]:
    """Return the scaled resource. Without an API version its label is left out, not empty, as in kube-state-metrics."""
    target = _target(obj)
    names = (("api_version", "apiVersion"), ("kind", "kind"), ("name", "name"))
    pairs = [(f"scaletargetref_{label}", target.get(field) or "") for label, field in names]
    return [(pairs if pairs[0][1] else pairs[1:], 1)]


def amounts(path: str, inside: str) -> Generate:
    """Make a generate function of one row per amount that is set in the field `inside` of the metrics at `path`."""
    read = items(path)

    def generate(obj: Object) -> Iterable[Row]:
        rows: list[Row] = []
        for metric in read(obj):
            # A type that is newer than this table, or a type without its field, has no series.
            source = metric.get(SOURCES.get(metric.get("type") or "", ""))
            if source is None:
                continue
            # Resource metrics have the name beside the amount, the others inside `metric`.
            name = (source.get("metric") or source).get("name") or ""
            container = (source.get("container") or "") if metric["type"] == "ContainerResource" else ""
            amount = source.get(inside) or {}
            for kind, field, number in AMOUNTS:
                value = amount.get(field)
                if value is not None:
                    rows.append((name, kind, container, number(value)))
        return rows

    return generate


FAMILIES = (
    dynamic(
        "kube_horizontalpodautoscaler_info",
        "One series per horizontalpodautoscaler, always 1; API version, kind and name of the scaled resource (spec.scaleTargetRef).", ALPHA,
        info, "scaletargetref_api_version", "scaletargetref_kind", "scaletargetref_name",
    ),
    generation("kube_horizontalpodautoscaler"),
    gauge(
        "kube_horizontalpodautoscaler_spec_max_replicas", "Upper limit of replicas (spec.maxReplicas).", STABLE,
        count("spec.maxReplicas"),
    ),
    gauge(
        "kube_horizontalpodautoscaler_spec_min_replicas", "Lower limit of replicas; 1 if unset (spec.minReplicas).", STABLE,
        at("spec.minReplicas", 1),
    ),
    gauge(
        "kube_horizontalpodautoscaler_spec_target_metric",
        "Target of each metric, by type of the target: value, average or utilization in percent (spec.metrics).", ALPHA,
        amounts("spec.metrics", "target"), "metric_name", "metric_target_type", "container",
    ),
    gauge(
        "kube_horizontalpodautoscaler_spec_behavior_scale_down_tolerance",
        "Ratio by which a metric may be below its target without scaling down (spec.behavior.scaleDown.tolerance).", ALPHA,
        converted("spec.behavior.scaleDown.tolerance", approximate),
    ),
    gauge(
        "kube_horizontalpodautoscaler_spec_behavior_scale_up_tolerance",
        "Ratio by which a metric may exceed its target without scaling up (spec.behavior.scaleUp.tolerance).", ALPHA,
        converted("spec.behavior.scaleUp.tolerance", approximate),
    ),
    gauge(
        "kube_horizontalpodautoscaler_status_target_metric",
        "Last value of each metric that the autoscaler read, by type of the target (status.currentMetrics).", STABLE,
        amounts("status.currentMetrics", "current"), "metric_name", "metric_target_type", "container",
    ),
    gauge(
        "kube_horizontalpodautoscaler_status_current_replicas", "Number of replicas that the autoscaler last saw (status.currentReplicas).",
        STABLE, count("status.currentReplicas"),
    ),
    gauge(
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "Number of replicas that the autoscaler last computed (status.desiredReplicas).", STABLE,
        count("status.desiredReplicas"),
    ),
    allowed_annotations("kube_horizontalpodautoscaler"),
    allowed_labels("kube_horizontalpodautoscaler"),
    conditions("kube_horizontalpodautoscaler"),
    created("kube_horizontalpodautoscaler", ALPHA),
    deletion_timestamp("kube_horizontalpodautoscaler"),
    gauge(
        "kube_horizontalpodautoscaler_status_observed_generation",
        "Generation that the controller last processed (status.observedGeneration).", ALPHA,
        at("status.observedGeneration"),
    ),
)

RESOURCE = Resource(
    name="horizontalpodautoscalers",
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    namespaced=True,
    identity=(NAMESPACE, name_label("horizontalpodautoscaler")),
    families=FAMILIES,
)
