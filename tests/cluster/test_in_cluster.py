"""The agent as a pod: the manifests are applied to a real kube-apiserver, and it finds that server, its account and its
rights as it would in a container, with nothing configured for the test but the address to listen on."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.account import with_account
from tests.cluster.control_plane import ADMIN, ControlPlane, deployment, node, pod
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object
from tests.harness import Agent, clean_environ, free_port, running
from tests.k8s.rendered import config_text, container, environment

pytestmark = [pytest.mark.cluster, pytest.mark.every_version]
RIGHTS = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl as the administrator."""
    return Kubectl.found(control_plane.kubeconfig(tmp_path_factory.mktemp("admin") / "kubeconfig", ADMIN))


@pytest.fixture(scope="module", autouse=True)
def telegen(kubectl: Kubectl) -> None:
    """The namespace of the manifests."""
    kubectl.run("apply", "-f", str(MANIFESTS / "components" / "namespace" / "namespace.yaml"))


@pytest.fixture(scope="module")
def world(control_plane: ControlPlane) -> Iterator[None]:
    """Two nodes with a pod each, one pod without a node, a deployment; gone at the end."""
    control_plane.apply([node("node-1"), node("node-2"), deployment("shop")])
    for name, place in (("here", "node-1"), ("there", "node-2"), ("nowhere", "")):
        made = pod(name)
        made["spec"]["nodeName"] = place
        control_plane.create(made)
    yield
    for path in ("/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments", "/api/v1/nodes"):
        control_plane.request("DELETE", f"{path}?gracePeriodSeconds=0")


@contextlib.contextmanager
def in_pod(objs: list[Object], plane: ControlPlane, folder: Path, **environ: str) -> Iterator[Agent]:
    """The container of some manifests, as far as the agent can tell."""
    config, port = folder / "telegen.yaml", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(config_text(objs))
    arguments = [str(config) if word == "/etc/telegen/telegen.yaml" else word for word in container(objs)["args"]]
    command, cluster = with_account(
        [sys.executable, "-m", "telegen.supervisor", *arguments], plane, folder / "account", plane.token("telegen", "telegen")
    )
    environ = {
        **clean_environ(),
        **environment(objs),
        **environ,
        **cluster,
        "TELEGEN_KUBE_METRICS__LISTEN_ADDRESS": f"127.0.0.1:{port}",
        # The mounts of the manifests are not made here.
        "TELEGEN_KUBE_METRICS__CADVISOR__ROOT": "/",
    }
    with running(command, environ, port, config) as inside:
        yield inside


@pytest.mark.parametrize("where", [".", "overlays/standalone"], ids=["daemonset", "deployment"])
def test_as_applied(where: str, kubectl: Kubectl, control_plane: ControlPlane, world: None, tmp_path: Path) -> None:
    """With the account that `kubectl apply -k` creates, the agent serves all objects of the cluster; in the DaemonSet by its Lease."""
    objs = kubectl.render(MANIFESTS / where)
    kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(obj for obj in objs if obj["kind"] in RIGHTS))
    with in_pod(objs, control_plane, tmp_path) as agent:
        agent.wait_ready(30)
        agent.wait_page("the rest of the cluster", lambda page: 'kube_deployment_created{namespace="default"' in page, 30)
        pods = set(re.findall(r'^kube_pod_info\{namespace="default",pod="([^"]+)"', agent.page(), re.MULTILINE))
        assert pods == {"here", "there", "nowhere"}
        assert "in-cluster" in agent.log.read_text()
        assert "telegen_api_errors_total{" not in agent.page("/telemetry")
    if where == ".":
        lease = control_plane.request("GET", "/apis/coordination.k8s.io/v1/namespaces/telegen/leases/telegen-shard-0")
        # Given back at the end.
        assert not lease["spec"].get("holderIdentity")
        control_plane.request("DELETE", "/apis/coordination.k8s.io/v1/namespaces/telegen/leases")


@pytest.fixture
def shards(kubectl: Kubectl, control_plane: ControlPlane) -> Iterator[list[Object]]:
    """The StatefulSet's manifests, applied, and the two pods that its controller would make."""
    objs = kubectl.render(MANIFESTS / "overlays" / "shards")
    kept = [obj for obj in objs if obj["kind"] in (*RIGHTS, "StatefulSet")]
    kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(kept))
    made = control_plane.request("GET", "/apis/apps/v1/namespaces/telegen/statefulsets/telegen")
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "telegen", "uid": made["metadata"]["uid"], "controller": True}
    template = made["spec"]["template"]
    for number in range(2):
        metadata = {**template["metadata"], "name": f"telegen-{number}", "namespace": "telegen", "ownerReferences": [owner]}
        control_plane.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    yield objs
    for path in ("/api/v1/namespaces/telegen/pods", "/apis/apps/v1/namespaces/telegen/statefulsets"):
        control_plane.request("DELETE", f"{path}?gracePeriodSeconds=0")


def series(agent: Agent) -> set[str]:
    """The series of an agent's page."""
    return {line.rpartition(" ")[0] for line in agent.page().split("\n") if line.startswith("kube_")}


def test_shards_as_applied(
    shards: list[Object], kubectl: Kubectl, control_plane: ControlPlane, world: None, tmp_path: Path
) -> None:
    """The StatefulSet's pods divide everything between them: nothing twice, and together what a single agent has."""
    whole = kubectl.render(MANIFESTS / "overlays" / "standalone")
    with contextlib.ExitStack() as stack:
        agents = [
            stack.enter_context(in_pod(shards, control_plane, tmp_path / f"{number}", POD_NAME=f"telegen-{number}"))
            for number in range(2)
        ]
        alone = stack.enter_context(in_pod(whole, control_plane, tmp_path / "alone"))
        for agent in (*agents, alone):
            agent.wait_ready(60)
        first, second = map(series, agents)
        assert first and second and not first & second
        assert first | second == series(alone)
