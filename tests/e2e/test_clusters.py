"""One agent that watches several clusters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.config import ConfigError, detect, load
from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.e2e.conftest import kubeconfig, small_cluster
from tests.harness import FAST, Agent, free_port, get, start_agent
from tests.process_tree import wait_for

TEXT = FAST.replace(
    "    apiserver: {url}\n",
    "    namespaces_exclude: [shop-1]\n"
    "    clusters: [{{name: east, kubeconfig: {east}}}, {{name: west.2, kubeconfig: {both}, context: west}}]\n",
)


@pytest.fixture
def servers() -> Iterator[tuple[SimulatedServer, SimulatedServer]]:
    """Two clusters with different objects of the same names."""
    other = SimulatedServer(make_state(SyntheticCluster(30, 3))).start()
    server = small_cluster()
    yield server, other
    server.stop()
    other.stop()


def samples(agent: Agent) -> list[str]:
    """The kube_* lines of the page."""
    return sorted(line for line in agent.page("/metrics/kubestate").split("\n") if line.startswith("kube_"))


def labelled(name: str, lines: list[str]) -> list[str]:
    """Add the label of a cluster to each line."""
    return [line.replace("{", f'{{cluster="{name}",', 1) for line in lines]


def test_two_clusters_on_one_page(servers: tuple[SimulatedServer, SimulatedServer], tmp_path: Path) -> None:
    """The page equals the pages of one agent per cluster, with the cluster's label and one header per family. If one cluster is
    unreachable its series stay, and the other's are updated."""
    wanted: list[str] = []
    for name, server in zip(("east", "west.2"), servers):
        text = FAST.replace("kube_state:", "kube_state:\n    namespaces_exclude: [shop-1]")
        with start_agent(text, url=server.url) as single:
            single.wait_ready()
            wanted += labelled(name, samples(single))
    east = kubeconfig(tmp_path / "east", only=servers[0].url)
    both = kubeconfig(tmp_path / "both", east=servers[0].url, west=servers[1].url)
    with start_agent(TEXT, east=east, both=both) as agent:
        agent.wait_ready()
        assert samples(agent) == sorted(wanted)
        page = agent.page()
        assert page.count("# TYPE kube_pod_info ") == 1 and "\ncontainer_memory_usage_bytes{" in page
        assert agent.page("/metrics?resources=nodes").count('kube_node_info{cluster="west.2"') == 3
        assert 'telegen_store_objects{store="pods/@west.2"}' in agent.page("/telemetry")
        servers[1].stop()
        server = servers[0]
        (namespace, name), _ = next(iter(server.state.collections["nodes"].objects.items()))
        server.state.delete("nodes", namespace, name)
        gone = f'kube_node_info{{cluster="east",node="{name}"'
        agent.wait_page("the change", lambda text: text != "" and gone not in text)
        assert agent.page().count('kube_pod_info{cluster="west.2"') == page.count('kube_pod_info{cluster="west.2"') > 10


def test_cluster_that_was_never_reached(servers: tuple[SimulatedServer, SimulatedServer], tmp_path: Path) -> None:
    """The others are served; /readyz names it with the cause."""
    east = kubeconfig(tmp_path / "east", only=servers[0].url)
    both = kubeconfig(tmp_path / "both", east=servers[0].url, west=f"http://127.0.0.1:{free_port()}")
    with start_agent(TEXT, east=east, both=both) as agent:
        agent.wait_page("one cluster", lambda text: text.count('kube_pod_info{cluster="east"') == 50, 30)
        wait_for("the complaint", lambda: "west" in agent.log.read_text(), 10)
        wait_for("the others", lambda: b"@east" not in get(f"{agent.url}/readyz").body, 20)
        assert b"pods/@west.2: not synced yet: unreachable: http://127.0.0.1:" in get(f"{agent.url}/readyz").body


def test_credentials_are_checked_before_the_start(servers: tuple[SimulatedServer, SimulatedServer], tmp_path: Path) -> None:
    """A kubeconfig that is missing, or lacks the context, ends the agent with status 2 and one line per cluster."""
    both = kubeconfig(tmp_path / "both", east=servers[0].url)
    path = tmp_path / "telegen.yaml"
    path.write_text(TEXT.format(port=free_port(), east=tmp_path / "east", both=both))
    ended = subprocess.run(
        [sys.executable, "-m", "telegen.supervisor", "--config", str(path)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if line.startswith("telegen: ")]
    assert len(lines) == 2
    assert lines[0].startswith(f"telegen: {both}: ") and "west" in lines[0]
    assert lines[1] == f"telegen: {tmp_path / 'east'}: no such file; correct the path, or mount the file"


def test_cluster_name_labels_everything(server: SimulatedServer) -> None:
    """With kubernetes.cluster_name all series of the one cluster, and the containers', have the label."""
    with start_agent("kubernetes: {{cluster_name: prod}}\n" + FAST, url=server.url) as agent:
        agent.wait_ready()
        lines = [line for line in agent.page().split("\n") if line and line[0] != "#"]
        assert len(lines) > 1000
        assert [line for line in lines if '{cluster="prod"' not in line] == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: a}", "clusters[0]: a needs a kubeconfig: the agent has no cluster of its own"),
        ("{name: a, kubeconfig: /k}, {name: b, context: x}", "clusters[1]: b needs a kubeconfig"),
    ],
)
def test_cluster_that_is_nowhere(tmp_path: Path, entry: str, message: str) -> None:
    """An entry that names no cluster is an error with its path."""
    path = tmp_path / "config.yaml"
    path.write_text(f"kube_metrics: {{kube_state: {{clusters: [{entry}]}}}}")
    with pytest.raises(ConfigError) as raised:
        detect(load(str(path), {}), {})
    assert str(raised.value).startswith(f"kube_metrics.kube_state.{message}")


def test_own_cluster_among_others(tmp_path: Path) -> None:
    """An entry without a kubeconfig is the agent's own cluster; it can have no context there."""
    path = tmp_path / "config.yaml"
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "NODE_NAME": "n"}
    path.write_text("kube_metrics: {kube_state: {clusters: [{name: own}, {name: far, kubeconfig: /k}]}}")
    found = detect(load(str(path), {}), environ, lambda path: True)
    assert [(one.name, one.source) for one in found.clusters] == [("own", "in-cluster"), ("far", "kubeconfig:/k")]
    assert (found.cluster, found.node) == ("in-cluster", "")
    path.write_text("kube_metrics: {kube_state: {clusters: [{name: own, context: x}]}}")
    with pytest.raises(ConfigError, match=r"clusters\[0\]: context needs a kubeconfig$"):
        detect(load(str(path), {}), environ, lambda path: True)
