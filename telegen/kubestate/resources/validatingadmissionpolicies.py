"""ValidatingAdmissionPolicies: admissionregistration.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created
from telegen.kubestate.fields import labelled
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    gauge(
        "kube_validatingadmissionpolicy_info",
        "One series per validatingadmissionpolicy, always 1; parameter kind and failure policy (spec.paramKind, spec.failurePolicy).",
        ALPHA, labelled("spec.paramKind.apiVersion", "spec.paramKind.kind", "spec.failurePolicy"), "param_api_version",
        "param_kind", "failure_policy",
    ),
    created("kube_validatingadmissionpolicy", ALPHA),
)

RESOURCE = Resource(
    name="validatingadmissionpolicies",
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicy",
    namespaced=False,
    identity=(NAMESPACE, name_label("validatingadmissionpolicy")),
    families=FAMILIES,
)
