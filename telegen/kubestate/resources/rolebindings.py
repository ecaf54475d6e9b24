"""RoleBindings: rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, resource_version
from telegen.kubestate.fields import labelled
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    allowed_annotations("kube_rolebinding"),
    allowed_labels("kube_rolebinding", ALPHA),
    gauge(
        "kube_rolebinding_info",
        "One series per rolebinding, always 1; kind and name of the role that is granted (roleRef.kind, roleRef.name).", ALPHA,
        labelled("roleRef.kind", "roleRef.name"), "roleref_kind", "roleref_name",
    ),
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
