"""Killed processes and unreachable API servers: scrapes go on without errors."""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from telegen.demo.server import SimulatedServer
from telegen.demo.state import State
from tests.harness import FAST, Agent, free_port, get, start_agent
from tests.process_tree import PATIENCE, wait_for

PODS = 60


class Scrapes:
    """Scrapes in a loop, with their number and their failures."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.between = threading.Lock()
        """Held during a scrape. A process that is killed while it sends always breaks its connection, so tests kill between scrapes."""
        self.count = 0
        self.failures: list[str] = []

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            with self.between:
                try:
                    answer = get(f"{self._agent.url}/metrics", timeout=10)
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(repr(error))
                    continue
            self.count += 1
            found = answer.body.count(b"\nkube_pod_info{"), answer.body.count(b'container_memory_usage_bytes{container="",id="/"')
            if answer.status != 200 or found != (PODS, 1):
                self.failures.append(f"{answer.status}: {found} series of pods and of the root")

    @contextmanager
    def running(self) -> Iterator[Scrapes]:
        """Scrape while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


def restarts(page: str, value: int) -> bool:
    """Return True if a container has this number of restarts on the page."""
    return any(line.endswith(f" {value}") for line in page.split("\n") if line.startswith("kube_pod_container_status_restarts_total{"))


def mark(server: SimulatedServer, value: int) -> None:
    """Set a number of restarts in a pod, by which `restarts` finds the change on a page."""
    server.levers.pull("mark", {"value": str(value)})


@pytest.mark.parametrize("name", ["telegen-watch-pods", "telegen-watch-cluster", "telegen-sample", "telegen-web", "telegen-web-0"])
def test_killed_process_is_restarted_without_a_failed_scrape(agent: Agent, server: SimulatedServer, name: str) -> None:
    """After kill -9 of any kind of process no scrape fails, no series is missing, and changes are shown again within 5 s."""
    (before,) = [process for process in agent.named(name) if process.pid]
    with Scrapes(agent).running() as scrapes:
        wait_for("scrapes", lambda: scrapes.count > 3, 10)
        with scrapes.between:
            before.kill()
        wait_for(f"a new {name}", lambda: any(p.pid != before.pid for p in agent.named(name)), 5)
        mark(server, 4711)
        wait_for("freshness", lambda: restarts(agent.page(), 4711), 5)
        seen = scrapes.count
        wait_for("more scrapes", lambda: scrapes.count > seen + 3, 10)
    assert scrapes.failures == []


def test_killed_supervisor_leaves_no_process_and_a_free_port(agent: Agent, server: SimulatedServer) -> None:
    """After kill -9 of the supervisor all children end by themselves, and the port is free."""
    processes = agent.tree.processes()
    os.kill(agent.process.pid, signal.SIGKILL)
    agent.process.wait(60)
    _, alive = psutil.wait_procs(processes, timeout=2 * PATIENCE)
    assert alive == []
    with start_agent(FAST, port=agent.port, url=server.url) as again:
        again.wait_ready()


def test_hanging_worker_is_aborted_with_its_stacks(server: SimulatedServer) -> None:
    """A stopped worker misses its heartbeat: it gets SIGABRT, its stacks are logged, and a new one starts."""
    with start_agent(FAST.replace("supervisor: {{", "supervisor: {{heartbeat_timeout: 3s, "), url=server.url) as agent:
        agent.wait_ready()
        (before,) = agent.named("telegen-watch-pods")
        before.suspend()
        wait_for("its end", lambda: "no heartbeat for" in agent.log.read_text(), 10)
        before.resume()
        wait_for("its successor", lambda: any(p.pid != before.pid for p in agent.named("telegen-watch-pods")), 10)
        assert "Fatal Python error: Aborted" in agent.log.read_text()
        assert "most recent call first" in agent.log.read_text()


def test_all_stopped_and_continued(server: SimulatedServer) -> None:
    """A long stop of all processes, as when a machine is suspended, aborts no worker, even if the web workers' arbiter continues first."""
    config = FAST.replace("supervisor: {{", "supervisor: {{heartbeat_timeout: 3s, ") + "web: {{workers: 2}}\n"
    with start_agent(config, url=server.url) as agent:
        agent.wait_ready()
        (arbiter,) = agent.named("telegen-web")
        wait_for("both that serve", lambda: bool(agent.named("telegen-web-1")), 10)
        before = agent.tree.processes()
        for process in before:
            process.suspend()
        time.sleep(4)
        arbiter.resume()
        time.sleep(0.5)
        for process in before:
            process.resume()
        agent.wait_ready()
        time.sleep(3)
        assert agent.tree.processes() == before
        assert "Traceback" not in agent.log.read_text()


def test_api_server_that_is_not_there_at_start(server: SimulatedServer) -> None:
    """Until the API server is reachable, container metrics are served and /readyz names the missing stores."""
    port = free_port()
    with start_agent(FAST, url=f"http://127.0.0.1:{port}") as agent:
        agent.wait_page("containers", lambda page: 'container_memory_usage_bytes{container="",id="/"' in page)
        answer = get(f"{agent.url}/readyz")
        assert answer.status == 503
        assert b"pods: not synced yet" in answer.body
        late = SimulatedServer(server.state, port=port).start()
        try:
            agent.wait_ready()
            assert agent.page().count("\nkube_pod_info{") == PODS
        finally:
            late.stop()


def first_pod(state: State) -> tuple[str, str]:
    """Namespace and name of a pod."""
    return next(iter(state.collections["pods"].objects))


def test_api_server_restarted_with_an_empty_watch_cache(server: SimulatedServer) -> None:
    """The last state is served while the server is away. Afterwards objects deleted meanwhile disappear, and changes are shown."""
    port = free_port()
    first = SimulatedServer(server.state, port=port).start()
    with start_agent(FAST, url=first.url) as agent:
        agent.wait_ready()
        first.stop()
        namespace, name = first_pod(server.state)
        server.state.delete("pods", namespace, name)
        server.state.compact()
        away = time.monotonic() + 3
        while time.monotonic() < away:
            assert agent.page().count("\nkube_pod_info{") == PODS
            time.sleep(0.1)
        second = SimulatedServer(server.state, port=port).start()
        try:
            agent.wait_page("the deletion", lambda page: f'pod="{name}"' not in page)
            assert agent.page().count("\nkube_pod_info{") == PODS - 1
            mark(second, 815)
            agent.wait_page("a change", lambda page: restarts(page, 815))
        finally:
            second.stop()


def test_watches_that_end_and_history_that_is_gone(agent: Agent, server: SimulatedServer) -> None:
    """A dropped watch continues at its resourceVersion, a compacted history causes a relist, and no change is lost."""
    for number, lever in enumerate(("drop", "compact", "drop")):
        server.levers.pull(lever, {})
        mark(server, 9000 + number)
        agent.wait_page(lever, lambda page: restarts(page, 9000 + number))
        assert agent.page().count("\nkube_pod_info{") == PODS


def test_readiness_after_a_reload(server: SimulatedServer) -> None:
    """Web processes that a reload replaces know of the stores of the processes that go on, and of their changes."""
    server.levers.pull("forbid", {"resource": "nodes"})
    with start_agent(FAST, url=server.url) as agent:
        agent.wait_ready()
        (before,) = agent.named("telegen-watch-cluster")
        agent.configure(agent.config.read_text() + "web: {threads: 3}\n")
        wait_for("the reload", lambda: "configuration reloaded" in agent.log.read_text(), 10)
        wait_for("new web processes", lambda: b"nodes: 403 Forbidden" in get(f"{agent.url}/readyz").body, 10)
        assert get(f"{agent.url}/readyz").status == 200
        assert agent.named("telegen-watch-cluster") == [before]
        server.levers.pull("allow", {"resource": "nodes"})
        wait_for("nodes", lambda: get(f"{agent.url}/readyz").body == b"ok\n", 20)


def test_forbidden_resource_harms_no_other(server: SimulatedServer) -> None:
    """A 403 for one resource is counted, logged, named by /readyz and retried; the agent is ready and serves the others."""
    server.levers.pull("forbid", {"resource": "nodes"})
    with start_agent(FAST, url=server.url) as agent:
        agent.wait_page("the others", lambda page: page.count("\nkube_pod_info{") == PODS and "\nkube_namespace_created{" in page)
        wait_for("the count", lambda: 'telegen_api_errors_total{reason="403",store="nodes"}' in agent.page("/telemetry"), 10)
        agent.wait_ready()
        cause = b"ok\nnodes: 403 Forbidden: no right to watch nodes; apply k8s/account/rbac.yaml\n"
        wait_for("its cause", lambda: get(f"{agent.url}/readyz").body in (cause, cause.replace(b"watch", b"list")), 10)
        assert "is forbidden" in agent.log.read_text()
        server.levers.pull("allow", {"resource": "nodes"})
        wait_for("all", lambda: get(f"{agent.url}/readyz").body == b"ok\n", 20)
        assert "\nkube_node_info{" in agent.page()


def test_nothing_may_be_listed(server: SimulatedServer) -> None:
    """An agent whose account may list nothing is not ready until it may."""
    server.levers.pull("starting", {"on": "true"})
    with start_agent(FAST, url=server.url) as agent:
        cause = b"the API server: no resource may be listed\n"
        agent.wait_page("the agent", bool)
        wait_for("the cause", lambda: get(f"{agent.url}/readyz").body.startswith(cause), 10)
        assert get(f"{agent.url}/readyz").status == 503
        assert b"\npods: 403 Forbidden: no right to " in get(f"{agent.url}/readyz").body
        server.levers.pull("starting", {"on": "false"})
        agent.wait_ready()


def test_unreachable_server_ends_readiness_after_the_grace_time(server: SimulatedServer) -> None:
    """A store that is out of sync for longer than worker_grace makes the agent unready, with its cause, until it is in sync."""
    port = free_port()
    first = SimulatedServer(server.state, port=port).start()
    with start_agent(FAST.replace("supervisor: {{", "supervisor: {{worker_grace: 2s, "), url=first.url) as agent:
        agent.wait_ready()
        first.stop()
        wait_for("the end", lambda: get(f"{agent.url}/readyz").status == 503, 10)
        # Each store has a time of its own.
        line = re.compile(rb"^pods: unreachable: .*Connection refused; retrying in .*; out of sync for ", re.MULTILINE)
        wait_for("the line of the pods", lambda: bool(line.search(get(f"{agent.url}/readyz").body)), 10)
        assert 'telegen_store_out_of_sync_seconds{store="pods"}' in agent.page("/telemetry")
        late = SimulatedServer(server.state, port=port).start()
        try:
            agent.wait_ready()
        finally:
            late.stop()


def test_malformed_objects_drop_their_families_only(agent: Agent, server: SimulatedServer) -> None:
    """Wrong types and nulls in an object drop only the families that read them; errors are counted."""
    pod = next(iter(server.state.collections["pods"].objects.values())).load()
    pod["metadata"].update({"name": "odd", "uid": "odd-1", "labels": {"a": 'x"\\\n' + "ü" * 100_000}})
    pod["status"]["containerStatuses"] = [{"name": 5, "restartCount": "many", "state": []}, None]
    pod["spec"]["nodeName"] = {"not": "a name"}
    server.state.put("pods", pod)
    agent.wait_page("the pod", lambda page: 'kube_pod_created{namespace="shop-0",pod="odd"' in page)
    page = agent.page()
    assert 'kube_pod_info{namespace="shop-0",pod="odd"' not in page
    assert page.count("\nkube_pod_info{") == PODS
    assert 'telegen_generate_errors_total{family="kube_pod_info",store="pods"}' in agent.page("/telemetry")
