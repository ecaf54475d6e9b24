"""ClusterRoles: rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, exists, resource_version
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (
    allowed_annotations("kube_clusterrole"),
    allowed_labels("kube_clusterrole", ALPHA),
    exists("kube_clusterrole"),
    created("kube_clusterrole", ALPHA),
    resource_version("kube_clusterrole"),
)

RESOURCE = Resource(
    name="clusterroles",
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    namespaced=False,
    identity=(name_label("clusterrole"),),
    families=FAMILIES,
    representation="metadata",
    default=False,
)
