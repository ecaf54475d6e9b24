"""Adapters and agents that end, die or stand still: autoscalers and the deletion of namespaces go on, and no value is made up."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import datetime

import psutil
import pytest

from tests.cluster.adapter import objects
from tests.cluster.adapter.autoscalers import CASES
from tests.cluster.adapter.cluster import ADAPTER_ADDRESSES, MAX_STALENESS, Cluster
from tests.cluster.adapter.load import load
from tests.cluster.control_plane import Object, Refused
from tests.harness import Agent
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
SYNCS = 3
"""Seconds, and so periods of the autoscalers, that are watched after an event."""
PODS = "metrics.k8s.io/v1beta1/namespaces/shop/pods"
RULED = ("custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/http_hits", "external.metrics.k8s.io/v1beta1/namespaces/shop/queue_depth")


@pytest.fixture(scope="module", autouse=True)
def autoscaler(cluster: Cluster) -> Iterator[None]:
    """An autoscaler with metrics of eight kinds, which has computed them."""
    made = cluster.plane.create(objects.autoscaler("web", "web", [case.metric for case in CASES]))
    wait_for("metrics of autoscalers", lambda: cluster.controllers.computed()[0] >= len(CASES), 20, 0.1)
    yield
    cluster.plane.delete(made)


def _kill(adapter: Agent) -> None:
    for process in adapter.tree.processes():
        process.kill()
    adapter.process.wait(120)


def test_sigterm_under_load(cluster: Cluster) -> None:
    """An adapter whose pod is deleted, and which gets SIGTERM at the same time, ends without a single request that fails."""
    with load(cluster) as made:
        began = time.monotonic()
        cluster.plane.request("DELETE", "/api/v1/namespaces/telegen/pods/adapter-1?gracePeriodSeconds=30")
        adapter = cluster.adapters["adapter-1"]
        adapter.process.send_signal(signal.SIGTERM)
        adapter.process.wait(60)
        time.sleep(SYNCS)
    cluster.end_adapter("adapter-1")
    cluster.start_adapters("adapter-1")
    assert not made.failed_after(began) and made.answered


def test_kill_and_namespaces(cluster: Cluster) -> None:
    """While a killed adapter is still behind the Service, a namespace is deleted; soon after its endpoint has gone, nothing fails."""
    cluster.plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "doomed"}})
    cluster.plane.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "doomed"}, "data": {}})
    with load(cluster) as made:
        _kill(cluster.adapters["adapter-2"])
        cluster.plane.request("DELETE", "/api/v1/namespaces/doomed")
        wait_for("the namespace's end", lambda: not _exists(cluster, "/api/v1/namespaces/doomed"), 20, 0.1)
        cluster.set_ready("adapter-2", False)
        address = ADAPTER_ADDRESSES["adapter-2"]
        wait_for("the endpoint's end", lambda: address not in cluster.endpoints(), 10, 0.01)
        gone = time.monotonic()

        def is_over() -> bool:
            now = time.monotonic()
            return now > gone + SYNCS and not made.failed_after(now - SYNCS)

        wait_for("the end of the failures", is_over, 10, 0.1)
    cluster.end_adapter("adapter-2")
    cluster.start_adapters("adapter-2")
    assert not cluster.unavailable()


def _exists(cluster: Cluster, path: str) -> bool:
    try:
        cluster.plane.request("GET", path)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("name", ["telegen-sample", ""], ids=["sampler", "agent"])
def test_frozen(name: str, cluster: Cluster) -> None:
    """Pods of a node whose sampler, or whole agent, stands still are shown until max_staleness, then not; none is ever zero."""
    node = objects.NODES[0]
    frozen = cluster.agents[node].named(name) if name else cluster.agents[node].tree.processes()
    assert frozen
    for process in frozen:
        process.suspend()
    ages = []

    def are_gone() -> bool:
        asked, shown = time.time(), _pods(cluster)
        ages.extend(asked - _time(item) for item in shown.values())
        assert not [item for item in shown.values() if not _cpu(item)]
        return shown.keys() == {"web-2", "web-4", "api-2"}

    try:
        wait_for("the end of the node's pods", are_gone, 2 * MAX_STALENESS, 0.1)
        # Times are whole seconds.
        assert MAX_STALENESS / 2 < max(ages) < MAX_STALENESS + 1
    finally:
        for process in frozen:
            process.resume()
    wait_for("all pods", lambda: len(_pods(cluster)) == 6, 30, 0.1)


def test_prometheus_stands_still(cluster: Cluster) -> None:
    """Metrics by rules are refused with the name of the server that does not answer; usage is answered all the same."""
    (server,) = [process for process in psutil.Process().children() if process.name() == "prometheus"]
    server.suspend()
    try:
        for path in RULED:
            with pytest.raises(Refused, match=f": 503 .*{cluster.prometheus.url}"):
                cluster.raw(path)
        assert len(_pods(cluster)) == 6
    finally:
        server.resume()
    for path in RULED:
        wait_for(path, lambda: _answers(cluster, path), 20, 0.1)


def _answers(cluster: Cluster, path: str) -> bool:
    try:
        return bool(cluster.raw(path)["items"])
    except Refused:
        return False


def _pods(cluster: Cluster) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in cluster.raw(PODS)["items"]}


def _time(item: Object) -> float:
    return datetime.fromisoformat(item["timestamp"].replace("Z", "+00:00")).timestamp()


def _cpu(item: Object) -> float:
    return min(float(one["usage"]["cpu"].rstrip("n")) for one in item["containers"])


def oldest_time(cluster: Cluster) -> float:
    """Return the Unix time of the pod whose usage is the oldest."""
    return min(map(_time, _pods(cluster).values()))
