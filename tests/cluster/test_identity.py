"""The cluster's UID as a label, by a real kube-apiserver and with the rights of k8s/account alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.harness import get, start_agent
from tests.process_tree import wait_for

pytestmark = pytest.mark.cluster
CONFIG = """
kubernetes: {{cluster_uid: true}}
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{kubeconfig: {kubeconfig}, resources: [namespaces]}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


def test_uid_of_a_real_cluster(control_plane: ControlPlane, agent_token: str, tmp_path: Path) -> None:
    """The label is the UID of the real namespace, found with the rights that the agent has anyway."""
    (uid,) = [
        obj["metadata"]["uid"]
        for obj in control_plane.objects("/api/v1/namespaces")
        if obj["metadata"]["name"] == "kube-system"
    ]
    with start_agent(CONFIG, kubeconfig=control_plane.kubeconfig(tmp_path / "config", agent_token)) as agent:
        agent.wait_ready()
        assert f'kube_namespace_created{{cluster="{uid}",namespace="kube-system"}}' in agent.page()
        assert "WARNING" not in agent.log.read_text().upper()


def test_account_without_the_right(control_plane: ControlPlane, agent_token: str, tmp_path: Path) -> None:
    """An account that may do nothing waits, and the log has the server's refusal and the cure."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": "default"}}
    made = control_plane.create(account)
    try:
        kubeconfig = control_plane.kubeconfig(tmp_path / "config", control_plane.token("default", "nobody"))
        with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
            wait_for("the cure", lambda: "needs the rights to list and watch namespaces" in agent.log.read_text(), 20)
            assert 'User "system:serviceaccount:default:nobody" cannot' in agent.log.read_text()
            assert get(f"{agent.url}/readyz").body.startswith(b"kubernetes.cluster_uid: ")
    finally:
        control_plane.delete(made)
