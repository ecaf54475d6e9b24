"""DaemonSets: apps/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import (
    allowed_annotations,
    allowed_labels,
    created,
    deletion_timestamp,
    generation,
    observed_generation,
)
from telegen.kubestate.fields import count
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE, gauge

FAMILIES = (
    created("kube_daemonset"),
    gauge(
        "kube_daemonset_status_current_number_scheduled",
        "Number of nodes that run a daemon pod and should (status.currentNumberScheduled).", STABLE,
        count("status.currentNumberScheduled"),
    ),
    gauge(
        "kube_daemonset_status_desired_number_scheduled", "Number of nodes that should run a daemon pod (status.desiredNumberScheduled).",
        STABLE, count("status.desiredNumberScheduled"),
    ),
    gauge(
        "kube_daemonset_status_number_available",
        "Number of nodes with a daemon pod that has been ready for minReadySeconds (status.numberAvailable).", STABLE,
        count("status.numberAvailable"),
    ),
    gauge(
        "kube_daemonset_status_number_misscheduled", "Number of nodes that run a daemon pod but should not (status.numberMisscheduled).",
        STABLE, count("status.numberMisscheduled"),
    ),
    gauge(
        "kube_daemonset_status_number_ready", "Number of nodes with a ready daemon pod (status.numberReady).", STABLE,
        count("status.numberReady"),
    ),
    gauge(
        "kube_daemonset_status_number_unavailable",
        "Number of nodes that should have an available daemon pod but have none (status.numberUnavailable).", STABLE,
        count("status.numberUnavailable"),
    ),
    observed_generation("kube_daemonset"),
    gauge(
        "kube_daemonset_status_updated_number_scheduled",
        "Number of nodes with a daemon pod of the current template (status.updatedNumberScheduled).", STABLE,
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
    identity=(NAMESPACE, name_label("daemonset")),
    families=FAMILIES,
    reads=("status",),
)
