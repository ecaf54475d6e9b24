"""ReplicationControllers: core/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created, generation, observed_generation, owner
from telegen.kubestate.fields import at, count
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    created("kube_replicationcontroller"),
    gauge(
        "kube_replicationcontroller_status_replicas", "Number of pods that exist (status.replicas).", STABLE,
        count("status.replicas"),
    ),
    gauge(
        "kube_replicationcontroller_status_fully_labeled_replicas",
        "Number of pods with all labels of the template (status.fullyLabeledReplicas).", STABLE,
        count("status.fullyLabeledReplicas"),
    ),
    gauge(
        "kube_replicationcontroller_status_ready_replicas", "Number of ready pods (status.readyReplicas).", STABLE,
        count("status.readyReplicas"),
    ),
    gauge(
        "kube_replicationcontroller_status_available_replicas",
        "Number of pods that have been ready for minReadySeconds (status.availableReplicas).", STABLE,
        count("status.availableReplicas"),
    ),
    observed_generation("kube_replicationcontroller"),
    gauge("kube_replicationcontroller_spec_replicas", "Desired replicas (spec.replicas).", STABLE, at("spec.replicas")),
    generation("kube_replicationcontroller"),
    owner("kube_replicationcontroller", ALPHA),
)

RESOURCE = Resource(
    name="replicationcontrollers",
    group="",
    version="v1",
    kind="ReplicationController",
    namespaced=True,
    identity=(NAMESPACE, name_label("replicationcontroller")),
    families=FAMILIES,
    reads=("spec.replicas", "status"),
)
