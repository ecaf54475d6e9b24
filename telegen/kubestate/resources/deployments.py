"""Deployments: apps/v1."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import ceil, floor

from telegen.kubestate.constructors import (
    STATUSES,
    allowed_annotations,
    allowed_labels,
    created,
    deletion_timestamp,
    generation,
    observed_generation,
    owner_rows,
)
from telegen.kubestate.fields import at, count, items
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Generate, Object, Row, gauge

REASONS = frozenset(
    {
        "",
        "ReplicaSetUpdated",
        "ReplicaSetCreateError",
        "NewReplicaSetCreated",
        "FoundNewReplicaSet",
        "NewReplicaSetAvailable",
        "ProgressDeadlineExceeded",
        "DeploymentPaused",
        "DeploymentResumed",
        "MinimumReplicasAvailable",
        "MinimumReplicasUnavailable",
    }
)

_conditions, _replicas = items("status.conditions"), at("spec.replicas")
_PERCENT = re.compile(r"([+-]?\d+)%", re.ASCII)


def condition_reasons(obj: Object) -> Iterable[Row]:
    """Return rows of each condition. A reason that the deployment controller does not set is `unknown`."""
    rows = []
    for condition in _conditions(obj):
        reason = condition.get("reason") or ""
        # Other controllers set reasons at will: each would be a new series.
        known = reason if reason in REASONS else "unknown"
        rows += [
            (known, condition.get("type") or "", label, condition.get("status") == status) for label, status in STATUSES
        ]
    return rows


def scaled(path: str, up: bool) -> Generate:
    """Make a generate function of a number of pods; a percentage is of spec.replicas, rounded up or down."""
    read = at(path)

    def generate(obj: Object) -> int | None:
        value, replicas = read(obj), _replicas(obj)
        if value is None or replicas is None:
            return None
        # An IntOrString: a number of pods, or a percentage as text.
        if not isinstance(value, str):
            return int(value)
        found = _PERCENT.fullmatch(value)
        # The peer parses the percentage as an integer of 64 bits and drops the sample if it does not fit.
        if not found or not -(1 << 63) <= int(found[1]) < 1 << 63:
            return None
        share = int(found[1]) * int(replicas) / 100
        return ceil(share) if up else floor(share)

    return generate


FAMILIES = (
    gauge(
        "kube_deployment_owner", "One series per owner, always 1; labels are empty if there is none (metadata.ownerReferences).", ALPHA,
        lambda obj: [(kind, name, one) for kind, name, _, one in owner_rows(obj)], "owner_kind", "owner_name",
    ),
    created("kube_deployment"),
    gauge("kube_deployment_status_replicas", "Number of pods that exist (status.replicas).", STABLE, count("status.replicas")),
    gauge(
        "kube_deployment_status_replicas_ready", "Number of ready pods (status.readyReplicas).", STABLE,
        count("status.readyReplicas"),
    ),
    gauge(
        "kube_deployment_status_replicas_available", "Number of pods that have been ready for minReadySeconds (status.availableReplicas).",
        STABLE, count("status.availableReplicas"),
    ),
    gauge(
        "kube_deployment_status_replicas_unavailable",
        "Number of pods that are still missing or not available (status.unavailableReplicas).", STABLE,
        count("status.unavailableReplicas"),
    ),
    gauge(
        "kube_deployment_status_replicas_updated", "Number of pods of the current template (status.updatedReplicas).", STABLE,
        count("status.updatedReplicas"),
    ),
    gauge(
        "kube_deployment_status_terminating_replicas", "Number of pods that are being deleted (status.terminatingReplicas).", ALPHA,
        at("status.terminatingReplicas"),
    ),
    observed_generation("kube_deployment"),
    gauge(
        "kube_deployment_status_condition", "1 on the current status of each condition, 0 on the other two (status.conditions[].status).",
        STABLE, condition_reasons, "reason", "condition", "status",
    ),
    gauge("kube_deployment_spec_replicas", "Desired replicas (spec.replicas).", STABLE, at("spec.replicas")),
    gauge("kube_deployment_spec_paused", "1 if the rollout is paused, 0 if not (spec.paused).", STABLE, count("spec.paused")),
    gauge(
        "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
        "Number of pods that may be unavailable during an update; percentages rounded down (spec.strategy.rollingUpdate.maxUnavailable).",
        STABLE, scaled("spec.strategy.rollingUpdate.maxUnavailable", up=False),
    ),
    gauge(
        "kube_deployment_spec_strategy_rollingupdate_max_surge",
        "Number of pods above the desired replicas during an update; percentages rounded up (spec.strategy.rollingUpdate.maxSurge).",
        STABLE, scaled("spec.strategy.rollingUpdate.maxSurge", up=True),
    ),
    generation("kube_deployment"),
    deletion_timestamp("kube_deployment"),
    allowed_annotations("kube_deployment"),
    allowed_labels("kube_deployment"),
)

RESOURCE = Resource(
    name="deployments",
    group="apps",
    version="v1",
    kind="Deployment",
    namespaced=True,
    identity=(NAMESPACE, name_label("deployment")),
    families=FAMILIES,
    reads=("spec.paused", "spec.replicas", "spec.strategy", "status"),
)
