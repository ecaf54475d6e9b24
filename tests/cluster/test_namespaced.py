"""The whole agent with the rights of a Role in one namespace, against a real kube-apiserver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.control_plane import ControlPlane, node, pod
from tests.harness import get, start_agent

pytestmark = pytest.mark.cluster
NAMESPACE = "namespaced"
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{kubeconfig: {kubeconfig}, namespaces: [namespaced]}}
  cadvisor: {{enabled: false}}
"""
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
RIGHTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": NAMESPACE}},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": NAMESPACE},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["list", "watch"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader", "namespace": NAMESPACE},
        "roleRef": ROLE,
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}],
    },
]


def test_account_of_one_namespace(control_plane: ControlPlane, tmp_path: Path) -> None:
    """The agent is ready, serves the objects of the namespace, and /readyz names each resource of the cluster that it may not list."""
    control_plane.apply([*RIGHTS, node("node-1"), pod("here", NAMESPACE), pod("elsewhere")])
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", control_plane.token(NAMESPACE, "reader"))
    try:
        with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
            agent.wait_ready(30)
            ready = get(f"{agent.url}/readyz").body.decode().splitlines()
            assert ready[0] == "ok"
            assert "nodes: 403 Forbidden: no right to" in "\n".join(ready)
            assert not any(line.startswith(("pods", "deployments")) for line in ready)
            page = agent.page()
            assert 'pod="here"' in page and 'pod="elsewhere"' not in page and "\nkube_node_info{" not in page
    finally:
        control_plane.request("DELETE", "/api/v1/nodes")
        for namespace in (NAMESPACE, "default"):
            control_plane.request("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0")
