"""Owners of the APIServices of the metrics APIs. An APIService is one per cluster, and two adapters cannot share it."""

from __future__ import annotations

from typing import Any, NamedTuple

from telegen.api.client import Client
from telegen.api.errors import NotFound

PATH = "/apis/apiregistration.k8s.io/v1/apiservices/"
APISERVICES = (
    "v1.metrics.k8s.io",
    "v1beta1.metrics.k8s.io",
    "v1beta1.custom.metrics.k8s.io",
    "v1beta2.custom.metrics.k8s.io",
    "v1beta1.external.metrics.k8s.io",
)


class Owner(NamedTuple):
    """The Service behind an APIService.

    Attributes:
        service: NAMESPACE/NAME; "" if there is no APIService, or none with a Service.
        condition: reason why it is not available, "" if it is.
    """

    apiservice: str
    service: str
    condition: str


def owners(client: Client) -> list[Owner]:
    """Return the owner of each APIService.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    return [_owner(client, name) for name in APISERVICES]


def _owner(client: Client, name: str) -> Owner:
    try:
        found: Any = client.get(PATH + name, {}, "application/json")
    except NotFound:
        return Owner(name, "", "")
    service = (found.get("spec") or {}).get("service") or {}
    conditions = (found.get("status") or {}).get("conditions") or ()
    failing = [one for one in conditions if one.get("type") == "Available" and one.get("status") != "True"]
    shown = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else ""
    return Owner(name, shown, str(failing[0].get("reason", "not available")) if failing else "")
