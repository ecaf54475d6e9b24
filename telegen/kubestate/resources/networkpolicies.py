"""NetworkPolicies: networking.k8s.io/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels
from telegen.kubestate.fields import at, items, seconds
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, gauge

_created = at("metadata.creationTimestamp")
_ingress, _egress = items("spec.ingress"), items("spec.egress")

FAMILIES = (
    # Not `created`: kube-state-metrics does not leave out the zero time here.
    gauge(
        "kube_networkpolicy_created",
        "Creation time of the networkpolicy in Unix seconds; the zero time is kept (metadata.creationTimestamp).", ALPHA,
        lambda obj: seconds(_created(obj)),
    ),
    allowed_annotations("kube_networkpolicy"),
    allowed_labels("kube_networkpolicy", ALPHA),
    gauge(
        "kube_networkpolicy_spec_ingress_rules", "Number of rules for incoming traffic (spec.ingress).", ALPHA,
        lambda obj: len(_ingress(obj)),
    ),
    gauge(
        "kube_networkpolicy_spec_egress_rules", "Number of rules for outgoing traffic (spec.egress).", ALPHA,
        lambda obj: len(_egress(obj)),
    ),
)

RESOURCE = Resource(
    name="networkpolicies",
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    namespaced=True,
    identity=(NAMESPACE, name_label("networkpolicy")),
    families=FAMILIES,
)
