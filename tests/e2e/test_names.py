"""Names of containers in a whole agent: a folder stands for the node's cgroups, another for its runtimes' files, and a
simulated API server tells of its pods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telegen.demo.server import SimulatedServer
from tests.cadvisor.page import v2_tree, write
from tests.cadvisor.test_labels import cri
from tests.harness import Agent, free_port, get, start_agent
from tests.process_tree import wait_for

NAMED = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  node_name: {node}
  kube_state: {{apiserver: '{url}', resources: [namespaces]}}
  cadvisor:
    collect_interval: 1s
    cgroup_root: {root}/cgroup
    root: {root}/host
    pod_labels: ['app*', 'rev']
    namespace_labels: [env]
    workload: true
api: {{backoff_initial: 50ms, backoff_max: 500ms, read_timeout: 10s}}
"""
SANDBOX = "5a" * 32


def some_pod(server: SimulatedServer) -> dict[str, Any]:
    """One of its pods."""
    return next(iter(server.state.collections["pods"].objects.values())).load()


def make_node(root: Path, pod: dict[str, Any]) -> str:
    """Cgroups of a pod, its first container and its sandbox, and the sandbox's file; the container's id."""
    metadata, id = pod["metadata"], pod["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
    folder = v2_tree(root / "cgroup") / "kubepods.slice" / f"kubepods-pod{metadata['uid'].replace('-', '_')}.slice"
    for path in (folder, folder / f"cri-containerd-{id}.scope", folder / f"cri-containerd-{SANDBOX}.scope"):
        write(path, cpu_stat="usage_usec 1000000\n")
    cri(root / "host", SANDBOX, "sandbox", "", metadata["name"], metadata["uid"])
    return str(id)


@contextmanager
def node(root: Path, pod: dict[str, Any], url: str) -> Iterator[Agent]:
    """An agent on the node of a pod."""
    with start_agent(NAMED, node=pod["spec"]["nodeName"], url=url, root=root) as agent:
        yield agent


def telemetry_of(agent: Agent) -> str:
    """The agent's own metrics."""
    return get(f"{agent.url}/telemetry").body.decode()


def line_of(page: str, id: str) -> str:
    """The line of a container's CPU time; "" when there is none."""
    return next((line for line in page.splitlines() if line.startswith("container_cpu_usage") and id in line), "")


def test_names_from_the_api_and_from_files(server: SimulatedServer, tmp_path: Path) -> None:
    """The pod's labels, owner and namespace stand on its containers from the first page on; a change is taken over, and a
    pod that is deleted keeps its names until its cgroups are gone."""
    pod = some_pod(server)
    metadata, id = pod["metadata"], make_node(tmp_path, pod)
    owner = metadata["ownerReferences"][0]["name"]
    metadata["labels"]["pod-template-hash"] = owner.rpartition("-")[2]
    server.state.put("pods", pod)
    with node(tmp_path, pod, server.url) as agent:
        agent.wait_page("the container", lambda page: id in page)
        line, sandbox = line_of(agent.page(), id), line_of(agent.page(), SANDBOX)
        shop = f'namespace="{metadata["namespace"]}",pod="{metadata["name"]}"'
        assert 'container="app"' in line and f'name="{id}",{shop}' in line
        assert f'label_app="{metadata["labels"]["app"]}"' in line and f'workload="{owner.rpartition("-")[0]}"' in line
        assert 'container="",' in sandbox and 'image="web:1"' in sandbox and 'workload_kind="Deployment"' in sandbox
        changed = {**metadata, "labels": {**metadata["labels"], "rev": "r7"}}
        server.state.put("pods", {**pod, "metadata": changed})
        agent.wait_page("another label", lambda page: 'label_rev="r7"' in line_of(page, id))
        server.state.delete("pods", metadata["namespace"], metadata["name"])
        write(tmp_path / "cgroup", cpu_stat="usage_usec 9000000\n")
        agent.wait_page("another pass", lambda page: 'id="/"' in page and "} 9\n" in page)
        assert 'label_rev="r7"' in line_of(agent.page(), id)


def test_node_without_a_name(server: SimulatedServer, tmp_path: Path) -> None:
    """An agent that does not know its node asks for no pods, and says what that costs."""
    pod = some_pod(server)
    make_node(tmp_path, pod)
    with start_agent(NAMED, node="''", url=server.url, root=tmp_path) as agent:
        agent.wait_page("the sandbox", lambda page: SANDBOX in page)
        assert f'pod="{pod["metadata"]["name"]}",label_rev=""' in line_of(agent.page(), SANDBOX)
        assert "pod_labels and the like stay empty" in agent.log.read_text()


def test_no_api_server(server: SimulatedServer, tmp_path: Path) -> None:
    """An API server that does not answer delays the first page by some seconds; then runtimes' files give the names."""
    pod = some_pod(server)
    make_node(tmp_path, pod)
    with node(tmp_path, pod, f"http://127.0.0.1:{free_port()}") as agent:
        agent.wait_page("the sandbox", lambda page: SANDBOX in page, timeout=20)
        assert f'namespace="shop",pod="{pod["metadata"]["name"]}"' in line_of(agent.page(), SANDBOX)
        # What the agent says of a pass is counted when it has been published.
        wait_for("the other container", lambda: "telegen_sample_unnamed_containers 1.0" in telemetry_of(agent), 5, 0.05)
        assert 'telegen_api_errors_total{reason="unreachable",store="containers/names/pods"}' in telemetry_of(agent)
