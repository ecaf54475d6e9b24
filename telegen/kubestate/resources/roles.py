"""Roles: rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, exists, resource_version
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (
    allowed_annotations("kube_role"),
    allowed_labels("kube_role", ALPHA),
    exists("kube_role"),
    created("kube_role", ALPHA),
    resource_version("kube_role"),
)

RESOURCE = Resource(
    name="roles",
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="Role",
    namespaced=True,
    identity=(NAMESPACE, name_label("role")),
    families=FAMILIES,
    representation="metadata",
    default=False,
)
