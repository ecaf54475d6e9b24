"""Counting of the values in answers, at the HTTP application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from telegen.adapter.apis.metrics_apis import MetricsApis
from tests.adapter.agents import Agents, document
from tests.adapter.cluster import http_client

PODS: dict[str, Any] = {
    "shop/web-1": ({}, {"app": [0.25, 1000, 0, 0.5, 1]}, [0.1, 1]),
    "shop/web-2": ({}, {"app": [1, 1, 0, 0, 0]}, [0.1, 1]),
}


class Recorder:
    """Keeps group, source and number of values of each answer."""

    def __init__(self) -> None:
        self.calls = list[tuple[str, str, int]]()

    def served(self, group: str, source: str, times: Sequence[float]) -> None:
        self.calls.append((group, source, len(times)))


@pytest.mark.parametrize(
    ("path", "accept", "number"),
    [
        ("metrics.k8s.io/v1/pods", "application/json", 2),
        ("metrics.k8s.io/v1/pods", "application/json;as=Table;v=v1;g=meta.k8s.io", 2),
        ("metrics.k8s.io/v1/namespaces/shop/pods/web-1", "application/json", 1),
        ("custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/cpu_usage", "application/json", 2),
        ("external.metrics.k8s.io/v1beta1/namespaces/shop/kube_node_info", "application/json", 1),
    ],
)
def test_the_values_of_an_answer_are_counted_by_group_and_source(path: str, accept: str, number: int) -> None:
    recorder = Recorder()
    source = Agents([document("n1", PODS, [4.0, 1 << 30, 0, 0.25])], {}, {"kube_node_info": [({"node": "n1"}, 1.0)]})
    client = http_client(MetricsApis(None, source, families=["kube_node_info"], observer=recorder))
    assert client.simulate_get(f"/apis/{path}", headers={"Accept": accept}).status_code == 200
    assert recorder.calls == [(path.partition("/")[0], "live", number)]
