"""ReplicaSets: apps/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, generation, owner
from telegen.kubestate.fields import at, count
from telegen.kubestate.resource import NAMESPACE, Resource, named
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    created("kube_replicaset"),
    gauge("kube_replicaset_status_replicas", "Pods that there are.", STABLE, count("status.replicas")),
    gauge(
        "kube_replicaset_status_fully_labeled_replicas", "Pods that have all labels of the template.", STABLE,
        count("status.fullyLabeledReplicas"),
    ),
    gauge("kube_replicaset_status_ready_replicas", "Pods that are ready.", STABLE, count("status.readyReplicas")),
    gauge("kube_replicaset_status_terminating_replicas", "Pods that are going.", ALPHA, at("status.terminatingReplicas")),
    gauge(
        "kube_replicaset_status_observed_generation", "Desired state that the controller has seen.", STABLE,
        count("status.observedGeneration"),
    ),
    gauge("kube_replicaset_spec_replicas", "Pods that are wanted.", STABLE, at("spec.replicas")),
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
    identity=(NAMESPACE, named("replicaset")),
    families=FAMILIES,
    reads=("spec.replicas", "status"),
)
