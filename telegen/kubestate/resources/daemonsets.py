"""DaemonSets: apps/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp, generation
from telegen.kubestate.fields import count
from telegen.kubestate.resource import NAMESPACE, Resource, named
from telegen.metrics.family import STABLE, gauge

FAMILIES = (
    created("kube_daemonset"),
    gauge(
        "kube_daemonset_status_current_number_scheduled", "Nodes that run a pod and should.", STABLE, count("status.currentNumberScheduled")
    ),
    gauge("kube_daemonset_status_desired_number_scheduled", "Nodes that should run a pod.", STABLE, count("status.desiredNumberScheduled")),
    gauge(
        "kube_daemonset_status_number_available", "Nodes whose pod has been ready for long enough.", STABLE,
        count("status.numberAvailable"),
    ),
    gauge("kube_daemonset_status_number_misscheduled", "Nodes that run a pod and should not.", STABLE, count("status.numberMisscheduled")),
    gauge("kube_daemonset_status_number_ready", "Nodes whose pod is ready.", STABLE, count("status.numberReady")),
    gauge("kube_daemonset_status_number_unavailable", "Nodes that lack an available pod.", STABLE, count("status.numberUnavailable")),
    gauge(
        "kube_daemonset_status_observed_generation", "Desired state that the controller has seen.", STABLE,
        count("status.observedGeneration"),
    ),
    gauge(
        "kube_daemonset_status_updated_number_scheduled", "Nodes that run a pod of the newest template.", STABLE,
        count("status.updatedNumberScheduled"),
    ),
    generation("kube_daemonset"),
    deletion_timestamp("kube_daemonset"),
    allowed_annotations("kube_daemonset"),
    allowed_labels("kube_daemonset"),
)

RESOURCE = Resource(
    name="daemonsets",
    group="apps",
    version="v1",
    kind="DaemonSet",
    namespaced=True,
    identity=(NAMESPACE, named("daemonset")),
    families=FAMILIES,
    reads=("status",),
)
