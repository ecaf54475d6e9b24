"""ReplicationControllers: core/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created, generation, owner
from telegen.kubestate.fields import at, count
from telegen.kubestate.resource import NAMESPACE, Resource, named
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    created("kube_replicationcontroller"),
    gauge("kube_replicationcontroller_status_replicas", "Pods that there are.", STABLE, count("status.replicas")),
    gauge(
        "kube_replicationcontroller_status_fully_labeled_replicas", "Pods that have all labels of the template.", STABLE,
        count("status.fullyLabeledReplicas"),
    ),
    gauge("kube_replicationcontroller_status_ready_replicas", "Pods that are ready.", STABLE, count("status.readyReplicas")),
    gauge(
        "kube_replicationcontroller_status_available_replicas", "Pods that have been ready for long enough.", STABLE,
        count("status.availableReplicas"),
    ),
    gauge(
        "kube_replicationcontroller_status_observed_generation", "Desired state that the controller has seen.", STABLE,
        count("status.observedGeneration"),
    ),
    gauge("kube_replicationcontroller_spec_replicas", "Pods that are wanted.", STABLE, at("spec.replicas")),
    generation("kube_replicationcontroller"),
    owner("kube_replicationcontroller", ALPHA),
)

RESOURCE = Resource(
    name="replicationcontrollers",
    group="",
    version="v1",
    kind="ReplicationController",
    namespaced=True,
    identity=(NAMESPACE, named("replicationcontroller")),
    families=FAMILIES,
    reads=("spec.replicas", "status"),
)
