"""PodDisruptionBudgets: policy/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp
from telegen.kubestate.fields import count
from telegen.kubestate.resource import NAMESPACE, Resource, named
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    allowed_annotations("kube_poddisruptionbudget"),
    allowed_labels("kube_poddisruptionbudget", ALPHA),
    created("kube_poddisruptionbudget"),
    gauge("kube_poddisruptionbudget_status_current_healthy", "Pods that are healthy.", STABLE, count("status.currentHealthy")),
    gauge("kube_poddisruptionbudget_status_desired_healthy", "Pods that must stay healthy.", STABLE, count("status.desiredHealthy")),
    gauge(
        "kube_poddisruptionbudget_status_pod_disruptions_allowed", "Pods that may be evicted now.", STABLE,
        count("status.disruptionsAllowed"),
    ),
    gauge("kube_poddisruptionbudget_status_expected_pods", "Pods that the budget is about.", STABLE, count("status.expectedPods")),
    gauge(
        "kube_poddisruptionbudget_status_observed_generation", "Desired state that the controller has seen.", STABLE,
        count("status.observedGeneration"),
    ),
    deletion_timestamp("kube_poddisruptionbudget"),
)

RESOURCE = Resource(
    name="poddisruptionbudgets",
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    namespaced=True,
    identity=(NAMESPACE, named("poddisruptionbudget")),
    families=FAMILIES,
)
