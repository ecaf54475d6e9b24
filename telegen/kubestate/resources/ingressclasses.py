"""IngressClasses: networking.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created
from telegen.kubestate.fields import labelled
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    gauge(
        "kube_ingressclass_info", "One series per ingressclass, always 1; controller that implements the class (spec.controller).", ALPHA,
        labelled("spec.controller"), "controller",
    ),
    created("kube_ingressclass", ALPHA),
    allowed_annotations("kube_ingressclass"),
    allowed_labels("kube_ingressclass", ALPHA),
)

RESOURCE = Resource(
    name="ingressclasses",
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    namespaced=False,
    identity=(name_label("ingressclass"),),
    families=FAMILIES,
    default=False,
)
