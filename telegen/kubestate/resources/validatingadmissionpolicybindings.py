"""ValidatingAdmissionPolicyBindings: admissionregistration.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created, policy_binding
from telegen.kubestate.fields import each
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    policy_binding("kube_validatingadmissionpolicybinding"),
    created("kube_validatingadmissionpolicybinding", ALPHA),
    gauge(
        "kube_validatingadmissionpolicybinding_validation_action",
        "One series per action that is taken when validation fails, always 1 (spec.validationActions).", ALPHA,
        each("spec.validationActions", lambda action: (action, 1)), "action",
    ),
)

RESOURCE = Resource(
    name="validatingadmissionpolicybindings",
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    namespaced=False,
    identity=(NAMESPACE, name_label("validatingadmissionpolicybinding")),
    families=FAMILIES,
)
