"""RoleBindings: rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, resource_version, role_binding
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (
    allowed_annotations("kube_rolebinding"),
    allowed_labels("kube_rolebinding", ALPHA),
    role_binding("kube_rolebinding"),
    created("kube_rolebinding", ALPHA),
    resource_version("kube_rolebinding"),
)

RESOURCE = Resource(
    name="rolebindings",
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="RoleBinding",
    namespaced=True,
    identity=(NAMESPACE, name_label("rolebinding")),
    families=FAMILIES,
    default=False,
)
