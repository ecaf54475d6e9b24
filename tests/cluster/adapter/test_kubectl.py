"""kubectl against the adapters: top, get, explain, api-resources."""

from __future__ import annotations

import json
import re

import pytest

from tests.cluster.adapter.cluster import MEMORY, SWAP, Cluster
from tests.cluster.kubectl import Kubectl
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def alice(cluster: Cluster) -> Kubectl:
    """kubectl of a user who may read metrics."""
    return Kubectl.found(cluster.plane.kubeconfig(cluster.folder / "alice", "alice-token"))


def _rows(text: str) -> dict[str, list[str]]:
    """Return the cells of a table by the first one."""
    return {cells[0]: cells[1:] for cells in (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())}


def _is_about(millicores: str, expected: float) -> bool:
    return abs(float(millicores.removesuffix("m")) - expected) <= 0.1 * expected + 1


def test_top_pods(cluster: Cluster, alice: Kubectl) -> None:
    """`kubectl top pods` prints CPU, memory and swap of all pods, with selectors and of single containers as well."""
    rows = _rows(alice.run("top", "pods", "--namespace", "shop", "--show-swap"))
    assert rows.pop("NAME") == ["CPU(cores)", "MEMORY(bytes)", "SWAP(bytes)"]
    assert sorted(rows) == ["api-1", "api-2", "web-1", "web-2", "web-3", "web-4"]
    assert {tuple(others) for _, *others in rows.values()} == {(f"{2 * MEMORY}Mi", f"{2 * SWAP}Mi")}

    def is_about() -> bool:
        shown = _rows(alice.run("top", "pods", "--namespace", "shop", "--no-headers"))
        return len(shown) == 6 and all(_is_about(cells[0], 80) for cells in shown.values())

    # Counters whose writer was late are a rate that is off for some seconds.
    wait_for("the CPU of all pods", is_about, 20, 0.5)
    rows = _rows(alice.run("top", "pod", "--namespace", "shop", "--selector", "app in (web,other)", "--no-headers"))
    assert sorted(rows) == ["web-1", "web-2", "web-3", "web-4"]
    rows = _rows(alice.run("top", "pod", "api-2", "--namespace", "shop", "--containers", "--show-swap", "--no-headers"))
    assert rows["api-2"][2:] == [f"{MEMORY}Mi", f"{SWAP}Mi"]


def test_top_nodes(cluster: Cluster, alice: Kubectl) -> None:
    """`kubectl top nodes` prints CPU, memory and swap of the nodes, in absolute numbers and in percent."""
    admin = cluster.kubectl
    rows = _rows(admin.run("top", "nodes", "--show-swap"))
    assert rows.pop("NAME") == ["CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)", "SWAP(bytes)", "SWAP(%)"]
    assert sorted(rows) == ["n1", "n2"] and all("<unknown>" not in cells for cells in rows.values())
    assert list(_rows(admin.run("top", "nodes", "--selector", "zone=west", "--no-headers"))) == ["n1"]


def test_get(alice: Kubectl) -> None:
    """`kubectl get podmetrics|nodemetrics` prints a table with usage and window, and whole objects as YAML or JSON."""
    rows = _rows(alice.run("get", "podmetrics", "--namespace", "shop"))
    assert {"CPU", "MEMORY", "WINDOW"} <= set(rows.pop("NAME"))
    assert sorted(rows) == ["api-1", "api-2", "web-1", "web-2", "web-3", "web-4"]
    item = json.loads(alice.run("get", "podmetrics", "web-2", "--namespace", "shop", "--output", "json"))
    assert item["kind"] == "PodMetrics" and item["metadata"]["labels"] == {"app": "web"}
    assert item["apiVersion"] == "metrics.k8s.io/v1"
    assert [one["name"] for one in item["containers"]] == ["app", "sidecar"]
    assert sorted(_rows(alice.run("get", "nodemetrics", "--no-headers"))) == ["n1", "n2"]


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_versions(version: str, alice: Kubectl) -> None:
    """`kubectl get` takes either version of metrics.k8s.io, whole objects for sorting included."""
    resource = f"pods.{version}.metrics.k8s.io"
    listed = json.loads(alice.run("get", resource, "--namespace", "shop", "--output", "json"))
    assert {(one["kind"], one["apiVersion"]) for one in listed["items"]} == {("PodMetrics", f"metrics.k8s.io/{version}")}
    rows = alice.run("get", resource, "--namespace", "shop", "--sort-by", ".containers[0].name", "--no-headers")
    assert sorted(_rows(rows)) == ["api-1", "api-2", "web-1", "web-2", "web-3", "web-4"]


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_raw(version: str, alice: Kubectl) -> None:
    """`kubectl get --raw` with `*` and both selectors prints the items of a custom metric."""
    query = "labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET"
    text = alice.run("get", "--raw", f"/apis/custom.metrics.k8s.io/{version}/namespaces/shop/pods/*/http_hits?{query}")
    items = {item["describedObject"]["name"]: item["value"] for item in json.loads(text)["items"]}
    assert items == {"web-1": "4", "web-2": "4", "web-3": "4", "web-4": "4"}


def test_numbers_that_are_none(cluster: Cluster, alice: Kubectl) -> None:
    """Samples that are NaN or infinite are left out, counted and named in the log; finite ones beside them are shown."""
    text = alice.run("get", "--raw", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/odd/pods/*/odd_value")
    assert [item["describedObject"]["name"] for item in json.loads(text)["items"]] == ["one"]
    pages = [adapter.page() for adapter in cluster.adapters.values()]
    assert any('telegen_adapter_left_out_samples_total{reason="not a finite number"} 3' in page for page in pages), pages
    assert any("odd_value: sample of {pod=" in adapter.log.read_text() for adapter in cluster.adapters.values())


def test_api_resources(alice: Kubectl) -> None:
    """`kubectl api-resources` lists the resources of all three groups; those of prometheus-adapter are not listed."""
    lines = alice.run("api-resources", "--no-headers").splitlines()
    listed = {(line.split()[0], line.split()[-1]) for line in lines if "metrics.k8s.io/" in line}
    assert {("nodes", "NodeMetrics"), ("pods", "PodMetrics"), ("queue_depth", "ExternalMetricValueList")} <= listed
    assert {("pods", "MetricValueList"), ("services", "MetricValueList"), ("jobs.batch", "MetricValueList")} <= listed


def test_explain(cluster: Cluster, alice: Kubectl) -> None:
    """`kubectl explain` knows the fields of PodMetrics, once the API server has read our OpenAPI documents."""
    document = "openapi/v3/apis/metrics.k8s.io/v1beta1"
    wait_for(document, lambda: document in json.dumps(cluster.plane.request("GET", "/openapi/v3")), 60, 0.5)
    text = alice.run("explain", "podmetrics")
    assert "PodMetrics" in text and "timestamp" in text and "window" in text
    assert "usage" in alice.run("explain", "podmetrics.containers")


def test_rights(cluster: Cluster) -> None:
    """A user without rights gets the API server's refusal, one with the right to one metric of a namespace gets that metric."""
    bob = Kubectl.found(cluster.plane.kubeconfig(cluster.folder / "bob", "bob-token"))
    with pytest.raises(AssertionError, match='User "bob" cannot list resource "pods" in API group "metrics.k8s.io"'):
        bob.run("top", "pods", "--namespace", "shop")
    carol = Kubectl.found(cluster.plane.kubeconfig(cluster.folder / "carol", "carol-token"))
    path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/web-1/"
    assert json.loads(carol.run("get", "--raw", f"{path}http_inflight"))["items"][0]["value"] == "21"
    with pytest.raises(AssertionError, match="carol"):
        carol.run("get", "--raw", f"{path}http_hits")
