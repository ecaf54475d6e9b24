"""EndpointSlices: discovery.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created
from telegen.kubestate.fields import each, items, labelled, number_text
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, Object, Row, gauge

_endpoints = items("endpoints")


def flag(value: Any) -> str:
    """Return an optional flag as a label value. Absent is "": clients may treat it as true."""
    return "" if value is None else "true" if value else "false"


def endpoints(obj: Object) -> Iterable[Row]:
    """Return a row for each address of each endpoint, with the fields of the endpoint."""
    rows = []
    for endpoint in _endpoints(obj):
        conditions, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
        known = (
            flag(conditions.get("ready")),
            flag(conditions.get("serving")),
            endpoint.get("hostname") or "",
            flag(conditions.get("terminating")),
            target.get("kind") or "",
            target.get("name") or "",
            target.get("namespace") or "",
            endpoint.get("nodeName") or "",
            endpoint.get("zone") or "",
        )
        rows += [(*known, address, 1) for address in endpoint.get("addresses") or ()]
    return rows


def hints(obj: Object) -> Iterable[Row]:
    """Return a row for each zone of an endpoint, which its first address stands for."""
    return [
        # The addresses of an endpoint are interchangeable; like the peer, expose the first one only.
        (endpoint["addresses"][0], zone.get("name") or "", 1)
        for endpoint in _endpoints(obj)
        if endpoint.get("addresses")
        for zone in (endpoint.get("hints") or {}).get("forZones") or ()
    ]


def port(entry: Object) -> Row:
    """Return the row of a port; absent fields are empty."""
    number = entry.get("port")
    return entry.get("name") or "", entry.get("protocol") or "", "" if number is None else number_text(number), 1


FAMILIES = (
    gauge(
        "kube_endpointslice_info", "One series per endpointslice, always 1; type of the addresses (addressType).", ALPHA,
        labelled("addressType"), "addresstype",
    ),
    created("kube_endpointslice", ALPHA),
    gauge(
        "kube_endpointslice_endpoints_hints", "One series per zone that an endpoint is meant for, always 1 (endpoints[].hints.forZones).",
        ALPHA, hints, "address", "for_zone",
    ),
    gauge(
        "kube_endpointslice_endpoints",
        "One series per address, always 1; conditions, target, node and zone of its endpoint (endpoints[].addresses).", ALPHA,
        endpoints, "ready", "serving", "hostname", "terminating", "targetref_kind", "targetref_name", "targetref_namespace",
        "endpoint_nodename", "endpoint_zone", "address",
    ),
    gauge(
        "kube_endpointslice_ports", "One series per port, always 1 (ports).", ALPHA,
        each("ports", port), "port_name", "port_protocol", "port_number",
    ),
    allowed_annotations("kube_endpointslice"),
    allowed_labels("kube_endpointslice", ALPHA),
)

RESOURCE = Resource(
    name="endpointslices",
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    namespaced=True,
    identity=(name_label("endpointslice"), NAMESPACE),
    families=FAMILIES,
)
