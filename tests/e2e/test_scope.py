"""Agents in node scope against a simulated API server: hand-overs, reloads, and the standby."""

from __future__ import annotations

import http.client
import math
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from telegen.demo.objects import SyntheticCluster
from telegen.demo.server import SimulatedServer
from telegen.kubemetrics.clients import PAUSE
from tests.e2e.conftest import small_cluster
from tests.harness import Agent, get, start_agent
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: node
  node_name: {node}
  election: {{namespace: telegen, standby: {standby}}}
  kube_state: {{apiserver: {url}, resources: [namespaces, nodes, pods]}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 50ms, backoff_max: 500ms, read_timeout: 10s}}
supervisor: {{backoff_initial: 100ms, backoff_max: 1s}}
log: {{level: info}}
"""
LAST_EVENT_OF_LEASES = 'telegen_store_last_event_timestamp_seconds{store="election"}'
SHARD = "telegen-watch-c"
"""Name of the process that watches nodes and namespaces."""


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    """An API server with 60 pods on 6 nodes."""
    server = small_cluster()
    yield server
    server.stop()


def holds(agent: Agent) -> bool:
    """Return True if it serves the shard."""
    return "\nkube_node_info{" in agent.page_if_up()


def lease(server: SimulatedServer, name: str = "telegen-shard-0") -> dict[str, object]:
    """Spec of a Lease, {} if there is none."""
    stored = server.state.collections["leases"].objects.get(("telegen", name))
    return stored.load()["spec"] if stored else {}  # type: ignore[no-any-return]


def without_node(number: int) -> dict[str, Any]:
    """Return a pod without a node."""
    pod = SyntheticCluster(100, 6).pod(number)
    del pod["spec"]["nodeName"]
    return pod


def pair(stack: ExitStack, server: SimulatedServer, standby: str = "hot") -> tuple[Agent, Agent]:
    """Start two agents: the holder and its standby."""
    first = stack.enter_context(start_agent(CONFIG, node="node-0", standby=standby, url=server.url))
    wait_for("the holder", lambda: holds(first), 20, 0.05)
    second = stack.enter_context(start_agent(CONFIG, node="node-1", standby=standby, url=server.url))
    wait_for("the standby", lambda: lease(server, "telegen-shard-0-standby").get("holderIdentity"), 20, 0.05)
    first.wait_ready()
    second.wait_ready()
    return first, second


def test_holder_serves_all(server: SimulatedServer) -> None:
    """The holder serves pods of all nodes and pods without a node, and a binding at once; the other agent serves none."""
    server.state.put("pods", unbound := without_node(70))
    with ExitStack() as stack:
        first, second = pair(stack, server)
        pages = [agent.page() for agent in (first, second)]
        assert [page.count("\nkube_pod_info{") for page in pages] == [61, 0]
        assert [page.count("\nkube_node_info{") for page in pages] == [6, 0]
        assert "telegen_cluster_info{" in first.page("/telemetry")
        for agent, served in ((first, "1.0"), (second, "0.0")):
            assert f'telegen_shard_served{{lease="telegen-shard-0"}} {served}' in agent.page("/telemetry")
        unbound["spec"]["nodeName"] = "node-5"
        server.state.put("pods", unbound)
        uid = unbound["metadata"]["uid"]
        bound = re.compile(rf'kube_pod_info{{[^}}]*uid="{uid}"[^}}]*node="node-5"')
        wait_for("the node", lambda: bool(bound.search(first.page())), 3)


@pytest.mark.parametrize(("standby", "processes"), [("hot", 1), ("cold", 0)])
def test_hot_and_cold_standby(server: SimulatedServer, standby: str, processes: int) -> None:
    """A hot standby watches the shard's objects and serves them once the holder has released; a cold one starts to watch then."""
    with ExitStack() as stack:
        first, second = pair(stack, server, standby)
        wait_for("its processes", lambda: len(second.named(SHARD)) == processes, 10, 0.1)
        first.process.send_signal(signal.SIGTERM)
        seconds = wait_for("the hand-over", lambda: holds(second), 10, 0.01)
        print(f"{standby}: {seconds:.2f} s after SIGTERM")
        assert lease(server)["leaseTransitions"] == 1
        assert lease(server)["leaseDurationSeconds"] == 15


def test_holder_expects_no_events_of_leases(server: SimulatedServer) -> None:
    """A standby watches the Leases. When it has become the holder, the time of their last event ends: no alert fires for it."""
    with ExitStack() as stack:
        first, second = pair(stack, server)
        wait_for("events", lambda: LAST_EVENT_OF_LEASES in second.page("/telemetry"), 10, 0.1)
        first.process.send_signal(signal.SIGTERM)
        wait_for("the hand-over", lambda: holds(second), 10, 0.05)
        wait_for("the end of the watch", lambda: LAST_EVENT_OF_LEASES not in second.page("/telemetry"), 15, 0.1)


def test_a_reload_keeps_the_shard(server: SimulatedServer) -> None:
    """A reload starts a new elector and new watch processes; the Lease keeps its holder and the page stays complete."""
    with ExitStack() as stack:
        first, second = pair(stack, server)
        before = lease(server)
        first.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: "configuration reloaded" in first.log.read_text(), 10, 0.05)
        wait_for("a renewal", lambda: lease(server)["renewTime"] != before["renewTime"], 10, 0.05)
        assert holds(first) and not holds(second)
        for key in ("holderIdentity", "leaseTransitions", "acquireTime"):
            assert lease(server)[key] == before[key]


def test_killed_elector_keeps_the_lease(server: SimulatedServer) -> None:
    """After kill -9 of the elector its successor renews the Lease before it expires; the page stays complete."""
    with ExitStack() as stack:
        first, second = pair(stack, server)
        (elector,) = first.named("telegen-elect")
        elector.kill()
        wait_for("another elector", lambda: [one.pid for one in first.named("telegen-elect")] not in ([], [elector.pid]), 10, 0.05)
        before = lease(server)
        wait_for("a renewal", lambda: lease(server)["renewTime"] != before["renewTime"], 10, 0.05)
        assert holds(first) and not holds(second)
        assert lease(server)["leaseTransitions"] == before["leaseTransitions"]


def test_another_group_gives_the_shard_back(server: SimulatedServer) -> None:
    """A reload that ends candidacy, here by cluster scope, gives the Lease to the standby."""
    with ExitStack() as stack:
        first, second = pair(stack, server)
        first.configure(first.config.read_text().replace("scope: node", "scope: cluster"))
        first.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over", lambda: holds(second), 10, 0.05)
        wait_for("everything", lambda: first.page().count("\nkube_pod_info{") == 60, 10, 0.05)


def test_a_lost_shard_leaves_nothing(server: SimulatedServer) -> None:
    """An agent that loses the Lease ends its processes and drops their data. If it gets the Lease again, it serves no object that was
    deleted meanwhile."""
    with ExitStack() as stack:
        first, second = pair(stack, server, "cold")
        stored = server.state.collections["leases"].objects["telegen", "telegen-shard-0"].load()
        stored["spec"]["holderIdentity"] = "stranger"
        server.state.put("leases", stored)
        wait_for("the loss", lambda: not holds(first), 10, 0.05)
        wait_for("the end of its processes", lambda: first.named(SHARD) == [], 10, 0.05)
        assert "kube_" not in first.page()
        gone = ('objects{store="pods"}', 'objects{store="nodes"}', 'heartbeat_age_seconds{worker="watch-cluster"}')
        wait_for("the end of their values", lambda: not any(one in first.page("/telemetry") for one in gone), 10, 0.05)
        second.process.send_signal(signal.SIGTERM)
        second.process.wait(60)
        server.state.delete("nodes", "", "node-5")
        server.state.delete("leases", "telegen", "telegen-shard-0")
        pages: list[int] = []

        def is_whole() -> bool:
            pages.append(first.page().count("\nkube_node_info{"))
            return pages[-1] == 5

        wait_for("the five nodes left", is_whole, 60, 0.02)
        assert 6 not in pages


def test_no_lease_before_the_cluster_is_known(server: SimulatedServer) -> None:
    """An agent that does not know the label of its series takes no Lease, so that another agent can serve the shard."""
    server.levers.forbidden.add("namespaces")
    with start_agent("kubernetes: {{cluster_uid: true}}\n" + CONFIG, node="node-0", standby="hot", url=server.url) as agent:
        wait_for("the refusal", lambda: "cannot list resource" in agent.log.read_text(), 10)
        assert agent.named("telegen-elect") == [] and lease(server) == {}
        server.levers.forbidden.discard("namespaces")
        wait_for("the shard", lambda: '\nkube_node_info{cluster="' in agent.page_if_up(), 20, 0.1)


def readiness(agent: Agent) -> str:
    """Text of /readyz, "" until the agent listens."""
    try:
        return get(f"{agent.url}/readyz").body.decode()
    except OSError:
        return ""


def test_leases_forbidden(server: SimulatedServer) -> None:
    """Without the right to Leases an agent serves its containers; /readyz, log and metrics name the cause. It retries."""
    server.levers.forbidden.add("leases")
    config = CONFIG.replace("cadvisor: {{enabled: false}}", "cadvisor: {{collect_interval: 1s}}")
    with start_agent(config, node="node-0", standby="hot", url=server.url) as agent:
        wait_for("the Role", lambda: "apply the Role and RoleBinding of k8s/base/leases.yaml" in readiness(agent), 20)
        agent.wait_page("containers", lambda page: "\ncontainer_" in page)
        assert not holds(agent)
        assert agent.log.read_text().count("cannot list resource") == 1
        assert 'telegen_api_errors_total{reason="403",store="election"}' in agent.page("/telemetry")
        server.levers.forbidden.discard("leases")
        wait_for("the shard", lambda: holds(agent), 20, 0.1)
        wait_for("readiness", lambda: readiness(agent) == "ok\n", 20, 0.1)


def test_no_candidate(server: SimulatedServer) -> None:
    """An agent that is no candidate serves its containers, is ready, and sends no request about Leases."""
    config = CONFIG.replace("standby: {standby}", "candidate: false").replace("cadvisor: {{enabled: false}}", "cadvisor: {{}}")
    with start_agent(config, node="node-0", url=server.url) as agent:
        agent.wait_ready()
        assert agent.named("telegen-elect") == [] and lease(server) == {}
        agent.wait_page("containers", lambda page: "\ncontainer_" in page)
        assert "kube_" not in agent.page()


def web_processes(agent: Agent) -> int:
    """Number of processes that serve."""
    return sum(len(agent.named(f"telegen-web-{number}")) for number in range(3))


def scrape_until(stop: threading.Event, port: int, keep_alive: bool, failed: list[Exception]) -> None:
    """Send requests without a pause, on one connection or on a new one each time; note failures."""
    connection, began = http.client.HTTPConnection("127.0.0.1", port, timeout=60), math.inf
    while not stop.is_set():
        before, began = began, time.monotonic()
        try:
            connection.request("GET", "/telemetry", headers={} if keep_alive else {"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failed.append(RuntimeError(f"status {answer.status}"))
        except (OSError, http.client.HTTPException) as error:
            # Where a busy machine has made a pause, the agent may have closed the connection in it.
            if not keep_alive or time.monotonic() - before < PAUSE:
                failed.append(error)
            connection.close()
    connection.close()


def test_web_processes_follow_the_shard(server: SimulatedServer) -> None:
    """One process serves while the agent waits, two while it holds the shard; no request fails when that changes."""
    with start_agent(CONFIG, node="node-0", standby="hot", url=server.url) as agent:
        wait_for("the first page", lambda: agent.page_if_up("/telemetry"), 10)
        assert web_processes(agent) == 1
        stop, failed = threading.Event(), list[Exception]()
        threads = [threading.Thread(target=scrape_until, args=(stop, agent.port, keep, failed)) for keep in (True, False)]
        for thread in threads:
            thread.start()
        try:
            wait_for("the shard", lambda: holds(agent), 20, 0.1)
            wait_for("two processes", lambda: web_processes(agent) == 2, 5, 0.1)
            stored = server.state.collections["leases"].objects["telegen", "telegen-shard-0"].load()
            stored["spec"]["holderIdentity"] = "stranger"
            server.state.put("leases", stored)
            wait_for("one process", lambda: web_processes(agent) == 1, 20, 0.1)
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert failed == []
