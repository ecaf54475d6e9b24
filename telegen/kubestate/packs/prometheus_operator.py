"""Prometheus Operator: servers, agents, Alertmanagers and rulers."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import conditions, kind, number

GROUP = "monitoring.coreos.com"


def _kind(name: str, plural: str, version: str = "v1") -> PackResource:
    return kind(
        f"promop_{name.lower()}", f"{GROUP}/{version}", plural, name,
        number("spec_replicas", "Desired replicas", "spec.replicas"),
        number("status_replicas", "Replicas", "status.replicas"),
        number("available", "Available replicas", "status.availableReplicas"),
        number("unavailable", "Unavailable replicas", "status.unavailableReplicas"),
        number("shards", "Shards", "status.shards", "spec.shards"),
        number("paused", "1 while changes are not applied", "status.paused", "spec.paused", absent=0),
        conditions(),
    )


PACK = Pack(
    "prometheus-operator",
    "Prometheus servers and agents, Alertmanagers and rulers of the Prometheus Operator.",
    (
        _kind("Prometheus", "prometheuses"),
        _kind("PrometheusAgent", "prometheusagents", "v1alpha1"),
        _kind("Alertmanager", "alertmanagers"),
        _kind("ThanosRuler", "thanosrulers"),
    ),
)
