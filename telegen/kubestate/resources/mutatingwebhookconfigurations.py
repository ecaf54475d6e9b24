"""MutatingWebhookConfigurations: admissionregistration.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created, exists, resource_version, webhook_services
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (
    exists("kube_mutatingwebhookconfiguration"),
    created("kube_mutatingwebhookconfiguration", ALPHA),
    resource_version("kube_mutatingwebhookconfiguration"),
    webhook_services("kube_mutatingwebhookconfiguration"),
)

RESOURCE = Resource(
    name="mutatingwebhookconfigurations",
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
    identity=(NAMESPACE, name_label("mutatingwebhookconfiguration")),
    families=FAMILIES,
)
