"""Argo: applications of Argo CD, and rollouts of Argo Rollouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import conditions, kind, number, phases, reader, replicas, rows, states, text_at
from telegen.metrics.family import Object, Row

GROUP, RESOURCES = "argoproj.io/v1alpha1", "status.resources"
SYNC = ("Synced", "OutOfSync", "Unknown")
HEALTH = ("Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown")
RUN = ("Pending", "Running", "Successful", "Failed", "Error", "Inconclusive")

_resources, _sync, _health = reader(RESOURCES), text_at("status"), text_at("health.status")


def _resource_counts(obj: Object) -> Iterable[Row]:
    """Return the number of resources of an application by their state. States that are not known count as Unknown."""
    found = _resources(obj)
    counts = Counter(
        (_known(_sync(one), SYNC), _known(_health(one), HEALTH))
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict)
    )
    return [(*states, count) for states, count in counts.items()]


def _known(word: str, words: tuple[str, ...]) -> str:
    return word if word in words or not word else "Unknown"


PACK = Pack(
    "argo",
    "Applications of Argo CD, and rollouts, analyses and experiments of Argo Rollouts.",
    (
        kind(
            "argocd_application", GROUP, "applications", "Application",
            states("sync_status", "Comparison with the source", "status.sync.status", SYNC, "status"),
            states("health_status", "Health of the resources", "status.health.status", HEALTH, "status"),
            rows("resources", "Resources by their state", _resource_counts, ("sync_status", "health"), RESOURCES),
            number("last_sync_finished_timestamp_seconds", "End of the last sync in Unix seconds", "status.operationState.finishedAt"),
            conditions(),
        ),
        kind("argocd_appproject", GROUP, "appprojects", "AppProject", conditions()),
        kind("argocd_applicationset", GROUP, "applicationsets", "ApplicationSet", conditions()),
        kind(
            "argo_rollout", GROUP, "rollouts", "Rollout",
            phases("Healthy", "Progressing", "Degraded", "Paused"),
            number("spec_replicas", "Desired pods", "spec.replicas"),
            *replicas("replicas", "availableReplicas", "updatedReplicas", "readyReplicas"),
            number("canary_step_index", "Current step of a canary", "status.currentStepIndex"),
            number("paused", "1 while the rollout is paused", "spec.paused", absent=0),
            number("abort", "1 if the rollout was aborted", "status.abort", absent=0),
            conditions(),
        ),
        kind("argo_analysisrun", GROUP, "analysisruns", "AnalysisRun", phases(*RUN)),
        kind("argo_experiment", GROUP, "experiments", "Experiment", phases(*RUN), conditions()),
    ),
)
