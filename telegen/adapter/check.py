"""`telegen adapter check`: the owner and the state of each APIService of the metrics APIs, with a cure for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from telegen.adapter.ownership import APISERVICES, Registration, registration
from telegen.api.client import Client
from telegen.api.errors import ApiError, NotFound

CURES: Mapping[str, str] = {
    "ServiceNotFound": "apply k8s/components/adapter, which has the Service",
    "ServicePortError": "the Service needs the port 443 of the APIService; apply k8s/components/adapter",
    "ServiceAccessError": "the API server cannot read the Service; see its log",
    "EndpointsNotFound": "no pod of the Service is ready; see `kubectl get pods` and their logs",
    "MissingEndpoints": "no pod of the Service is ready; see `kubectl get pods` and their logs",
    "EndpointsAccessError": "the API server cannot read the EndpointSlices; see its log",
    "FailedDiscoveryCheck": "the API server has to reach port 10250 of the pods: see firewalls, NetworkPolicies and the caBundle",
}
"""Cures by the reason of the condition Available."""
DISCOVERY_PATH = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"


def check(client: Client, service: str, agents_service: str) -> tuple[list[str], bool]:
    """Return a line for each APIService and Service, and True if all is well. An APIService that does not exist is well.

    Args:
        service: NAMESPACE/NAME of the adapter's Service.
        agents_service: NAME of the agents' Service, in the same namespace; "" without agents.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    found = [registration(client, name) for names in APISERVICES.values() for name in names]
    own = [one for one in found if one.service == service]
    namespace, _, name = service.partition("/")
    authorities, unknown = _authorities(client, namespace, name) if own else ("", "")
    problems = {one.name: list(_problems(one, service, authorities)) for one in found}
    lines = [_line(one, service, problems[one.name]) for one in found]
    if unknown:
        lines.append(unknown)
    services = [_endpoints(client, namespace, each) for each in (name, agents_service) if own and each]
    return [*lines, *(line for line, _ in services)], not any(problems.values()) and all(is_well for _, is_well in services)


def _line(one: Registration, service: str, problems: list[str]) -> str:
    if not one.object:
        return f"{one.name}: free"
    owner = f"served by this adapter, {one.service}" if one.service == service else f"owned by {one.service or 'the API server itself'}"
    return "; ".join([f"{one.name}: {owner}", *problems])


def _problems(one: Registration, service: str, authorities: str) -> Iterator[str]:
    """Problems of an APIService, each with its cure.

    Args:
        authorities: of the adapter's Secret in base64; "" if they are not known.
    """
    reason = one.condition.partition(":")[0]
    if one.object and one.service != service:
        if one.condition:
            yield f"not available: {one.condition}"
        yield "remove its APIService before that of this adapter is applied"
    elif one.condition:
        yield f"not available: {one.condition}; {CURES.get(reason, 'see the log of the API server')}"
    if one.service == service and not one.injected:
        if one.insecure:
            yield "its certificate is not verified (insecureSkipTLSVerify); the adapter corrects that, or its log has the reason"
        elif not one.ca_bundle:
            yield "it has no caBundle; the adapter sets it, or its log has the reason; with certificates of your own set it yourself"
        elif authorities and one.ca_bundle != authorities:
            yield "its caBundle is not that of the adapter's own CA; right only with certificates of your own (adapter.tls)"


def _authorities(client: Client, namespace: str, service: str) -> tuple[str, str]:
    """CAs of the adapter in base64, and a line if they cannot be read, as of users who may not read Secrets."""
    name = f"{service}-ca"
    try:
        found: Any = client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", {}, "application/json")
    except ApiError as error:
        return "", f"Secret {namespace}/{name}: {error}; the caBundles are not compared with it"
    return str((found.get("data") or {}).get("ca.crt") or ""), ""


def _endpoints(client: Client, namespace: str, service: str) -> tuple[str, bool]:
    """A line about the pods of a Service, and True if one is ready."""
    subject = f"Service {namespace}/{service}"
    try:
        found: Any = client.get(f"/api/v1/namespaces/{namespace}/services/{service}", {}, "application/json")
        spec = found.get("spec") or {}
        if spec.get("type") == "ExternalName":
            return f"{subject}: the name {spec.get('externalName')}, whose endpoints the cluster does not have", True
        selector = {"labelSelector": f"kubernetes.io/service-name={service}"}
        slices: Any = client.get(DISCOVERY_PATH.format(namespace), selector, "application/json")
    except NotFound:
        return f"{subject}: does not exist; apply k8s/components/adapter", False
    except ApiError as error:
        return f"{subject}: not checked: {error}", True
    endpoints = [one for each in slices.get("items") or () for one in each.get("endpoints") or ()]
    # An unknown state counts as ready, as the API has it.
    ready = sum(1 for one in endpoints if (one.get("conditions") or {}).get("ready") is not False)
    cure = "" if ready else "; see `kubectl get pods` and their logs"
    return f"{subject}: {ready} of {len(endpoints)} endpoints ready{cure}", ready > 0
