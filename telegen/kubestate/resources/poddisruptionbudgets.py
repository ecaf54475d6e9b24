"""PodDisruptionBudgets: policy/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import (
    allowed_annotations,
    allowed_labels,
    created,
    deletion_timestamp,
    observed_generation,
)
from telegen.kubestate.fields import count
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    allowed_annotations("kube_poddisruptionbudget"),
    allowed_labels("kube_poddisruptionbudget", ALPHA),
    created("kube_poddisruptionbudget"),
    gauge(
        "kube_poddisruptionbudget_status_current_healthy", "Number of healthy pods (status.currentHealthy).", STABLE,
        count("status.currentHealthy"),
    ),
    gauge(
        "kube_poddisruptionbudget_status_desired_healthy", "Minimum number of healthy pods (status.desiredHealthy).", STABLE,
        count("status.desiredHealthy"),
    ),
    gauge(
        "kube_poddisruptionbudget_status_pod_disruptions_allowed", "Number of pods that may be evicted now (status.disruptionsAllowed).",
        STABLE, count("status.disruptionsAllowed"),
    ),
    gauge(
        "kube_poddisruptionbudget_status_expected_pods", "Number of pods that the budget selects (status.expectedPods).", STABLE,
        count("status.expectedPods"),
    ),
    observed_generation("kube_poddisruptionbudget"),
    deletion_timestamp("kube_poddisruptionbudget"),
)

RESOURCE = Resource(
    name="poddisruptionbudgets",
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    namespaced=True,
    identity=(NAMESPACE, name_label("poddisruptionbudget")),
    families=FAMILIES,
)
