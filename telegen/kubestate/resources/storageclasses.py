"""StorageClasses: storage.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import STABLE, Object, Row, gauge


def info(obj: Object) -> Iterable[Row]:
    """Return provisioner and policies, with the defaults of the API: objects from files may lack them."""
    policy, binding = obj.get("reclaimPolicy"), obj.get("volumeBindingMode")
    return [
        (
            obj.get("provisioner") or "",
            "Delete" if policy is None else policy,
            "Immediate" if binding is None else binding,
            1,
        )
    ]


FAMILIES = (
    gauge(
        "kube_storageclass_info",
        "One series per storageclass, always 1; provisioner, reclaim policy and binding mode, with the defaults of the API "
        "(provisioner, reclaimPolicy, volumeBindingMode).",
        STABLE, info, "provisioner", "reclaim_policy", "volume_binding_mode",
    ),
    created("kube_storageclass"),
    allowed_annotations("kube_storageclass"),
    allowed_labels("kube_storageclass"),
)

RESOURCE = Resource(
    name="storageclasses",
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    namespaced=False,
    identity=(name_label("storageclass"),),
    families=FAMILIES,
)
