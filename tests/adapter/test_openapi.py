"""OpenAPI v3 documents, as `kubectl explain` and the aggregator read them."""

from __future__ import annotations

from typing import Any

import falcon.testing
import pytest

from telegen.adapter.apis.metrics_apis import MetricsApis
from tests.adapter.agents import Agents, document
from tests.adapter.cluster import http_client

PATHS = {
    "metrics.k8s.io/v1beta1/namespaces/{namespace}/pods": ("PodMetrics", "metrics.k8s.io/v1beta1/namespaces/a/pods/x"),
    "metrics.k8s.io/v1/nodes": ("NodeMetrics", "metrics.k8s.io/v1/nodes/n1"),
    "custom.metrics.k8s.io/v1beta1/{resource}/{name}/{metric}": ("MetricValueList", "custom.metrics.k8s.io/v1beta1/nodes/*/swap"),
    "custom.metrics.k8s.io/v1beta2/{resource}/{name}/{metric}": ("MetricValueList", "custom.metrics.k8s.io/v1beta2/nodes/*/swap"),
    "external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}": (
        "ExternalMetricValueList",
        "external.metrics.k8s.io/v1beta1/namespaces/a/kube_node_info",
    ),
}


@pytest.fixture(scope="module")
def client() -> falcon.testing.TestClient:
    documents = [document("n1", {"a/x": ({"b": "c"}, {"app": [1, 2, 3]})}, [1, 2, 3])]
    source = Agents(documents, {"n1": {"b": "c"}}, {"kube_node_info": [({}, 1.0)]})
    return http_client(MetricsApis(None, source, families=["kube_node_info"]))


def schema(found: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its reference resolved."""
    for reference in one.get("allOf", ()):
        return {**found["components"]["schemas"][reference["$ref"].removeprefix("#/components/schemas/")]}
    return one


def test_list_of_documents(client: falcon.testing.TestClient) -> None:
    """Each version of the served groups has a URL with a hash, by which its document is not sent again. Version 2 is absent."""
    listed = client.simulate_get("/openapi/v3").json["paths"]
    groups = [group for path in client.simulate_get("/apis").json["groups"] for group in path["versions"]]
    assert list(listed) == [f"apis/{one['groupVersion']}" for one in groups] and len(listed) == 5
    for one in listed.values():
        path, _, number = one["serverRelativeURL"].partition("?hash=")
        answer = client.simulate_get(path, query_string=f"hash={number}")
        assert (answer.status_code, answer.headers["etag"], answer.json["openapi"]) == (200, f'"{number}"', "3.0.0")
        assert client.simulate_get(path, headers={"If-None-Match": f'"{number}"'}).status_code == 304
    for path in ("/openapi/v2", "/openapi/v3/apis/metrics.k8s.io/v9", "/openapi/v3/apis/apps/v1", "/openapi/v3/api"):
        assert client.simulate_get(path).status_code == 404


def test_groups_that_are_not_served() -> None:
    """A group that is switched off has no document."""
    client = http_client(MetricsApis(None, Agents([], {}, {}), groups=["metrics.k8s.io"]))
    assert list(client.simulate_get("/openapi/v3").json["paths"]) == ["apis/metrics.k8s.io/v1beta1", "apis/metrics.k8s.io/v1"]
    assert client.simulate_get("/openapi/v3/apis/custom.metrics.k8s.io/v1beta2").status_code == 404
    assert client.simulate_get("/apis/custom.metrics.k8s.io/v1beta2").status_code == 404


@pytest.mark.parametrize(("path", "kind", "example"), [(path, *others) for path, others in PATHS.items()])
def test_documents_describe_the_answers(client: falcon.testing.TestClient, path: str, kind: str, example: str) -> None:
    """The kind of a path has a schema, as `kubectl explain` looks it up, and each field of an answer has one."""
    group, version = path.split("/")[:2]
    found = client.simulate_get(f"/openapi/v3/apis/{group}/{version}").json
    wanted = {"group": group, "version": version, "kind": kind}
    assert found["paths"][f"/apis/{path}"]["get"]["x-kubernetes-group-version-kind"] == wanted
    of_kind = [one for one in found["components"]["schemas"].values() if wanted in one.get("x-kubernetes-group-version-kind", ())]
    assert len(of_kind) == 1
    answer = client.simulate_get(f"/apis/{example}").json
    answer.pop("metadata" if "items" in answer else "", None)
    _check(found, of_kind[0], answer, kind)


def _check(found: dict[str, Any], one: dict[str, Any], value: Any, where: str) -> None:
    """Assert that each field of a value has a schema with a type."""
    if isinstance(value, list):
        for item in value:
            _check(found, schema(found, one["items"]), item, where)
    elif isinstance(value, dict):
        for name, field in value.items():
            known = one.get("properties", {}).get(name) or one.get("additionalProperties")
            assert known, f"{where}.{name}"
            resolved = schema(found, known)
            assert resolved.get("type"), f"{where}.{name}"
            _check(found, resolved, field, f"{where}.{name}")
