"""StatefulSets: apps/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import (
    allowed_annotations,
    allowed_labels,
    created,
    deletion_timestamp,
    generation,
    observed_generation,
)
from telegen.kubestate.fields import at, count, labelled, text
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE, Object, Row, gauge

_ordinals = at("spec.ordinals")
_retained = [text(f"spec.persistentVolumeClaimRetentionPolicy.{when}") for when in ("whenDeleted", "whenScaled")]


def first_ordinal(obj: Object) -> int | None:
    """Return the ordinal of the first pod; None if spec.ordinals is absent."""
    ordinals = _ordinals(obj)
    return None if ordinals is None else ordinals.get("start") or 0


def retention(obj: Object) -> Iterable[Row] | None:
    policy = [read(obj) for read in _retained]
    return [(*policy, 1)] if any(policy) else None


FAMILIES = (
    created("kube_statefulset"),
    gauge("kube_statefulset_status_replicas", "Number of pods that exist (status.replicas).", STABLE, count("status.replicas")),
    gauge(
        "kube_statefulset_status_replicas_available", "Number of pods that have been ready for minReadySeconds (status.availableReplicas).",
        STABLE, count("status.availableReplicas"),
    ),
    gauge(
        "kube_statefulset_status_replicas_current", "Number of pods of the current revision (status.currentReplicas).", STABLE,
        count("status.currentReplicas"),
    ),
    gauge(
        "kube_statefulset_status_replicas_ready", "Number of ready pods (status.readyReplicas).", STABLE,
        count("status.readyReplicas"),
    ),
    gauge(
        "kube_statefulset_status_replicas_updated", "Number of pods of the update revision (status.updatedReplicas).", STABLE,
        count("status.updatedReplicas"),
    ),
    observed_generation("kube_statefulset"),
    gauge("kube_statefulset_replicas", "Desired replicas (spec.replicas).", STABLE, at("spec.replicas")),
    gauge("kube_statefulset_ordinals_start", "Ordinal of the first pod (spec.ordinals.start).", STABLE, first_ordinal),
    generation("kube_statefulset"),
    gauge(
        "kube_statefulset_persistentvolumeclaim_retention_policy",
        "One series per statefulset, always 1; policies for claims of deleted and scaled-down pods "
        "(spec.persistentVolumeClaimRetentionPolicy).",
        STABLE, retention, "when_deleted", "when_scaled",
    ),
    allowed_annotations("kube_statefulset", STABLE),
    allowed_labels("kube_statefulset"),
    gauge(
        "kube_statefulset_status_current_revision",
        "One series per statefulset, always 1; revision of the current pods (status.currentRevision).", STABLE,
        labelled("status.currentRevision"), "revision",
    ),
    gauge(
        "kube_statefulset_status_update_revision",
        "One series per statefulset, always 1; revision that is being rolled out (status.updateRevision).", STABLE,
        labelled("status.updateRevision"), "revision",
    ),
    deletion_timestamp("kube_statefulset", stability=STABLE),
)

RESOURCE = Resource(
    name="statefulsets",
    group="apps",
    version="v1",
    kind="StatefulSet",
    namespaced=True,
    identity=(NAMESPACE, name_label("statefulset")),
    families=FAMILIES,
    reads=("spec.ordinals", "spec.persistentVolumeClaimRetentionPolicy", "spec.replicas", "status"),
)
