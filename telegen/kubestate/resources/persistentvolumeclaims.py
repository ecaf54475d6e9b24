"""PersistentVolumeClaims: core/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, conditions, created, deletion_timestamp
from telegen.kubestate.fields import at, each, one_of, text
from telegen.kubestate.quantity import whole
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Object, Row, gauge

CLASS = "volume.beta.kubernetes.io/storage-class"
"""Annotation that named the class before spec.storageClassName existed."""

_annotations, _class = at("metadata.annotations", {}), text("spec.storageClassName")
_volume, _mode, _requests = text("spec.volumeName"), text("spec.volumeMode"), at("spec.resources.requests", {})


def info(obj: Object) -> Iterable[Row]:
    """Return class, volume and mode. The annotation of the class has precedence over the field."""
    return [(_annotations(obj).get(CLASS, _class(obj)) or "", _volume(obj), _mode(obj), 1)]


def requested(obj: Object) -> int | None:
    """Return the requested bytes, rounded up."""
    requests = _requests(obj)
    return whole(requests["storage"]) if "storage" in requests else None


FAMILIES = (
    allowed_labels("kube_persistentvolumeclaim"),
    allowed_annotations("kube_persistentvolumeclaim"),
    gauge(
        "kube_persistentvolumeclaim_info",
        "One series per persistentvolumeclaim, always 1; storage class, volume and volume mode "
        "(spec.storageClassName, spec.volumeName, spec.volumeMode).",
        STABLE, info, "storageclass", "volumename", "volumemode",
    ),
    gauge(
        "kube_persistentvolumeclaim_status_phase", "1 on the current phase, 0 on the others (status.phase).", STABLE,
        one_of("status.phase", ("Lost", "Bound", "Pending")), "phase",
    ),
    gauge(
        "kube_persistentvolumeclaim_resource_requests_storage_bytes", "Requested storage in bytes (spec.resources.requests.storage).",
        STABLE, requested,
    ),
    gauge(
        "kube_persistentvolumeclaim_access_mode", "One series per requested access mode, always 1 (spec.accessModes).", STABLE,
        each("spec.accessModes", lambda mode: (mode, 1)), "access_mode",
    ),
    conditions("kube_persistentvolumeclaim", ALPHA),
    created("kube_persistentvolumeclaim", ALPHA),
    deletion_timestamp("kube_persistentvolumeclaim"),
)

RESOURCE = Resource(
    name="persistentvolumeclaims",
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    namespaced=True,
    identity=(NAMESPACE, name_label("persistentvolumeclaim")),
    families=FAMILIES,
)
