"""Series of a page in the naming of the semantic conventions, by the facts of semconv.json alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.otlp.pages import series_of_page

FACTS = json.loads(Path(__file__).with_name("semconv.json").read_text())
IDENTITIES: Mapping[str, Mapping[str, str]] = {family: one["attributes"] for one in FACTS["identities"] for family in one["families"]}
NOT_SENT = {
    "kube_endpointslice_endpoints": "needs labels that the family lacks",
    "kube_replicaset_status_ready_replicas": "counts ready pods, the convention available ones",
    "container_cpu_user_seconds_total": "container.cpu.time has the total",
    "container_cpu_system_seconds_total": "container.cpu.time has the total",
}
"""Families that keep their name although the facts name a metric."""

Entity = frozenset[tuple[str, str]]
Key = tuple[Entity, str, frozenset[tuple[str, str]]]
"""(attributes of the resource, name, attributes of the point)."""


def translated(page: str) -> dict[Key, float]:
    """Return the series of a page of objects of the API; those of an uptime have the value 0, as it depends on the time."""
    found: dict[Key, float] = {}
    for (name, pairs), value in series_of_page(page).items():
        labels, identity = dict(pairs), IDENTITIES.get(name, {})
        resource = frozenset((attribute, labels[label]) for label, attribute in identity.items() if label in labels)
        rest = {label: text for label, text in labels.items() if label not in identity}
        metric = _metric(name, labels)
        if metric:
            counted = metric["values"].startswith("number of series")
            key = resource, metric["otel_name"], frozenset({} if counted else _attributes(metric, rest).items())
            found[key] = found.get(key, 0.0) + 1 if counted else 0.0 if metric["values"].startswith("now") else value
        else:
            found[resource, name, frozenset(rest.items())] = value
    return found


def _metric(name: str, labels: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the facts of the metric of a series, None if it keeps its name."""
    if name in NOT_SENT or name == "kube_job_status_failed" and "reason" in labels:
        return None
    metrics = FACTS["families"].get(name, {"metrics": ()})["metrics"]
    return next((one for one in metrics if all(labels.get(label) == text for label, text in one.get("only_where", {}).items())), None)


def _attributes(metric: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    where, names = metric.get("only_where", {}), metric.get("attributes", {})
    dropped = {*where, *(["unit"] if where else ())}
    kept = {names.get(label, {"node": "k8s.node.name"}.get(label, label)): text for label, text in labels.items() if label not in dropped}
    if metric["otel_name"] == "k8s.namespace.phase":
        kept = {attribute: text.lower() for attribute, text in kept.items()}
    return {**kept, **metric.get("fixed_attributes", {})}


def entities_of(requests: Iterable[ExportMetricsServiceRequest], sender: frozenset[str]) -> dict[Key, float | None]:
    """Return the newest value of each series, None after its last point.

    Args:
        sender: attributes of resources that describe the agent.
    """
    found: dict[Key, float | None] = {}
    for resource in (one for request in requests for one in request.resource_metrics):
        entity = frozenset((item.key, item.value.string_value) for item in resource.resource.attributes if item.key not in sender)
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            for point in (*metric.gauge.data_points, *metric.sum.data_points):
                attributes = frozenset((item.key, item.value.string_value) for item in point.attributes)
                value = 0.0 if metric.name.endswith(".uptime") else point.as_double
                found[entity, metric.name, attributes] = None if point.flags & 1 else value
    return found
