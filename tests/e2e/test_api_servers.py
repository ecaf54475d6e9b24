"""API servers of other versions, and servers that are starting: the agent shows the whole cluster under each of their answers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

import pytest

from telegen.demo.server import SimulatedServer
from tests.e2e.test_faults import mark, restarts
from tests.harness import FAST, start_agent
from tests.process_tree import wait_for

ANSWERS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "422 to sendInitialEvents": {"streaming": {"on": "false"}},
    "406 to a streamed Table": {"tables": {"on": "false"}},
    "no bookmarks": {"bookmarks": {"on": "false"}},
    "no streamed lists, no bookmarks": {"streaming": {"on": "false"}, "bookmarks": {"on": "false"}},
    "gzip members": {"gzip_members": {"on": "true"}},
    "404 for a group": {"remove": {"group": "apps"}},
}
"""Levers of each kind of server."""
SLOW = FAST.replace("backoff_initial: 50ms, backoff_max: 500ms, ", "")
"""With the delays that users have."""
FAMILIES = {"deployments": "kube_deployment_created", "nodes": "kube_node_info", "pods": "kube_pod_info", "secrets": "kube_secret_type"}
"""A family with one series per object. Secrets come as Tables; deployments are of the group that some servers lack."""


def counts(page: str) -> dict[str, int]:
    """Series of each of the families on a page."""
    return {resource: page.count(f"\n{family}{{") for resource, family in FAMILIES.items()}


@pytest.fixture
def wanted(server: SimulatedServer) -> dict[str, int]:
    """Objects that the server has, secrets among them."""
    for number in range(40):
        metadata = {"name": f"s{number}", "namespace": "shop-0", "uid": f"secret-{number}"}
        server.state.put("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"})
    return {resource: len(server.state.collections[resource].objects) for resource in FAMILIES}


@pytest.mark.parametrize("levers", ANSWERS.values(), ids=ANSWERS)
def test_page_is_whole(levers: Mapping[str, Mapping[str, str]], server: SimulatedServer, wanted: dict[str, int]) -> None:
    """Every object that the server has is on the page, changes arrive, and a missing capability is no error."""
    for name, arguments in levers.items():
        server.levers.pull(name, dict(arguments))
        wanted = {**wanted, "deployments": 0} if name == "remove" else wanted
    with start_agent(FAST, url=server.url) as agent:
        agent.wait_ready()
        assert counts(agent.page()) == wanted
        for number in range(4000, 4003):
            mark(server, number)
            agent.wait_page("a change", lambda page: restarts(page, number), 5)
        assert counts(agent.page()) == wanted
        telemetry = agent.page("/telemetry")
        assert "telegen_api_errors_total{" not in telemetry
        has_time = 'telegen_store_last_event_timestamp_seconds{store="deployments"}' in telemetry
        assert has_time == (wanted["deployments"] > 0)


def test_server_without_bookmarks_is_silent(server: SimulatedServer, wanted: dict[str, int]) -> None:
    """Watches that deliver nothing for the read timeout are replaced, the page stays whole, and none of it is an error."""
    server.levers.pull("bookmarks", {"on": "false"})
    with start_agent(FAST.replace("read_timeout: 10s", "read_timeout: 3s"), url=server.url) as agent:
        agent.wait_ready()
        again = re.compile(r'^telegen_api_watches_total{store="pods"} [2-9]', re.MULTILINE)
        wait_for("another watch", lambda: bool(again.search(agent.page("/telemetry"))), 20)
        mark(server, 4100)
        agent.wait_page("a change", lambda page: restarts(page, 4100), 5)
        assert counts(agent.page()) == wanted
        assert "telegen_api_errors_total{" not in agent.page("/telemetry")


def test_server_that_restarts(server: SimulatedServer, wanted: dict[str, int]) -> None:
    """A restarted API server answers 403 until it has loaded its RBAC rules: the last state is served meanwhile, and a change is on
    the page within 5 s after the server is ready."""
    with start_agent(SLOW, url=server.url) as agent:
        agent.wait_ready()
        server.levers.pull("starting", {"on": "true"})
        server.levers.pull("drop", {})
        wait_for("a refusal", lambda: 'telegen_api_errors_total{reason="403",store="pods"}' in agent.page("/telemetry"), 10)
        time.sleep(3)
        assert counts(agent.page()) == wanted
        server.levers.pull("starting", {"on": "false"})
        mark(server, 5000)
        agent.wait_page("a change", lambda page: restarts(page, 5000), 5)
        assert counts(agent.page()) == wanted


def test_agent_that_starts_with_the_server(server: SimulatedServer, wanted: dict[str, int]) -> None:
    """An agent that starts while the API server still answers 403 is ready within 5 s after the server is."""
    server.levers.pull("starting", {"on": "true"})
    with start_agent(SLOW, url=server.url) as agent:
        wait_for("a refusal", lambda: 'telegen_api_errors_total{reason="403",store="pods"}' in agent.page_if_up("/telemetry"), 10)
        server.levers.pull("starting", {"on": "false"})
        agent.wait_ready(5)
        assert counts(agent.page()) == wanted
