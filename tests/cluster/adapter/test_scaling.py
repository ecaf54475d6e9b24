"""Autoscalers of a real kube-controller-manager read all kinds of metrics from the adapters, and decide as they should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.adapter import objects
from tests.cluster.adapter.autoscalers import CASES, Case, average_value, external, of_object, pods, value
from tests.cluster.adapter.cluster import CORES, MEMORY, Cluster
from tests.cluster.adapter.target import AT_REST
from tests.cluster.control_plane import Object
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
LIVE = [
    pods("memory_working_set", "250Mi"),
    pods("cpu_usage", "1"),
    of_object("cpu_usage", "v1", "Namespace", "shop", value("100")),
    external("kube_pod_status_phase", average_value("2"), phase="Running"),
]
SECONDS = 15
"""Time for a changed value to pass agent or Prometheus, adapter and autoscaler, each of which looks once a second."""


@pytest.fixture(scope="module", autouse=True)
def autoscalers(cluster: Cluster) -> Iterator[None]:
    """An autoscaler with metrics of eight kinds, and one whose metrics the adapter has by itself, without Prometheus."""
    specifications = {"web": [case.metric for case in CASES], "api": LIVE}
    made = [cluster.plane.create(objects.autoscaler(name, name, metrics)) for name, metrics in specifications.items()]
    yield
    for obj in made:
        cluster.plane.delete(obj)


def _status(cluster: Cluster, name: str) -> Object:
    return dict(cluster.plane.request("GET", f"{AUTOSCALERS}/{name}").get("status", {}))


def _is_active(cluster: Cluster, name: str) -> bool:
    conditions = {one["type"]: one["status"] for one in _status(cluster, name).get("conditions") or ()}
    return conditions.get("ScalingActive") == "True"


def _wait_replicas(cluster: Cluster, deployment: str, replicas: int, why: str) -> None:
    try:
        wait_for(why, lambda: cluster.replicas(deployment) == replicas, SECONDS, 0.1)
    except TimeoutError as error:
        raise AssertionError(f"{cluster.replicas(deployment)} replicas, not {replicas}: {_status(cluster, deployment)}") from error


def _raise(cluster: Cluster, case: Case, is_raised: bool) -> None:
    """Raise the value of a case, or set it back."""
    kind, _, container = case.source.partition(" ")
    if kind not in ("cpu", "memory"):
        cluster.target.values[case.source] = case.raised if is_raised else AT_REST[case.source]
        return
    for node in cluster.nodes.values():
        for pod, name in [key for key in node.cores if key[0].startswith("web-") and key[1] == container]:
            if kind == "cpu":
                node.cores[pod, name] = case.raised if is_raised else CORES
            else:
                node.set_memory(pod, name, case.raised if is_raised else MEMORY)


def test_eight_kinds_of_metric(cluster: Cluster) -> None:
    """The autoscaler is active with all eight metrics; each shows its value, and alone decides the replicas when it is raised."""
    wait_for("ScalingActive", lambda: _is_active(cluster, "web"), SECONDS, 0.1)
    _wait_replicas(cluster, "web", 2, "all metrics at rest")
    wait_for("all values", lambda: not _wrong(_status(cluster, "web")["currentMetrics"]), SECONDS, 0.1)
    for case in CASES:
        _raise(cluster, case, True)
        _wait_replicas(cluster, "web", case.replicas, str(case.metric))
        _raise(cluster, case, False)
    _wait_replicas(cluster, "web", 2, "all metrics at rest again")


def test_metrics_of_agents(cluster: Cluster) -> None:
    """Metrics that agents read themselves and sums of kube_* families scale as well: 6 running pods, 2 of them for each replica."""
    wait_for("ScalingActive", lambda: _is_active(cluster, "api"), SECONDS, 0.1)
    _wait_replicas(cluster, "api", 3, "the number of running pods")
    for number, node in enumerate(objects.NODES, 1):
        cluster.nodes[node].set_memory(f"api-{number}", "app", 750)
    _wait_replicas(cluster, "api", 7, "800 of 250 MiB in each of two pods")
    for number, node in enumerate(objects.NODES, 1):
        cluster.nodes[node].set_memory(f"api-{number}", "app", MEMORY)
    _wait_replicas(cluster, "api", 3, "the number of running pods again")


def _wrong(metrics: list[Object]) -> list[tuple[Object, Object]]:
    """Return the current values that are not those of the cases at rest, with these."""
    shown = [next(iter(each.values()))["current"] for each in map(_without_type, metrics)]
    return [(case.current, each) for case, each in zip(CASES, shown, strict=True) if not _shows(each, case.current)]


def _without_type(metric: Object) -> Object:
    return {key: value for key, value in metric.items() if key != "type"}


def _shows(current: Object, expected: Object) -> bool:
    """Return True if a current value is the expected one; CPU is within 2 percent points, as files are written in steps."""
    ((key, number),) = expected.items()
    if key == "averageUtilization":
        return abs(current.get(key, 0) - number) <= 2
    return bool(current.get(key) == number)
