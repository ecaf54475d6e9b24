"""ValidatingWebhookConfigurations: admissionregistration.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import created, exists, resource_version, webhook_services
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA

FAMILIES = (
    exists("kube_validatingwebhookconfiguration"),
    created("kube_validatingwebhookconfiguration", ALPHA),
    resource_version("kube_validatingwebhookconfiguration"),
    webhook_services("kube_validatingwebhookconfiguration"),
)

RESOURCE = Resource(
    name="validatingwebhookconfigurations",
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    namespaced=False,
    identity=(NAMESPACE, name_label("validatingwebhookconfiguration")),
    families=FAMILIES,
)
