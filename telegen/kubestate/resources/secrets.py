"""Secrets: core/v1. The agent requests a Table with metadata and type: the data never reaches it."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, exists, owner, resource_version
from telegen.kubestate.fields import labelled
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, gauge

FAMILIES = (
    exists("kube_secret", STABLE),
    gauge("kube_secret_type", "One series per secret, always 1; type of the Secret (type).", STABLE, labelled("type"), "type"),
    allowed_annotations("kube_secret"),
    allowed_labels("kube_secret"),
    created("kube_secret"),
    resource_version("kube_secret"),
    owner("kube_secret", ALPHA),
)

RESOURCE = Resource(
    name="secrets",
    group="",
    version="v1",
    kind="Secret",
    namespaced=True,
    identity=(NAMESPACE, name_label("secret")),
    families=FAMILIES,
    representation="table",
)
