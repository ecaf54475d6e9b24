"""PersistentVolumes: core/v1."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import dropwhile
from typing import Any

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp
from telegen.kubestate.fields import at, each, one_of, text
from telegen.kubestate.quantity import whole
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Object, Row, gauge

SOURCES = {
    "gcePersistentDisk": {"gce_persistent_disk_name": "pdName"},
    "awsElasticBlockStore": {"ebs_volume_id": "volumeID"},
    "azureDisk": {"azure_disk_name": "diskName"},
    "fc": {"fc_wwids": "wwids", "fc_lun": "lun", "fc_target_wwns": "targetWWNs"},
    "iscsi": {
        "iscsi_target_portal": "targetPortal",
        "iscsi_iqn": "iqn",
        "iscsi_lun": "lun",
        "iscsi_initiator_name": "initiatorName",
    },
    "nfs": {"nfs_server": "server", "nfs_path": "path"},
    "csi": {"csi_driver": "driver", "csi_volume_handle": "volumeHandle"},
    "local": {"local_path": "path", "local_fs": "fsType"},
    "hostPath": {"host_path": "path", "host_path_type": "type"},
}
"""Volume sources with the labels and fields of each. The first one that is set is exposed."""

LABELS = tuple(label for labels in SOURCES.values() for label in labels)

_claim, _csi = at("spec.claimRef"), at("spec.csi")
_class, _policy = text("spec.storageClassName"), text("spec.persistentVolumeReclaimPolicy")
_capacity, _mode = at("spec.capacity", {}), at("spec.volumeMode", "Filesystem")


def info(obj: Object) -> Iterable[Row]:
    """Return class, fields of the first source that is set, and reclaim policy."""
    spec = obj.get("spec") or {}
    # An empty source, {}, counts as set.
    kind = next((kind for kind in SOURCES if spec.get(kind) is not None), None)
    known = {label: _shown(kind, field, spec[kind].get(field)) for label, field in SOURCES[kind].items()} if kind else {}
    return [(_class(obj), *[known.get(label, "") for label in LABELS], _policy(obj), 1)]


def _shown(kind: str, field: str, value: Any) -> str:
    """Return a field of a source as a label value. Lists are joined; an absent LUN of iSCSI is 0, its zero value in the API."""
    if isinstance(value, list):
        # Like kube-state-metrics, which writes a comma only behind text: leading empty entries vanish.
        return ",".join(dropwhile(lambda entry: entry == "", [entry or "" for entry in value]))
    if field == "lun":
        return str(int(value or 0)) if value is not None or kind == "iscsi" else ""
    return value or ""


def claim(obj: Object) -> Iterable[Row] | None:
    ref = _claim(obj)
    return None if ref is None else [(ref.get("name") or "", ref.get("namespace") or "", 1)]


def csi_attributes(obj: Object) -> Iterable[Row] | None:
    """Return two attributes that only some CSI drivers set, empty if absent."""
    csi = _csi(obj)
    if csi is None:
        return None
    attributes = csi.get("volumeAttributes") or {}
    return [(attributes.get("mounter") or "", attributes.get("mapOptions") or "", 1)]


FAMILIES = (
    gauge(
        "kube_persistentvolume_claim_ref",
        "One series per persistentvolume, always 1; name and namespace of the bound or reserved claim (spec.claimRef).", STABLE,
        claim, "name", "claim_namespace",
    ),
    allowed_annotations("kube_persistentvolume"),
    allowed_labels("kube_persistentvolume"),
    gauge(
        "kube_persistentvolume_status_phase", "1 on the current phase, 0 on the others (status.phase).", STABLE,
        one_of("status.phase", ("Pending", "Available", "Bound", "Released", "Failed")), "phase",
    ),
    gauge(
        "kube_persistentvolume_info",
        "One series per persistentvolume, always 1; storage class, reclaim policy and the fields of the volume source such as csi or nfs "
        "(spec.storageClassName, spec.persistentVolumeReclaimPolicy).",
        STABLE, info, "storageclass", *LABELS, "reclaim_policy",
    ),
    gauge(
        "kube_persistentvolume_capacity_bytes", "Size of the volume in bytes (spec.capacity.storage).", STABLE,
        lambda obj: whole(_capacity(obj).get("storage") or 0),
    ),
    created("kube_persistentvolume", ALPHA),
    deletion_timestamp("kube_persistentvolume"),
    gauge(
        "kube_persistentvolume_csi_attributes",
        "One series per persistentvolume, always 1; mounter and mapOptions of a CSI volume (spec.csi.volumeAttributes).", ALPHA,
        csi_attributes, "csi_mounter", "csi_map_options", opt_in=True,
    ),
    gauge(
        "kube_persistentvolume_volume_mode", "One series per persistentvolume, always 1; Filesystem or Block (spec.volumeMode).", ALPHA,
        lambda obj: [(_mode(obj), 1)], "volumemode",
    ),
    gauge(
        "kube_persistentvolume_access_mode", "One series per supported access mode, always 1 (spec.accessModes).", ALPHA,
        each("spec.accessModes", lambda mode: (mode, 1)), "access_mode",
    ),
)

RESOURCE = Resource(
    name="persistentvolumes",
    group="",
    version="v1",
    kind="PersistentVolume",
    namespaced=False,
    identity=(name_label("persistentvolume"),),
    families=FAMILIES,
)
