"""One agent that watches two real clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ControlPlane, node, pod
from tests.harness import start_agent

pytestmark = pytest.mark.cluster
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state:
    resources: [pods, nodes, namespaces, secrets, configmaps]
    clusters:
      - {{name: east, kubeconfig: {east}}}
      - {{name: west, kubeconfig: {west}, context: test}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


@pytest.fixture
def second(programs: Programs, tmp_path: Path) -> Iterator[ControlPlane]:
    """Another etcd and kube-apiserver."""
    with ControlPlane.running(programs, tmp_path) as plane:
        yield plane


@pytest.mark.timeout(500)
def test_two_clusters(control_plane: ControlPlane, second: ControlPlane, agent_token: str, tmp_path: Path) -> None:
    """Objects of the same name stand on one page, told apart by the label; each cluster's changes come, also while the other is
    down; what the lost one had said stays."""
    planes = {"east": control_plane, "west": second}
    tokens = {"east": agent_token, "west": second.agent_token()}
    made = {name: plane.apply([node("shared"), pod("same"), pod(f"only-{name}")]) for name, plane in planes.items()}
    paths = {name: plane.kubeconfig(tmp_path / f"{name}.kubeconfig", tokens[name]) for name, plane in planes.items()}
    try:
        with start_agent(CONFIG, **paths) as agent:
            agent.wait_ready(60)
            page = agent.page()
            for name in planes:
                assert page.count(f'kube_pod_info{{cluster="{name}",namespace="default",pod="same"') == 1
                assert page.count(f'kube_pod_info{{cluster="{name}",namespace="default",pod="only-{name}"') == 1
                assert f'kube_node_info{{cluster="{name}",node="shared"' in page
                assert f'kube_namespace_created{{cluster="{name}",namespace="kube-system"}}' in page
            samples = [line.rpartition(" ")[0] for line in page.split("\n") if line and line[0] != "#"]
            assert len(samples) == len(set(samples))
            assert all('{cluster="' in sample for sample in samples)
            second.stop_apiserver()
            control_plane.delete(made["east"][1])
            gone = 'cluster="east",namespace="default",pod="same"'
            agent.wait_page("the change", lambda text: text != "" and gone not in text, 20)
            assert 'kube_pod_info{cluster="west",namespace="default",pod="same"' in agent.page()
    finally:
        for path in ("/api/v1/namespaces/default/pods", "/api/v1/nodes"):
            control_plane.request("DELETE", f"{path}?gracePeriodSeconds=0")
