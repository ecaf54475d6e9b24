"""APIServices of the metrics APIs. An APIService is one per cluster, and two adapters cannot share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from telegen.adapter.groups import CUSTOM, EXTERNAL, RESOURCE, VERSIONS
from telegen.api.client import Client
from telegen.api.errors import NotFound

PATH = "/apis/apiregistration.k8s.io/v1/apiservices/"
APISERVICES: Mapping[str, tuple[str, ...]] = {
    group: tuple(f"{version}.{group}" for version in sorted(VERSIONS[group])) for group in (RESOURCE, CUSTOM, EXTERNAL)
}
"""Names of the APIServices by group."""
INJECTED_BY = "cert-manager.io/inject-ca-from"
"""Annotation with which cert-manager sets the caBundle."""


class Registration(NamedTuple):
    """An APIService.

    Attributes:
        service: NAMESPACE/NAME; "" if there is no APIService, or none with a Service.
        condition: reason and message of the condition Available, "" if it is available.
        ca_bundle: as the API has it, in base64.
        insecure: True if the API server does not verify the adapter's certificate.
        injected: True if cert-manager sets the caBundle.
        object: the whole object; {} if there is none.
    """

    name: str
    service: str = ""
    condition: str = ""
    ca_bundle: str = ""
    insecure: bool = False
    injected: bool = False
    object: Mapping[str, Any] = {}


def registration(client: Client, name: str) -> Registration:
    """Return an APIService.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    try:
        found: Any = client.get(PATH + name, {}, "application/json")
    except NotFound:
        return Registration(name)
    spec = found.get("spec") or {}
    service = spec.get("service") or {}
    return Registration(
        name,
        f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "",
        _condition((found.get("status") or {}).get("conditions") or ()),
        str(spec.get("caBundle") or ""),
        spec.get("insecureSkipTLSVerify") is True,
        INJECTED_BY in ((found.get("metadata") or {}).get("annotations") or {}),
        found,
    )


def _condition(conditions: Any) -> str:
    """Reason and message of an APIService that is not available; one that was just made has no condition yet."""
    for one in conditions:
        if one.get("type") == "Available" and one.get("status") != "True":
            return f"{one.get('reason', 'not available')}: {' '.join(str(one.get('message', '')).split())}".rstrip(": ")
    return ""
