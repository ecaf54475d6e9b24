"""ClusterRoleBindings: rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, resource_version, role_binding
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (
    allowed_annotations("kube_clusterrolebinding"),
    allowed_labels("kube_clusterrolebinding", ALPHA),
    role_binding("kube_clusterrolebinding"),
    created("kube_clusterrolebinding", ALPHA),
    resource_version("kube_clusterrolebinding"),
)

RESOURCE = Resource(
    name="clusterrolebindings",
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    namespaced=False,
    identity=(name_label("clusterrolebinding"),),
    families=FAMILIES,
    default=False,
)
