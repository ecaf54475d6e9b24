"""VolumeAttachments: storage.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import created
from telegen.kubestate.fields import at, count, labelled
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, Generate, Object, Row, dynamic, gauge
from telegen.metrics.label_keys import label_pairs

_volume = at("spec.source.persistentVolumeName")


def volume(obj: Object) -> Iterable[Row] | None:
    """Return the name of the volume; an inline volume has none."""
    name = _volume(obj)
    return None if name is None else [(name, 1)]


def all_of(path: str, prefix: str) -> Generate:
    """Make a generate function of one sample with every key of a map as a label, without an allowlist."""
    read = at(path, {})
    return lambda obj: [(label_pairs(read(obj), prefix), 1)]


FAMILIES = (
    dynamic(
        "kube_volumeattachment_labels",
        "One series per volumeattachment, always 1; each label of the object as a label label_* (metadata.labels).", ALPHA,
        all_of("metadata.labels", "label_"), "label_*",
    ),
    gauge(
        "kube_volumeattachment_info", "One series per volumeattachment, always 1; attacher and node (spec.attacher, spec.nodeName).", ALPHA,
        labelled("spec.attacher", "spec.nodeName"), "attacher", "node",
    ),
    created("kube_volumeattachment", ALPHA),
    gauge(
        "kube_volumeattachment_spec_source_persistentvolume",
        "One series per volumeattachment, always 1; volume to attach (spec.source.persistentVolumeName).", ALPHA,
        volume, "volumename",
    ),
    gauge(
        "kube_volumeattachment_status_attached", "1 if the volume is attached, 0 if not (status.attached).", ALPHA,
        count("status.attached"),
    ),
    dynamic(
        "kube_volumeattachment_status_attachment_metadata",
        "One series per volumeattachment, always 1; each entry of the attacher's metadata as a label metadata_* "
        "(status.attachmentMetadata).",
        ALPHA, all_of("status.attachmentMetadata", "metadata_"), "metadata_*",
    ),
)

RESOURCE = Resource(
    name="volumeattachments",
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    namespaced=False,
    identity=(name_label("volumeattachment"),),
    families=FAMILIES,
)
