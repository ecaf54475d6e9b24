"""MutatingAdmissionPolicies: admissionregistration.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created
from telegen.kubestate.fields import labelled
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    gauge(
        "kube_mutatingadmissionpolicy_info",
        "One series per mutatingadmissionpolicy, always 1; parameter kind, failure policy and reinvocation policy "
        "(spec.paramKind, spec.failurePolicy, spec.reinvocationPolicy).",
        ALPHA, labelled("spec.paramKind.apiVersion", "spec.paramKind.kind", "spec.failurePolicy", "spec.reinvocationPolicy"),
        "param_api_version", "param_kind", "failure_policy", "reinvocation_policy",
    ),
    created("kube_mutatingadmissionpolicy", ALPHA),
)

RESOURCE = Resource(
    name="mutatingadmissionpolicies",
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicy",
    namespaced=False,
    identity=(NAMESPACE, name_label("mutatingadmissionpolicy")),
    families=FAMILIES,
)
