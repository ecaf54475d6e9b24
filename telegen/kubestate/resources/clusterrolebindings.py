"""ClusterRoleBindings: rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, resource_version
from telegen.kubestate.fields import labelled
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    allowed_annotations("kube_clusterrolebinding"),
    allowed_labels("kube_clusterrolebinding", ALPHA),
    gauge(
        "kube_clusterrolebinding_info",
        "One series per clusterrolebinding, always 1; kind and name of the role that is granted (roleRef.kind, roleRef.name).", ALPHA,
        labelled("roleRef.kind", "roleRef.name"), "roleref_kind", "roleref_name",
    ),
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
