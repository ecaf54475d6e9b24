"""external.metrics.k8s.io over kube_* families of agents, at the HTTP application."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import falcon.testing
import pytest

from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.config.adapter_model import EXTERNAL_FAMILIES
from telegen.kubestate.registry import RESOURCES
from tests.adapter.agents import Agents
from tests.adapter.cluster import http_client

ROOT = "/apis/external.metrics.k8s.io/v1beta1"
FAMILIES = {
    "kube_job_status_failed": [
        ({"namespace": "shop", "job_name": "a", "reason": "Evicted"}, 1.0),
        ({"namespace": "shop", "job_name": "b", "reason": "BackoffLimitExceeded"}, 2.5),
        ({"namespace": "data", "job_name": "c", "reason": "Evicted"}, 4.0),
    ],
    "kube_node_info": [({"node": "n1"}, 1.0), ({"node": "n2"}, 1.0)],
    "kube_odd": [({"namespace": "shop"}, float("nan"))],
}


@pytest.fixture
def agents() -> Agents:
    return Agents([], {}, FAMILIES)


@pytest.fixture
def client(agents: Agents) -> falcon.testing.TestClient:
    apis = MetricsApis(None, agents, families=[*FAMILIES, "kube_absent"])
    return http_client(apis)


def get(client: falcon.testing.TestClient, metric: str, selector: str = "", namespace: str = "shop") -> Any:
    return client.simulate_get(f"{ROOT}/namespaces/{namespace}/{metric}", query_string=f"labelSelector={quote(selector)}")


@pytest.mark.parametrize(
    ("metric", "selector", "expected"),
    [
        ("kube_job_status_failed", "", ["3500m"]),
        ("kube_job_status_failed_count", "", ["2"]),
        ("kube_job_status_failed", "reason=Evicted", ["1"]),
        ("kube_job_status_failed_count", "reason in (Evicted),job_name!=a", ["0"]),
        ("kube_job_status_failed", "reason=Other", []),
        ("kube_job_status_failed", "!reason", []),
        ("kube_node_info", "", ["2"]),
        ("kube_node_info_count", "node notin (n1)", ["1"]),
        ("kube_odd", "", []),
        ("kube_odd_count", "", ["1"]),
        ("kube_absent", "", []),
        ("kube_absent_count", "", []),
    ],
)
def test_sums_and_counts(client: falcon.testing.TestClient, metric: str, selector: str, expected: list[str]) -> None:
    """A family is the sum of its samples in the namespace, with _count their number. Samples without a namespace belong to each."""
    answer = get(client, metric, selector)
    assert (answer.status_code, [item["value"] for item in answer.json["items"]]) == (200, expected)


def test_form(client: falcon.testing.TestClient) -> None:
    """A sum is one item without labels; its time is that of the oldest part."""
    assert get(client, "kube_node_info").json == {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [{"metricName": "kube_node_info", "metricLabels": {}, "timestamp": "2024-11-28T13:19:57Z", "value": "2"}],
    }


@pytest.mark.parametrize(
    ("metric", "selector", "code", "message"),
    [
        ("kube_pod_info", "", 404, "the server could not find the metric kube_pod_info for "),
        ("kube_node_info", "a=(", 400, "unable to parse requirement: a: '(' is not a label value"),
        ("kube_node_info", "a>1", 400, "a: the operators < and > do not apply to metrics"),
    ],
)
def test_refused(client: falcon.testing.TestClient, metric: str, selector: str, code: int, message: str) -> None:
    """A family that is not served, and a selector that cannot be applied, have a Status."""
    answer = get(client, metric, selector)
    assert answer.status_code == code and answer.json["message"].startswith(message)


def test_missing_shard(client: falcon.testing.TestClient, agents: Agents) -> None:
    """While a shard is missing the sum would be too small: 503 with the reason."""
    agents.missing = "no agent serves shard 2"
    answer = get(client, "kube_node_info")
    assert (answer.status_code, answer.json["message"]) == (503, "kube_node_info: no agent serves shard 2")


@pytest.mark.parametrize(("watch", "code"), [("true", 405), ("1", 405), ("", 405), ("yes", 405), ("0", 200), ("False", 200)])
def test_watch_is_refused(client: falcon.testing.TestClient, watch: str, code: int) -> None:
    """A watch, for which the API server asks another right, is never answered with a list."""
    answer = client.simulate_get(f"{ROOT}/namespaces/shop/kube_node_info", query_string=f"watch={watch}")
    assert answer.status_code == code


def test_listed(client: falcon.testing.TestClient) -> None:
    """Each configured family is listed as a sum and as a count."""
    listed = [one["name"] for one in client.simulate_get(ROOT).json["resources"]]
    assert listed == sorted(name + ending for name in [*FAMILIES, "kube_absent"] for ending in ("", "_count"))


def test_default_families() -> None:
    """Each family of the default list exists, and none of its counts has the name of a family."""
    known = {family.name for resource in RESOURCES.values() for family in resource.families}
    assert set(EXTERNAL_FAMILIES) <= known and not {f"{name}_count" for name in EXTERNAL_FAMILIES} & known
