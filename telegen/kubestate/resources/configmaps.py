"""ConfigMaps: core/v1. The agent requests their metadata only."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, exists, resource_version
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE

FAMILIES = (
    allowed_annotations("kube_configmap"),
    allowed_labels("kube_configmap"),
    exists("kube_configmap", STABLE),
    created("kube_configmap"),
    resource_version("kube_configmap"),
)

RESOURCE = Resource(
    name="configmaps",
    group="",
    version="v1",
    kind="ConfigMap",
    namespaced=True,
    identity=(NAMESPACE, name_label("configmap")),
    families=FAMILIES,
    representation="metadata",
)
