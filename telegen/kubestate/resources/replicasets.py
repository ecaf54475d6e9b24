"""ReplicaSets: apps/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import (
    allowed_annotations,
    allowed_labels,
    created,
    generation,
    observed_generation,
    owner,
)
from telegen.kubestate.fields import at, count
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    created("kube_replicaset"),
    gauge("kube_replicaset_status_replicas", "Number of pods that exist (status.replicas).", STABLE, count("status.replicas")),
    gauge(
        "kube_replicaset_status_fully_labeled_replicas", "Number of pods with all labels of the template (status.fullyLabeledReplicas).",
        STABLE, count("status.fullyLabeledReplicas"),
    ),
    gauge(
        "kube_replicaset_status_ready_replicas", "Number of ready pods (status.readyReplicas).", STABLE,
        count("status.readyReplicas"),
    ),
    gauge(
        "kube_replicaset_status_terminating_replicas", "Number of pods that are being deleted (status.terminatingReplicas).", ALPHA,
        at("status.terminatingReplicas"),
    ),
    observed_generation("kube_replicaset"),
    gauge("kube_replicaset_spec_replicas", "Desired replicas (spec.replicas).", STABLE, at("spec.replicas")),
    generation("kube_replicaset"),
    owner("kube_replicaset"),
    allowed_annotations("kube_replicaset"),
    allowed_labels("kube_replicaset"),
)

RESOURCE = Resource(
    name="replicasets",
    group="apps",
    version="v1",
    kind="ReplicaSet",
    namespaced=True,
    identity=(NAMESPACE, name_label("replicaset")),
    families=FAMILIES,
    reads=("spec.replicas", "status"),
)
