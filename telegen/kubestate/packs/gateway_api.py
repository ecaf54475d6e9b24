"""Gateway API: gateways and routes, with the families of the configuration of kube-state-metrics that Kuadrant publishes."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.custom.model import Family
from telegen.kubestate.custom.values import text_of
from telegen.kubestate.packs.described import Describing
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import (
    MOST_ELEMENTS,
    Path,
    Spec,
    condition_values,
    elements,
    kind,
    reader,
    rows,
    text_at,
)
from telegen.metrics.family import Object, Row

GROUP, FEATURES, LISTENERS, PARENTS = "gateway.networking.k8s.io", "status.supportedFeatures", "status.listeners", "status.parents"
NAME: dict[str, Path] = {"name": "metadata.name"}
PARENT = {"group": "group", "kind": "kind", "name": "name", "namespace": "namespace", "section_name": "sectionName", "port": "port"}
"""Fields of a reference to a parent, by the last part of their labels."""

_features, _listeners, _parents, _name = reader(FEATURES), reader(LISTENERS), reader(PARENTS), text_at("name")
_parent_texts = [text_at(path) for path in ("controllerName", *[f"parentRef.{field}" for field in PARENT.values()])]


def _supported_features(obj: Object) -> Iterable[Row]:
    """Return each feature: a name, or since v1 a map with the name."""
    found = _features(obj)
    names = [one.get("name") if isinstance(one, dict) else one for one in found[:MOST_ELEMENTS]] if isinstance(found, list) else []
    return [(text_of(name), 1) for name in names if name is not None]


def _listener_conditions(obj: Object) -> Iterable[Row]:
    return [(_name(one), *state) for one in elements(_listeners(obj)) for state in condition_values(one.get("conditions")).items()]


def _parent_conditions(obj: Object) -> Iterable[Row]:
    return [
        (*[read(one) for read in _parent_texts], *state)
        for one in elements(_parents(obj))
        for state in condition_values(one.get("conditions")).items()
    ]


def _kind(
    name: str, plural: str, *families: Family, version: str = "v1", older: tuple[str, ...] = (), own: Spec | None = None
) -> PackResource:
    of, namespaced = _of(name), name != "GatewayClass"
    usual = (
        of.info("labels", "Labels of the object", "metadata", **{"*": "labels"}),
        of.gauge("created", "Creation time in Unix seconds", "metadata.creationTimestamp"),
        of.gauge("deleted", "Time of deletion in Unix seconds, 0 without one", "metadata.deletionTimestamp", zero=True),
    )
    return kind(
        of.prefix, f"{GROUP}/{version}", plural, name, *((own,) if own else ()),
        label="name", namespaced=namespaced, older=older, selects=False, described=(*usual, *families),
    )


def _of(name: str) -> Describing:
    return Describing(f"gatewayapi_{name.lower()}", NAME if name == "GatewayClass" else {**NAME, "namespace": "metadata.namespace"})


def _conditions(of: Describing) -> Family:
    return of.gauge("status", "1 for a condition that is True", "status.conditions", "status", type="type")


def _route(name: str, version: str = "v1", older: tuple[str, ...] = (), hostnames: bool = True) -> PackResource:
    of = _of(name)
    families = [of.info("hostname_info", "Host name of a route", "spec.hostnames", hostname=())] if hostnames else []
    wanted = {f"parent_{part}": field for part, field in PARENT.items()}
    families.append(of.info("parent_info", "Parent of a route", "spec.parentRefs", **wanted))
    answered = {f"parent_{part}": f"parentRef.{field}" for part, field in PARENT.items()}
    families.append(of.info("status_parent_info", "Parent that knows a route", PARENTS, controller_name="controllerName", **answered))
    labels = ("controller_name", *answered, "type")
    help = "State of each condition of each parent: 1 for True, 0 for False, -1 for Unknown"
    own = rows("status_parent_condition", help, _parent_conditions, labels, PARENTS)
    return _kind(name, f"{name.lower()}s", *families, version=version, older=older, own=own)


_class, _gateway, _policy = _of("GatewayClass"), _of("Gateway"), _of("BackendTLSPolicy")

PACK = Pack(
    "gateway-api",
    "Gateways and routes of the Gateway API, with the families that Kuadrant's configuration of kube-state-metrics has.",
    (
        _kind(
            "GatewayClass", "gatewayclasses",
            _class.info("info", "Controller of a class", controller_name="spec.controllerName"),
            _conditions(_class),
            older=("v1beta1",),
            own=rows("status_supported_features", "Feature of a class, always 1", _supported_features, ("features",), FEATURES),
        ),
        _kind(
            "Gateway", "gateways",
            _gateway.info("info", "Class of a gateway", gatewayclass_name="spec.gatewayClassName"),
            _gateway.info(
                "listener_info", "Listener of a gateway", "spec.listeners",
                listener_name="name", port="port", protocol="protocol", hostname="hostname", tls_mode="tls.mode",
                allowed_routes_namespaces_from="allowedRoutes.namespaces.from",
            ),
            _conditions(_gateway),
            _gateway.gauge("status_listener_attached_routes", "Routes of each listener", LISTENERS, "attachedRoutes", listener_name="name"),
            _gateway.info("status_address_info", "Address of a gateway", "status.addresses", type="type", value="value"),
            older=("v1beta1",),
            own=rows(
                "listener_condition", "State of each condition of each listener: 1 for True, 0 for False, -1 for Unknown",
                _listener_conditions, ("listener_name", "type"), LISTENERS,
            ),
        ),
        _route("HTTPRoute", older=("v1beta1",)),
        _route("GRPCRoute", older=("v1alpha2",)),
        _route("TLSRoute", older=("v1alpha3", "v1alpha2")),
        _route("TCPRoute", "v1", ("v1alpha2",), hostnames=False),
        _route("UDPRoute", "v1", ("v1alpha2",), hostnames=False),
        _kind(
            "BackendTLSPolicy", "backendtlspolicies",
            _policy.info(
                "target_info", "Target of a policy", "spec.targetRefs",
                target_group="group", target_kind="kind", target_name="name", target_namespace="namespace",
            ),
            older=("v1alpha3",),
        ),
    ),
)
