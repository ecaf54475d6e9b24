"""Requests as kubectl, the HorizontalPodAutoscaler and the aggregator send them, to the adapter with rules and agents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import falcon.testing
import pytest

from telegen.adapter.apis.discovery_documents import AGGREGATED
from telegen.adapter.rules.reading import parse_rules
from tests.adapter.agents import Agents, document
from tests.adapter.cluster import HERE, adapter, http_client, object_server
from tests.adapter.replay import served_json

CLIENTS = json.loads((HERE / "clients.json").read_text())
RULES = """
rules:
- {seriesQuery: hits, resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}
- {seriesQuery: quota, resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}
- {seriesQuery: rows, resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}
- {seriesQuery: cpu_usage, resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}
externalRules:
- {seriesQuery: queue_depth, resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (topic)'}
- {seriesQuery: kube_node_info, resources: {namespaced: false}, metricsQuery: 'sum(<<.Series>>)'}
"""
LABELS = {"hits": ("pod", "service"), "quota": (), "rows": ("job",), "queue_depth": ("topic",), "cpu_usage": ("pod",)}
NAMES = {"pod": ("web-1", "web-2"), "service": ("web",), "namespace": ("shop",), "job": ("report",), "topic": ("a", "b")}
PODS = {"shop/web-1": ({"app": "web"}, {"app": [0.25, 4096, 0]}), "shop/db-0": ({"app": "db"}, {"db": [1.0, 8192, 0]})}
CUSTOM, EXTERNAL = "/apis/custom.metrics.k8s.io/v1beta2", "/apis/external.metrics.k8s.io/v1beta1"


def prometheus(path: str, form: dict[str, str]) -> tuple[int, Any]:
    """Answer with the series of LABELS, and with the value 5 for each name of the grouping."""
    if path.endswith("series"):
        labels = {label: "x" for label in LABELS.get(form["match[]"], ())}
        return 200, {"status": "success", "data": [{"__name__": form["match[]"], "namespace": "shop", **labels}]}
    label = (re.search(r"by \((\w+)\)$", form["query"]) or ["", ""])[1]
    result = [{"metric": {label: name} if label else {}, "value": [1, "5"]} for name in NAMES.get(label, ("",))]
    return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture(scope="module")
def client() -> Iterator[falcon.testing.TestClient]:
    families = {"kube_node_info": [({}, 1.0)], "kube_job_status_failed": [({"namespace": "shop"}, 3.0)]}
    agents = Agents([document("n1", PODS, [2.0, 1 << 30])], {"n1": {"zone": "west"}}, families)
    with served_json(prometheus) as url, object_server() as cluster:
        apis, _ = adapter(parse_rules(RULES.encode()), [url], cluster, agents, list(families))
        yield http_client(apis)


def values(client: falcon.testing.TestClient, path: str) -> list[str]:
    return [item["value"] for item in client.simulate_get(path).json["items"]]


@pytest.mark.parametrize("request_", CLIENTS, ids=lambda one: f"{one['client']} {one['path'].rsplit('/', 1)[-1]}")
def test_recorded_requests(client: falcon.testing.TestClient, request_: dict[str, str]) -> None:
    """Each request has an answer of its kind that is not empty; a deletion is refused."""
    headers = {"Accept": request_["accept"]} if request_["accept"] else {}
    answer = client.simulate_request(request_["method"], request_["path"], query_string=request_["query"], headers=headers)
    if request_["method"] == "DELETE":
        assert (answer.status_code, answer.json["reason"]) == (405, "MethodNotAllowed")
        return
    assert answer.status_code == 200, answer.text
    document, path = answer.json, request_["path"]
    if "as=Table" in request_["accept"]:
        assert document["kind"] == "Table" and document["rows"]
    elif path.count("/") < 4:
        assert document.get("resources") or document["items"]
    elif path.startswith(("/apis/custom", "/apis/external")):
        assert [item["value"] for item in document["items"]] in (["5"], ["5", "5"])
    else:
        assert document.get("items") or document.get("containers")
    if path.startswith(CUSTOM) and "metricLabelSelector" not in request_["query"] and "items" in document:
        assert {item["metric"]["selector"] for item in document["items"]} == {None}


def test_precedence(client: falcon.testing.TestClient) -> None:
    """A rule takes precedence over the agents for its resource and name; the agents have all others."""
    assert values(client, f"{CUSTOM}/namespaces/shop/pods/web-1/cpu_usage") == ["5"]
    assert values(client, f"{CUSTOM}/nodes/n1/cpu_usage") == ["2"]
    assert values(client, f"{CUSTOM}/namespaces/shop/pods/web-1/memory_working_set") == ["4096"]
    assert values(client, f"{EXTERNAL}/namespaces/shop/kube_node_info") == ["5"]
    assert values(client, f"{EXTERNAL}/namespaces/shop/kube_job_status_failed") == ["3"]
    usage = client.simulate_get("/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web-1").json["containers"]
    assert usage == [{"name": "app", "usage": {"cpu": "250m", "memory": "4Ki", "swap": "0"}}]


@pytest.mark.parametrize(
    "path",
    [f"{CUSTOM}/nodes/n1/cpu_usage", f"{EXTERNAL}/namespaces/shop/kube_node_info", "/apis/metrics.k8s.io/v1beta1/nodes"],
)
def test_clients_that_do_not_take_json(client: falcon.testing.TestClient, path: str) -> None:
    """Each group refuses a client that takes none of the forms it has."""
    answer = client.simulate_get(path, headers={"Accept": "text/plain"})
    assert (answer.status_code, answer.json["reason"]) == (406, "NotAcceptable")


def test_discovery_of_both(client: falcon.testing.TestClient) -> None:
    """Metrics of rules and agents are listed once each, in the same order in the legacy and the aggregated documents."""
    for form in AGGREGATED:
        document = client.simulate_get("/apis", headers={"Accept": form.media_type}).json
        groups = {item["metadata"]["name"]: item["versions"] for item in document["items"]}
        assert list(groups) == ["custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"]
        for group, versions in groups.items():
            for one in versions:
                legacy = [one["name"] for one in client.simulate_get(f"/apis/{group}/{one['version']}").json["resources"]]
                nested = [
                    f"{parent['resource']}/{subresource['subresource']}"
                    for parent in one["resources"]
                    for subresource in parent.get("subresources", ())
                ] or [parent["resource"] for parent in one["resources"]]
                assert nested == legacy == sorted(set(legacy))
        assert {"pods/hits", "services/hits", "pods/cpu_usage", "nodes/cpu_usage", "namespaces/quota"} <= {
            one["name"] for one in client.simulate_get(CUSTOM).json["resources"]
        }


def test_etag_is_stable(client: falcon.testing.TestClient) -> None:
    """The aggregated document has the same ETag while the metrics are the same."""
    accept = {"Accept": AGGREGATED[0].media_type}
    etags = {client.simulate_get("/apis", headers=accept).headers["etag"] for _ in range(3)}
    assert len(etags) == 1
