"""Endpoints: core/v1. EndpointSlices replace them."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, exists
from telegen.kubestate.fields import items, number_text
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Generate, Object, Row, gauge

READY = (("addresses", "true"), ("notReadyAddresses", "false"))

_subsets = items("subsets")


def addresses(obj: Object) -> Iterable[Row]:
    """Return a row for each address at each port of its subset; a subset without ports has no rows."""
    return [
        (port.get("protocol") or "", number_text(port.get("port")), port.get("name") or "", address.get("ip") or "", ready, 1)
        for subset in _subsets(obj)
        for port in subset.get("ports") or ()
        for field, ready in READY
        for address in subset.get(field) or ()
    ]


def ports(obj: Object) -> Iterable[Row]:
    return [
        (port.get("name") or "", port.get("protocol") or "", number_text(port.get("port")), 1)
        for subset in _subsets(obj)
        for port in subset.get("ports") or ()
    ]


def number_of(field: str) -> Generate:
    """Make a generate function that counts addresses once per port of their subset, or once if it has no ports."""

    def generate(obj: Object) -> int:
        # Consistent with kube_endpoint_address, which has a series per address and port.
        return sum(len(subset.get(field) or ()) * max(1, len(subset.get("ports") or ())) for subset in _subsets(obj))

    return generate


FAMILIES = (
    exists("kube_endpoint", STABLE),
    created("kube_endpoint"),
    allowed_annotations("kube_endpoint"),
    allowed_labels("kube_endpoint"),
    gauge(
        "kube_endpoint_address",
        "One series per address and port, ready or not, always 1 (subsets[].addresses, subsets[].notReadyAddresses).", STABLE,
        addresses, "port_protocol", "port_number", "port_name", "ip", "ready",
    ),
    gauge(
        "kube_endpoint_ports", "One series per port of a subset, always 1 (subsets[].ports).", STABLE,
        ports, "port_name", "port_protocol", "port_number", deprecated="2.14.0",
    ),
    gauge(
        "kube_endpoint_address_available", "Number of ready addresses, counted once per port (subsets[].addresses).", ALPHA,
        number_of("addresses"),
    ),
    gauge(
        "kube_endpoint_address_not_ready", "Number of addresses that are not ready, counted once per port (subsets[].notReadyAddresses).",
        ALPHA, number_of("notReadyAddresses"),
    ),
)

RESOURCE = Resource(
    name="endpoints",
    group="",
    version="v1",
    kind="Endpoints",
    namespaced=True,
    identity=(NAMESPACE, name_label("endpoint")),
    families=FAMILIES,
)
