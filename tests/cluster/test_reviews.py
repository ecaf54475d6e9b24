"""`web.auth: kubernetes` against a real kube-apiserver: tokens of accounts, their rights, and the agent's own."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.control_plane import ControlPlane, Object
from tests.harness import Agent, free_port, is_ready, start_agent
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
RBAC = "rbac.authorization.k8s.io"
COMPONENT = Path(__file__).parents[2] / "k8s" / "components" / "auth"
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  telemetry_address: 127.0.0.1:{second}
  kube_state: {{kubeconfig: {kubeconfig}, resources: [namespaces]}}
  cadvisor: {{enabled: false}}
  separate_endpoints: true
web: {{auth: kubernetes, workers: 1}}
"""


def account(name: str) -> Object:
    """An account of the namespace telegen."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "telegen"}}


def binding(role: str, account: str) -> Object:
    """The binding of a role to an account."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{role}-{account}"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "telegen"}],
    }


@pytest.fixture
def tokens(control_plane: ControlPlane, agent_token: str) -> Iterator[dict[str, str]]:
    """Tokens of a scraper with the role of the component, and of an account without it."""
    added = yaml.safe_load((COMPONENT / "reviews.yaml").read_text())
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "reviews"}, "rules": [one["value"] for one in added]}
    reader = yaml.safe_load((COMPONENT / "reader.yaml").read_text())
    bindings = [binding("reviews", "telegen"), binding("telegen-reader", "scraper")]
    made = control_plane.apply([account("scraper"), account("stranger"), role, reader, *bindings])
    yield {name: control_plane.token("telegen", name) for name in ("scraper", "stranger")}
    for obj in made:
        control_plane.delete(obj)


def status(agent: Agent, token: str, path: str = "/metrics") -> tuple[int, str]:
    """Return status and body of a request with a token."""
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=20)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_tokens_and_rights(control_plane: ControlPlane, agent_token: str, tokens: dict[str, str], tmp_path: Path) -> None:
    """An account with the role is served, one without it gets 403 with its name, other tokens and none get 401; probes are open
    on the second address; while the API server is down, a client that was served goes on being served."""
    second, kubeconfig = free_port(), control_plane.kubeconfig(tmp_path / "kubeconfig", agent_token)
    with start_agent(CONFIG, second=second, kubeconfig=kubeconfig) as agent:
        wait_for("/readyz", lambda: is_ready(f"http://127.0.0.1:{second}"), 30)
        wait_for("the right to review", lambda: status(agent, tokens["scraper"])[0] == 200, 30)
        assert "kube_namespace_created" in status(agent, tokens["scraper"], "/metrics/kubestate")[1]
        assert status(agent, tokens["stranger"]) == (403, "Forbidden: system:serviceaccount:telegen:stranger may not get /metrics\n")
        assert status(agent, "x.y.z") == (401, "Unauthorized: the token is not valid\n")
        assert status(agent, "")[0] == 401
        assert status(agent, tokens["scraper"], "/elsewhere")[0] == 403
        control_plane.stop_apiserver()
        try:
            assert status(agent, tokens["scraper"])[0] == 200
            assert status(agent, "a.b.c")[0] == 503
        finally:
            control_plane.start_apiserver()
        log = agent.log.read_text()
        assert not any(token in log for token in (*tokens.values(), agent_token))
