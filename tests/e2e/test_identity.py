"""Series labelled with the UID of the cluster, which is the UID of its namespace kube-system."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.e2e.conftest import kubeconfig
from tests.harness import FAST, Agent, free_port, get, start_agent
from tests.process_tree import wait_for

TEXT = "kubernetes: {{cluster_uid: true}}\n" + FAST
UNKNOWN = b"kubernetes.cluster_uid: the UID of the namespace kube-system is not known yet; the log has the cause\n"


def uid(server: SimulatedServer) -> str:
    """UID of the namespace kube-system."""
    return str(server.state.collections["namespaces"].objects["", "kube-system"].load()["metadata"]["uid"])


def others(agent: Agent, label: str) -> list[str]:
    """Return the series of the page without a label; the page has over 1,000 series."""
    lines = series(agent.page())
    assert len(lines) > 1000
    return [line for line in lines if f"{{{label}" not in line]


def labelled(page: str, label: str) -> bool:
    """Return True if a page has over 1,000 series, each with a label."""
    lines = series(page)
    return len(lines) > 1000 and all(f"{{{label}" in line for line in lines)


def series(page: str) -> list[str]:
    """Return the lines of a page with values."""
    return [line for line in page.split("\n") if line and line[0] != "#"]


@pytest.mark.parametrize(("name", "wanted"), [("", "{uid}"), ("cluster_name: prod, ", "prod")])
def test_label_of_every_series(server: SimulatedServer, name: str, wanted: str) -> None:
    """All series, the containers' too, have the UID as label `cluster`, or the cluster's name if one is set. The process that reads
    the UID has ended by then."""
    with start_agent(TEXT.replace("{{", "{{" + name, 1), url=server.url) as agent:
        agent.wait_ready()
        assert others(agent, f'cluster="{wanted.format(uid=uid(server))}"') == []
        assert agent.named("telegen-identify") == []
        assert 'store="cluster_uid"' not in "".join(
            line for line in agent.page("/telemetry").split("\n") if line.startswith("telegen_store_")
        )


def test_environment_switches_it_on(server: SimulatedServer) -> None:
    """TELEGEN_KUBERNETES__CLUSTER_UID is the same setting."""
    with start_agent(FAST, environ={"TELEGEN_KUBERNETES__CLUSTER_UID": "true"}, url=server.url) as agent:
        agent.wait_ready()
        assert others(agent, f'cluster="{uid(server)}"') == []


def test_api_server_that_comes_late_and_goes(server: SimulatedServer) -> None:
    """Until the UID is known nothing is collected, not even containers; /readyz and one line of the log give the reason. Once it is
    known, workers restart without another request for it."""
    port = free_port()
    with start_agent(TEXT, url=f"http://127.0.0.1:{port}") as agent:
        wait_for("the reason", lambda: "before the cluster's UID is known" in agent.log.read_text(), 10)
        agent.wait_page("an empty page", lambda page: page == "", 10)
        answer = get(f"{agent.url}/readyz")
        assert (answer.status, answer.body) == (503, UNKNOWN)
        wait_for("more tries", lambda: _errors(agent) >= 3, 10)
        assert agent.log.read_text().count("before the cluster's UID is known") == 1
        late = SimulatedServer(server.state, port=port).start()
        try:
            agent.wait_ready()
        finally:
            late.stop()
        label = f'cluster="{uid(server)}"'
        assert others(agent, label) == []
        for name in ("telegen-sample", "telegen-watch-pods"):
            before = agent.named(name)
            before[0].kill()
            wait_for(f"another {name}", lambda: bool(agent.named(name)) and agent.named(name) != before, 10)
        wait_for("a pass", lambda: get(f"{agent.url}/metrics/cadvisor").body.count(label.encode()) > 100, 10)
        assert others(agent, label) == []
        assert agent.log.read_text().count("the cluster has the UID ") == 1


def _errors(agent: Agent) -> float:
    """Number of failed requests for the namespace."""
    lines = [line for line in agent.page("/telemetry").split("\n") if line.startswith("telegen_api_errors_total{")]
    return sum(float(line.split()[-1]) for line in lines if 'store="cluster_uid"' in line)


def test_sigterm_before_the_uid_is_known() -> None:
    """SIGTERM ends an agent that waits for the UID; no process has to be killed."""
    with start_agent(TEXT, url=f"http://127.0.0.1:{free_port()}") as agent:
        wait_for("the reason", lambda: "before the cluster's UID is known" in agent.log.read_text(), 10)
        agent.process.terminate()
        assert agent.process.wait(30) == 0
        assert "killed" not in agent.log.read_text()


def test_right_that_is_missing(server: SimulatedServer) -> None:
    """A 403 is logged with its cure, and the request is retried until the right is granted."""
    server.levers.pull("forbid", {"resource": "namespaces"})
    with start_agent(TEXT, url=server.url) as agent:
        cure = "the agent's account needs the rights to list and watch namespaces (k8s/account)"
        wait_for("the cure", lambda: cure in agent.log.read_text(), 10)
        assert get(f"{agent.url}/readyz").body == UNKNOWN
        server.levers.pull("allow", {"resource": "namespaces"})
        agent.wait_ready()
        assert others(agent, f'cluster="{uid(server)}"') == []


def test_namespace_that_is_not_there_yet(server: SimulatedServer) -> None:
    """The agent waits for the namespace kube-system, which a new cluster creates a moment after its start."""
    namespace = server.state.collections["namespaces"].objects["", "kube-system"].load()
    server.state.delete("namespaces", "", "kube-system")
    with start_agent(TEXT, url=server.url) as agent:
        wait_for("a word", lambda: "the cluster has no namespace kube-system" in agent.log.read_text(), 10)
        server.state.put("namespaces", namespace)
        agent.wait_ready()
        assert others(agent, f'cluster="{uid(server)}"') == []


def test_reloads(server: SimulatedServer) -> None:
    """Reloads switch the setting on and off; after a change of the cluster series have its UID."""
    other = SimulatedServer(make_state(SyntheticCluster(70, 7, seed=2))).start()
    assert uid(other) != uid(server)
    try:
        with start_agent(FAST, url=server.url) as agent:
            agent.wait_ready()
            assert "{cluster=" not in agent.page()
            for text, label in (
                (TEXT, f'{{cluster="{uid(server)}"'),
                (TEXT.replace("{url}", other.url), f'{{cluster="{uid(other)}"'),
                (FAST, "{"),
            ):
                agent.configure(text.format(port=agent.port, url=server.url))
                wanted = f"\nkube_pod_created{label}"
                agent.wait_page(label, lambda page: wanted in page and f"\ncontainer_memory_usage_bytes{label}" in page, 15)
                agent.wait_page("no others", lambda page: labelled(page, label.strip("{")), 15)
                known = uid(other if "{url}" not in text else server)
                wait_for("what is known", lambda: f'\ntelegen_cluster_info{{uid="{known}"}}' in agent.page("/telemetry"), 15)
            wait_for("no label", lambda: "{cluster=" not in agent.page(), 15)
    finally:
        other.stop()


def test_kubeconfig_that_names_another_cluster(server: SimulatedServer, tmp_path: Path) -> None:
    """SIGHUP reads the UID again if the kubeconfig has changed, and only then."""
    other = SimulatedServer(make_state(SyntheticCluster(30, 3, seed=2))).start()
    file = kubeconfig(tmp_path / "kubeconfig", here=server.url)
    try:
        with start_agent(TEXT.replace("apiserver: {url}", "kubeconfig: {file}"), file=file) as agent:
            agent.wait_ready()
            agent.process.send_signal(signal.SIGHUP)
            wait_for("the reload", lambda: agent.log.read_text().count("configuration reloaded") == 1, 10)
            agent.wait_ready()
            assert agent.log.read_text().count("the cluster has the UID ") == 1
            kubeconfig(file, there=other.url)
            agent.process.send_signal(signal.SIGHUP)
            agent.wait_page("the other one", lambda page: f'\nkube_pod_created{{cluster="{uid(other)}"' in page, 15)
            agent.wait_page("nothing of the old one", lambda page: labelled(page, f'cluster="{uid(other)}"'), 15)
            assert agent.page().count("\nkube_pod_created{") == 30
    finally:
        other.stop()
