"""StatefulSets: apps/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp, generation
from telegen.kubestate.fields import at, count, labelled, text
from telegen.kubestate.resource import NAMESPACE, Resource, named
from telegen.metrics.family import STABLE, Object, Row, gauge

_ordinals = at("spec.ordinals")
_retained = [text(f"spec.persistentVolumeClaimRetentionPolicy.{when}") for when in ("whenDeleted", "whenScaled")]


def first_ordinal(obj: Object) -> int | None:
    """Number of the first pod, where it is set."""
    ordinals = _ordinals(obj)
    return None if ordinals is None else ordinals.get("start") or 0


def retention(obj: Object) -> Iterable[Row] | None:
    """What becomes of the pods' claims."""
    policy = [read(obj) for read in _retained]
    return [(*policy, 1)] if any(policy) else None


FAMILIES = (
    created("kube_statefulset"),
    gauge("kube_statefulset_status_replicas", "Pods that there are.", STABLE, count("status.replicas")),
    gauge(
        "kube_statefulset_status_replicas_available", "Pods that have been ready for long enough.", STABLE,
        count("status.availableReplicas"),
    ),
    gauge("kube_statefulset_status_replicas_current", "Pods of the current revision.", STABLE, count("status.currentReplicas")),
    gauge("kube_statefulset_status_replicas_ready", "Pods that are ready.", STABLE, count("status.readyReplicas")),
    gauge("kube_statefulset_status_replicas_updated", "Pods of the revision that is rolled out.", STABLE, count("status.updatedReplicas")),
    gauge(
        "kube_statefulset_status_observed_generation", "Desired state that the controller has seen.", STABLE,
        count("status.observedGeneration"),
    ),
    gauge("kube_statefulset_replicas", "Pods that are wanted.", STABLE, at("spec.replicas")),
    gauge("kube_statefulset_ordinals_start", "Number of the first pod.", STABLE, first_ordinal),
    generation("kube_statefulset"),
    gauge(
        "kube_statefulset_persistentvolumeclaim_retention_policy", "What becomes of the pods' claims.", STABLE, retention,
        "when_deleted", "when_scaled",
    ),
    allowed_annotations("kube_statefulset", STABLE),
    allowed_labels("kube_statefulset"),
    gauge("kube_statefulset_status_current_revision", "Revision of the pods.", STABLE, labelled("status.currentRevision"), "revision"),
    gauge(
        "kube_statefulset_status_update_revision", "Revision that is rolled out.", STABLE, labelled("status.updateRevision"), "revision"
    ),
    deletion_timestamp("kube_statefulset", stability=STABLE),
)

RESOURCE = Resource(
    name="statefulsets",
    group="apps",
    version="v1",
    kind="StatefulSet",
    namespaced=True,
    identity=(NAMESPACE, named("statefulset")),
    families=FAMILIES,
    reads=("spec.ordinals", "spec.persistentVolumeClaimRetentionPolicy", "spec.replicas", "status"),
)
