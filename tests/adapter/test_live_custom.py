"""custom.metrics.k8s.io over documents of agents, at the HTTP application."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import falcon.testing
import pytest

from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.live.metrics import LIVE_METRICS
from telegen.cadvisor.usage import columns
from tests.adapter.agents import Agents, document
from tests.adapter.cluster import http_client

ROOT = "/apis/custom.metrics.k8s.io/v1beta2"
SHOP = f"{ROOT}/namespaces/shop"
WEB, API = {"app": "web"}, {"app": "api"}
PODS: dict[str, Any] = {
    # CPU, working set, swap, throttled ratio, restarts; CPU pressure, bytes received.
    "shop/web-1": (WEB, {"app": [0.25, 1000, 0, 0.5, 1], "side": [0.5, 24, None, 0.1, 2]}, [0.125, 100.5]),
    "shop/web-2": (WEB, {"app": [1.0, 4096, 8, 0.0, 0]}, [0.75, 50]),
    "shop/api-1": (API, {"app": [2.0, 1, 0, None, 0], "side": [0.0, 1, 0, 0.2, 0]}, [None, 7]),
    "shop/new-1": (WEB, None),
    "data/db-0": ({}, {"db": [3.0, 5, 0, 0.9, 0]}, [0.5, 1]),
}


@pytest.fixture(scope="module")
def client() -> falcon.testing.TestClient:
    documents = [
        document("n1", PODS, [4.0, 1 << 30, 0, 0.25], window=10.4),
        document("n2", {"data/db-1": ({}, {"db": [1.0, 5, 0, 0.3, 0]}, [0.25, 2])}, [1.5, 1, None, 0.5], age=20, window=15.2),
    ]
    source = Agents(documents, {"n1": {"zone": "east"}, "n2": {"zone": "west"}}, {})
    return http_client(MetricsApis(None, source))


def get(client: falcon.testing.TestClient, path: str, **params: str) -> Any:
    return client.simulate_get(path, query_string="&".join(f"{name}={quote(value)}" for name, value in params.items()))


def values(client: falcon.testing.TestClient, path: str, **params: str) -> dict[str, str]:
    answer = get(client, path, **params)
    assert answer.status_code == 200, answer.json
    return {item["describedObject"]["name"]: item["value"] for item in answer.json["items"]}


@pytest.mark.parametrize(
    ("metric", "pods", "namespace"),
    [
        ("cpu_usage", {"web-1": "750m", "web-2": "1", "api-1": "2"}, "3750m"),
        ("memory_working_set", {"web-1": "1024", "web-2": "4096", "api-1": "2"}, "5122"),
        ("swap", {"web-2": "8", "api-1": "0"}, "8"),
        ("cpu_throttled_ratio", {"web-1": "500m", "web-2": "0"}, "500m"),
        ("cpu_pressure", {"web-1": "125m", "web-2": "750m"}, "750m"),
        ("network_receive_bytes_per_second", {"web-1": "100500m", "web-2": "50", "api-1": "7"}, "157500m"),
        ("restarts", {"web-1": "3", "web-2": "0", "api-1": "0"}, "3"),
    ],
)
def test_combination(client: falcon.testing.TestClient, metric: str, pods: dict[str, str], namespace: str) -> None:
    """Containers are summed into pods and pods into namespaces; of ratios the highest counts. An unknown part leaves the pod out."""
    assert values(client, f"{SHOP}/pods/*/{metric}") == pods
    assert values(client, f"{SHOP}/metrics/{metric}") == {"shop": namespace}


def test_selection(client: falcon.testing.TestClient) -> None:
    """Labels select pods and nodes, a name selects one, and a resource may be singular or a kind."""
    assert values(client, f"{SHOP}/pods/*/cpu_usage", labelSelector="app in (web)") == {"web-1": "750m", "web-2": "1"}
    assert values(client, f"{SHOP}/Pod/web-2/cpu_usage") == values(client, f"{SHOP}/pod/web-2/cpu_usage") == {"web-2": "1"}
    assert values(client, f"{ROOT}/nodes/*/cpu_pressure", labelSelector="zone!=east") == {"n2": "500m"}
    assert values(client, f"{ROOT}/nodes/n1/memory_working_set") == {"n1": "1073741824"}
    assert values(client, f"{ROOT}/namespaces/*/metrics/cpu_usage") == {"shop": "3750m", "data": "4"}


def test_selector_of_series(client: falcon.testing.TestClient) -> None:
    """A metric of containers has the label container, by which a part of a pod is selected; the answer has the selector."""
    answer = get(client, f"{SHOP}/pods/*/cpu_usage", metricLabelSelector="container=side").json
    assert {item["describedObject"]["name"]: item["value"] for item in answer["items"]} == {"web-1": "500m", "api-1": "0"}
    assert answer["items"][0]["metric"] == {"name": "cpu_usage", "selector": {"matchLabels": {"container": "side"}}}
    assert values(client, f"{SHOP}/metrics/cpu_usage", metricLabelSelector="container notin (side)") == {"shop": "3250m"}


@pytest.mark.parametrize(
    ("path", "params", "code", "message"),
    [
        (
            f"{SHOP}/pods/*/cpu_usage", {"metricLabelSelector": "verb=GET"}, 400,
            "metricLabelSelector: pods/cpu_usage has the label container only; remove verb from the selector of the metric",
        ),
        (
            f"{SHOP}/pods/*/cpu_pressure", {"metricLabelSelector": "container=app"}, 400,
            "metricLabelSelector: pods/cpu_pressure has no labels; remove container from the selector of the metric",
        ),
        (
            f"{ROOT}/nodes/*/cpu_usage", {"metricLabelSelector": "container"}, 400,
            "metricLabelSelector: nodes/cpu_usage has no labels; remove container from the selector of the metric",
        ),
        (
            f"{ROOT}/namespaces/*/metrics/swap", {"labelSelector": "team=a"}, 400,
            "labels of namespaces are not known here: ask for one namespace, or for all without labelSelector",
        ),
        (f"{SHOP}/pods/*/swap", {"labelSelector": "app=none"}, 404, "the server could not find the metric swap for pods"),
        (f"{SHOP}/pods/none/swap", {}, 404, "the server could not find the metric swap for pods none"),
        (f"{ROOT}/namespaces/none/metrics/swap", {}, 404, "the server could not find the metric swap for namespaces none"),
        (f"{SHOP}/pods/web-1/swap", {}, 404, "the server could not find the metric swap for pods web-1"),
        (f"{SHOP}/pods/*/load", {}, 404, "the server could not find the metric load for pods"),
        (f"{SHOP}/services/*/swap", {}, 404, "the server could not find the metric swap for services"),
        (f"{SHOP}/pods.apps/*/swap", {}, 404, "the server could not find the metric swap for pods.apps"),
        (f"{ROOT}/pods/web-1/swap", {}, 404, "the server could not find the metric swap for pods"),
        (f"{ROOT}/nodes/n1/restarts", {}, 404, "the server could not find the metric restarts for nodes"),
        (f"{ROOT}/namespaces/shop/swap", {}, 400, "invalid request path"),
    ],
)  # fmt: skip
def test_refused(client: falcon.testing.TestClient, path: str, params: dict[str, str], code: int, message: str) -> None:
    """A request that cannot be answered has a Status with reason and cure."""
    answer = get(client, path, **params)
    assert (answer.status_code, answer.json["message"]) == (code, message)


def test_unknown_values_of_selected_objects(client: falcon.testing.TestClient) -> None:
    """Selected pods without the value give an empty list."""
    assert values(client, f"{SHOP}/pods/*/cpu_pressure", labelSelector="app=api") == {}


def test_time_and_window(client: falcon.testing.TestClient) -> None:
    """Time and window are those of the pod; of a namespace the oldest time and the longest window. The versions differ in form."""
    new, old = (
        get(client, f"/apis/custom.metrics.k8s.io/{version}/namespaces/data/metrics/cpu_usage").json["items"][0]
        for version in ("v1beta2", "v1beta1")
    )
    described = {"kind": "Namespace", "name": "data", "apiVersion": "v1"}
    common = {"describedObject": described, "timestamp": "2024-11-28T13:19:40Z", "value": "4"}
    assert new == {**common, "windowSeconds": 15, "metric": {"name": "cpu_usage", "selector": None}}
    assert old == {**common, "window": 15, "metricName": "cpu_usage", "selector": None}
    pod = get(client, f"{ROOT}/namespaces/data/pods/db-0/cpu_usage").json["items"][0]
    assert (pod["windowSeconds"], pod["timestamp"], pod["describedObject"]["namespace"]) == (10, "2024-11-28T13:19:55Z", "data")


def test_values_without_end() -> None:
    """A value that no answer can hold is left out, and harms no other."""
    pods: dict[str, Any] = {"shop/a": ({}, {"app": [1e306, 1]}, []), "shop/b": ({}, {"x": [1e308, 1], "y": [1e308, 1]}, [])}
    pods["shop/c"] = ({}, {"app": [0.5, 1]}, [])
    assert values(http_client(MetricsApis(None, Agents([document("n1", pods)], {}, {}))), f"{SHOP}/pods/*/cpu_usage") == {"c": "500m"}


def test_listed(client: falcon.testing.TestClient) -> None:
    """Discovery lists each metric of the table for each of its resources, sorted, in both forms."""
    listed = [(one["name"], one["namespaced"]) for one in get(client, ROOT).json["resources"]]
    expected = [(f"{resource}/{one.name}", resource.resource == "pods") for one in LIVE_METRICS for resource in one.resources]
    assert listed == sorted(expected) and len(listed) > 30


def test_columns_of_the_agents() -> None:
    """Each metric reads a column that agents send, and each column is a metric of the resources that have it."""
    containers = {*(one.name for one in columns.CONTAINER), columns.RESTARTS}
    pods, nodes = {one.name for one in columns.POD}, {one.name for one in columns.NODE}
    assert {one.column for one in LIVE_METRICS if one.of_containers} == containers
    assert {one.column for one in LIVE_METRICS if not one.of_containers} == pods
    assert {one.column for one in LIVE_METRICS if one.of_nodes} == nodes


def test_documented() -> None:
    """The table of docs/adapter.md has a row for each metric of the table in code."""
    rows = [
        f"| `{one.name}` | {', '.join(map(str, one.resources))} | {'sum' if one.combine is sum else 'highest'} | {one.text} |"
        for one in LIVE_METRICS
    ]
    document = (Path(__file__).parents[2] / "docs/adapter.md").read_text()
    table = document.split("| metric | of | combined | value |\n|---|---|---|---|\n")[1].split("\n\n")[0]
    assert table == "\n".join(rows)
