"""`telegen adapter check`: owner and state of each APIService, and a cure for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from telegen.adapter.check import CURES, check
from telegen.api.client import Client
from telegen.api.credentials import credentials
from tests.adapter.certificates.api_server import APISERVICES, SECRETS, ApiServer, apiservice

METRICS = "v1beta1.metrics.k8s.io"
FREE = [
    "v1.metrics.k8s.io: free",
    f"{METRICS}: free",
    "v1beta1.custom.metrics.k8s.io: free",
    "v1beta2.custom.metrics.k8s.io: free",
    "v1beta1.external.metrics.k8s.io: free",
]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """API server with the Secret and both Services of a healthy adapter."""
    server = ApiServer()
    server.put(f"{SECRETS}telegen-adapter-ca", {"metadata": {"name": "telegen-adapter-ca"}, "data": {"ca.crt": "AAAA"}})
    for service, ready in (("telegen-adapter", [True, None]), ("telegen-agents", [True, False, False])):
        server.put(f"/api/v1/namespaces/telegen/services/{service}", {"metadata": {"name": service}})
        _endpoints(server, service, ready)
    yield server
    server.stop()


def _endpoints(server: ApiServer, service: str, ready: list[bool | None]) -> None:
    endpoints = [{"conditions": {"ready": one} if one is not None else {}} for one in ready]
    path = "/apis/discovery.k8s.io/v1/namespaces/telegen/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D"
    server.put(path + service, {"metadata": {}, "items": [{"endpoints": endpoints}, {"endpoints": None}]})


def run(server: ApiServer) -> tuple[list[str], bool]:
    """Check the cluster."""
    return check(Client(credentials(server.url, {})), "telegen/telegen-adapter", "telegen-agents")


def put(server: ApiServer, condition: dict[str, str] | None = None, service: str = "telegen/telegen-adapter", **spec: Any) -> None:
    """Register the version v1beta1 of metrics.k8s.io."""
    status = {"conditions": [{"type": "Available", **condition}]} if condition else {}
    server.put(APISERVICES + METRICS, {**apiservice(METRICS, service, **spec), "status": status})


def test_nothing_registered_is_well_and_asks_for_apiservices_only(api: ApiServer) -> None:
    paths = list[str]()
    api.before = lambda method, path: paths.append(path)
    assert run(api) == (FREE, True)
    assert len(paths) == 5


def test_a_healthy_adapter_is_well(api: ApiServer) -> None:
    put(api, {"status": "True"}, caBundle="AAAA")
    lines, is_well = run(api)
    assert lines[1] == f"{METRICS}: served by this adapter, telegen/telegen-adapter"
    assert lines[5:] == [f"Service telegen/{one} endpoints ready" for one in ("telegen-adapter: 2 of 2", "telegen-agents: 1 of 3")]
    assert is_well


@pytest.mark.parametrize(
    "service, condition, shown",
    [
        ("kube-system/metrics-server", {"status": "True"}, "owned by kube-system/metrics-server"),
        (
            "kube-system/metrics-server",
            {"status": "False", "reason": "MissingEndpoints", "message": "endpoints have\n no addresses"},
            "owned by kube-system/metrics-server; not available: MissingEndpoints: endpoints have no addresses",
        ),
        ("", {"status": "True"}, "owned by the API server itself"),
        ("other/telegen-adapter", {"status": "True"}, "owned by other/telegen-adapter"),
    ],
)
def test_the_owner_of_a_foreign_apiservice_is_named(api: ApiServer, service: str, condition: dict[str, str], shown: str) -> None:
    put(api, condition, service)
    lines, is_well = run(api)
    assert lines == [FREE[0], f"{METRICS}: {shown}; remove its APIService before that of this adapter is applied", *FREE[2:]]
    assert not is_well


@pytest.mark.parametrize("reason", [*CURES, "Unforeseen"])
def test_an_unavailable_apiservice_has_reason_message_and_cure(api: ApiServer, reason: str) -> None:
    put(api, {"status": "Unknown", "reason": reason, "message": "m"}, caBundle="AAAA")
    lines, is_well = run(api)
    cure = CURES.get(reason, "see the log of the API server")
    assert lines[1] == f"{METRICS}: served by this adapter, telegen/telegen-adapter; not available: {reason}: m; {cure}"
    assert not is_well


@pytest.mark.parametrize(
    "spec, annotations, problem",
    [
        ({}, {}, "it has no caBundle"),
        ({"caBundle": "BBBB"}, {}, "its caBundle is not that of the adapter's own CA"),
        ({"insecureSkipTLSVerify": True}, {}, "its certificate is not verified (insecureSkipTLSVerify)"),
        ({"caBundle": "BBBB"}, {"cert-manager.io/inject-ca-from": "telegen/x"}, ""),
    ],
)
def test_a_wrong_ca_bundle_is_listed_unless_cert_manager_sets_it(
    api: ApiServer, spec: dict[str, Any], annotations: dict[str, str], problem: str
) -> None:
    put(api, **spec)
    api.objects[APISERVICES + METRICS]["metadata"]["annotations"] = annotations
    lines, is_well = run(api)
    assert (problem in lines[1], is_well) == (True, not problem)


def test_services_without_ready_pods_and_absent_ones_are_listed(api: ApiServer) -> None:
    put(api, caBundle="AAAA")
    _endpoints(api, "telegen-adapter", [])
    del api.objects["/api/v1/namespaces/telegen/services/telegen-agents"]
    lines, is_well = run(api)
    assert lines[5:] == [
        "Service telegen/telegen-adapter: 0 of 0 endpoints ready; see `kubectl get pods` and their logs",
        "Service telegen/telegen-agents: does not exist; apply k8s/components/adapter",
    ]
    assert not is_well


def test_a_user_without_rights_in_the_namespace_sees_what_is_not_checked(api: ApiServer) -> None:
    put(api, caBundle="BBBB")
    api.refused = ("/api/v1/", "/apis/discovery")
    lines, is_well = run(api)
    assert lines[5:] == [
        "Secret telegen/telegen-adapter-ca: 403 Forbidden: no right; the caBundles are not compared with it",
        "Service telegen/telegen-adapter: not checked: 403 Forbidden: no right",
        "Service telegen/telegen-agents: not checked: 403 Forbidden: no right",
    ]
    assert is_well


def test_service_that_is_a_name(api: ApiServer) -> None:
    """The cluster has no endpoints of an ExternalName, and none are missed."""
    spec = {"type": "ExternalName", "externalName": "adapter.example.com"}
    api.put("/api/v1/namespaces/telegen/services/telegen-adapter", {"metadata": {"name": "telegen-adapter"}, "spec": spec})
    _endpoints(api, "telegen-adapter", [])
    put(api, {"status": "True"}, caBundle="AAAA")
    lines, is_well = run(api)
    line = "Service telegen/telegen-adapter: the name adapter.example.com, whose endpoints the cluster does not have"
    assert line in lines and is_well
