"""An adapter as a whole that polls agents: usage, and what a crash or a dead agent changes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.bench.adapter import PODS, Site, polled
from tests.bench.simulated_agents import BIG, BIG_PODS, node
from tests.process_tree import wait_for

AGENTS = 3
LIST = f"/apis/metrics.k8s.io/v1beta1/namespaces/{BIG}/pods"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """An adapter with three agents."""
    with polled(AGENTS) as found:
        wait_for("readiness", found.client.is_ready, 30, 0.1)
        yield found


def names(site: Site, path: str) -> list[str]:
    """Return the names of a list."""
    status, _, body = site.client.get(path)
    assert status == 200, body
    return [item["metadata"]["name"] for item in json.loads(body)["items"]]


def test_usage_of_all_agents(site: Site) -> None:
    """Pods and nodes of all agents are there, nodes with the labels of the API."""
    assert len(names(site, LIST)) == AGENTS * BIG_PODS
    assert len(names(site, "/apis/metrics.k8s.io/v1beta1/pods")) == AGENTS * PODS
    assert names(site, "/apis/metrics.k8s.io/v1beta1/nodes") == [node(number) for number in range(AGENTS)]
    assert names(site, "/apis/metrics.k8s.io/v1beta1/nodes?labelSelector=topology.kubernetes.io%2Fzone%3Dzone-1") == [node(1)]


def test_crash_of_the_poll_worker(site: Site) -> None:
    """Usage is served on without a gap while the poll worker is killed and restarted, and is polled on after it."""
    [before] = site.adapter.named("telegen-poll")
    before.kill()

    def is_replaced() -> bool:
        assert len(names(site, LIST)) == AGENTS * BIG_PODS
        return [process.pid for process in site.adapter.named("telegen-poll")] not in ([], [before.pid])

    wait_for("another poll worker", is_replaced, 20, 0.02)
    assert site.client.is_ready()
