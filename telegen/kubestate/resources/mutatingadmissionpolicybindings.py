"""MutatingAdmissionPolicyBindings: admissionregistration.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created, policy_binding
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (policy_binding("kube_mutatingadmissionpolicybinding"), created("kube_mutatingadmissionpolicybinding", ALPHA))

RESOURCE = Resource(
    name="mutatingadmissionpolicybindings",
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    namespaced=False,
    identity=(NAMESPACE, name_label("mutatingadmissionpolicybinding")),
    families=FAMILIES,
)
