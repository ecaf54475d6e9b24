"""Kinds whose conditions are at another place than status.conditions."""

from __future__ import annotations

_GATEWAY = "gateway.networking.k8s.io"
_ELEMENTS = {
    **{(_GATEWAY, kind): "parents" for kind in ("GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute")},
    **{(_GATEWAY, kind): "ancestors" for kind in ("BackendTLSPolicy", "XBackendTrafficPolicy")},
}


def condition_elements(group: str, kind: str) -> str:
    """Return the field of status whose elements have the conditions of a kind, "" for a kind with status.conditions."""
    return _ELEMENTS.get((group, kind), "")
