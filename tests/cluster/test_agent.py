"""The whole agent against a real kube-apiserver, with the rights of k8s/account/rbac.yaml and no more."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.cli.main import main
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.sharding import shard_of
from tests.cluster.control_plane import ControlPlane, Object, Refused, deployment, node, pod
from tests.harness import Agent, start_agent
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.every_version]
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{kubeconfig: {kubeconfig}}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, agent_token: str, tmp_path: Path) -> Path:
    """A kubeconfig of the agent's account."""
    return control_plane.kubeconfig(tmp_path / "kubeconfig", agent_token)


@pytest.fixture
def world(control_plane: ControlPlane) -> Iterator[list[Object]]:
    """Nodes, deployments and pods; deleted at the end."""
    made = control_plane.apply([node("node-1"), node("node-2"), deployment("shop"), *[pod(f"w{n}") for n in range(5)]])
    yield made
    for path in ("/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments", "/api/v1/nodes"):
        control_plane.request("DELETE", f"{path}?gracePeriodSeconds=0")


def lines(text: str) -> list[str]:
    """The samples of a page, sorted."""
    return sorted(line for line in text.split("\n") if line.startswith("kube_"))


def rendered(plane: ControlPlane, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the samples that `telegen render` prints for all objects of the server."""
    served = [table for name, table in RESOURCES.items() if table.default and not plane.lacks(name)]
    objects = [obj for resource in served for obj in plane.objects(resource.path())]
    (folder / "objects.json").write_text(json.dumps({"kind": "List", "items": objects}))
    assert main(["render", str(folder / "objects.json")]) == 0
    return lines(capsys.readouterr().out)


def settles(agent: Agent, plane: ControlPlane, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wait until the page equals `telegen render` for all objects, line for line; no line is there twice."""
    wanted = rendered(plane, folder, capsys)
    wait_for("the page", lambda: lines(agent.page_if_up()) == wanted, 20, 0.1)
    assert len(wanted) == len(set(wanted)) > 50


def test_page_equals_render_through_churn(
    control_plane: ControlPlane, kubeconfig: Path, world: list[Object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After creates, patches, status patches and deletes the page equals `telegen render` for the objects."""
    with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
        agent.wait_ready()
        settles(agent, control_plane, tmp_path, capsys)
        draw, pods = random.Random(1), [obj for obj in world if obj["kind"] == "Pod"]
        for turn in range(60):
            action, chosen = draw.randrange(4), draw.choice(pods)
            if action == 0:
                pods.append(control_plane.create(pod(f"churn-{turn}")))
            elif action == 1 and len(pods) > 3:
                pods.remove(chosen)
                control_plane.delete(chosen)
            elif action == 2:
                control_plane.patch(chosen, {"metadata": {"labels": {"turn": str(turn)}}})
            else:
                phase = draw.choice(["Running", "Failed", "Succeeded"])
                control_plane.patch(chosen, {"status": {"phase": phase, "reason": "Evicted"}}, "status")
        settles(agent, control_plane, tmp_path, capsys)
        assert "error" not in agent.log.read_text()


def test_resources_that_the_server_lacks(control_plane: ControlPlane, kubeconfig: Path, world: list[Object]) -> None:
    """A resource that is newer than the server has no series, no time of a last event and no error; every other one has a time.
    Kubernetes 1.25 lacks four, 1.36 and 1.37 none."""
    default = {name for name, table in RESOURCES.items() if table.default}
    lacking = {name for name in default if control_plane.lacks(name)}
    assert len(lacking) == (4 if control_plane.minor < 30 else 0)
    for name in lacking:
        with pytest.raises(Refused, match="404"):
            control_plane.objects(RESOURCES[name].path())
    with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
        agent.wait_ready()
        telemetry = agent.page("/telemetry")
        times = re.findall(r'^telegen_store_last_event_timestamp_seconds\{.*?store="(\w+)".*?\} (\S+)', telemetry, re.MULTILINE)
        assert {store for store, value in times if float(value)} == default - lacking
        assert "telegen_api_errors_total{" not in telemetry
        families = {family.name for name in lacking for family in RESOURCES[name].families}
        assert not families & {line.partition("{")[0] for line in lines(agent.page())}


def test_api_server_stopped_and_started(
    control_plane: ControlPlane, kubeconfig: Path, world: list[Object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its API server the agent serves what it knew; with it, it catches up with what has changed meanwhile."""
    with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
        agent.wait_ready()
        before = lines(agent.page())
        control_plane.stop_apiserver()
        wait_for("the loss", lambda: "unreachable" in agent.page("/telemetry"), 10)
        assert lines(agent.page()) == before
        control_plane.start_apiserver()
        control_plane.delete(next(obj for obj in world if obj["metadata"]["name"] == "w1"))
        control_plane.create(pod("late"))
        agent.wait_page("the new pod", lambda page: 'pod="late"' in page and 'pod="w1"' not in page, 30)
        settles(agent, control_plane, tmp_path, capsys)


def test_api_server_that_comes_late(control_plane: ControlPlane, kubeconfig: Path, world: list[Object]) -> None:
    """Started before its API server, the agent answers, is not ready, and becomes so."""
    control_plane.stop_apiserver()
    try:
        with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
            agent.wait_page("an answer", lambda page: page == "", 10)
            wait_for("a complaint", lambda: "Connection refused" in agent.log.read_text(), 10)
            control_plane.start_apiserver()
            agent.wait_ready(30)
            assert 'kube_pod_info{namespace="default",pod="w0"' in agent.page()
    finally:
        control_plane.stop_apiserver()
        control_plane.start_apiserver()


def test_shard_by_the_statefulset(control_plane: ControlPlane, kubeconfig: Path, world: list[Object]) -> None:
    """With the rights of k8s/account alone the agent finds its StatefulSet, and follows its replicas."""
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "telegen", "uid": "6e1b3f0c-0000-4000-8000-000000000000"}
    mine = pod("telegen-1")
    mine["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    control_plane.create(mine)
    selector = {"matchLabels": {"app": "telegen"}}
    template = {"metadata": {"labels": {"app": "telegen"}}, "spec": mine["spec"]}
    spec = {"replicas": 2, "serviceName": "telegen", "selector": selector, "template": template}
    metadata = {"name": "telegen", "namespace": "default"}
    made = control_plane.create({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec})

    def belongs(total: int) -> set[str]:
        return {uid for obj in control_plane.objects("/api/v1/pods") if shard_of(uid := obj["metadata"]["uid"], total) == 1}

    def shown(page: str) -> set[str]:
        return set(re.findall(r'^kube_pod_info\{.*?uid="([^"]*)"', page, re.MULTILINE))

    text = CONFIG.replace("{{kubeconfig:", "{{pod: telegen-1, pod_namespace: default, kubeconfig:")
    try:
        with start_agent(text, kubeconfig=kubeconfig) as agent:
            for replicas in (2, 3):
                made = control_plane.patch(made, {"spec": {"replicas": replicas}})
                agent.wait_page(f"one of {replicas}", lambda page: shown(page) == belongs(replicas), 30)
    finally:
        control_plane.delete(made)
