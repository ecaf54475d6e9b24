"""Services: core/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp
from telegen.kubestate.fields import each, labelled, text
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE, gauge

FAMILIES = (
    gauge(
        "kube_service_info",
        "One series per service, always 1; cluster IP, external name, load balancer IP and traffic policy "
        "(spec.clusterIP, spec.externalName, spec.loadBalancerIP, spec.externalTrafficPolicy).",
        STABLE, labelled("spec.clusterIP", "spec.externalName", "spec.loadBalancerIP", "spec.externalTrafficPolicy"),
        "cluster_ip", "external_name", "load_balancer_ip", "external_traffic_policy",
    ),
    created("kube_service"),
    gauge(
        "kube_service_spec_type", "One series per service, always 1; type of the Service (spec.type).", STABLE,
        labelled("spec.type"), "type",
    ),
    allowed_annotations("kube_service"),
    allowed_labels("kube_service"),
    gauge(
        "kube_service_spec_external_ip", "One series per external IP, always 1 (spec.externalIPs).", STABLE,
        each("spec.externalIPs", lambda ip: (ip, 1)), "external_ip",
    ),
    gauge(
        "kube_service_status_load_balancer_ingress",
        "One series per ingress point of the load balancer, always 1 (status.loadBalancer.ingress).", STABLE,
        each("status.loadBalancer.ingress", lambda entry: (entry.get("ip") or "", entry.get("hostname") or "", 1)), "ip",
        "hostname",
    ),
    deletion_timestamp("kube_service"),
)

RESOURCE = Resource(
    name="services",
    group="",
    version="v1",
    kind="Service",
    namespaced=True,
    identity=(NAMESPACE, name_label("service"), ("uid", text("metadata.uid"))),
    families=FAMILIES,
)
