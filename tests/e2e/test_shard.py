"""An agent whose shard follows from its pod's ordinal and its StatefulSet's replicas."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from telegen.demo.server import SimulatedServer
from telegen.kubestate.sharding import shard_of
from tests.harness import FAST, Agent, get, start_agent
from tests.process_tree import wait_for

TEXT = FAST.replace("kube_state:", "kube_state:\n    pod: {pod}\n    pod_namespace: watching")
OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "telegen", "uid": "u", "controller": True}


def pod(name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    """A pod with these owners."""
    metadata = {"name": name, "namespace": "watching", "uid": f"uid-{name}", "ownerReferences": list(owners)}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": []}, "status": {}}


def scale(server: SimulatedServer, replicas: int, start: int = 0) -> None:
    """Make the StatefulSet have so many replicas."""
    metadata = {"name": "telegen", "namespace": "watching", "uid": "uid-set"}
    spec = {"replicas": replicas, "ordinals": {"start": start}}
    server.state.put("statefulsets", {"kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": metadata, "spec": spec})


def shown(agent: Agent) -> set[str]:
    """UIDs of the pods on the page."""
    return set(re.findall(r'^kube_pod_info\{.*?uid="([^"]*)"', agent.page_if_up("/metrics/kubestate"), re.MULTILINE))


def wanted(server: SimulatedServer, number: int, total: int) -> set[str]:
    """UIDs of the pods of a shard."""
    uids = {stored.load()["metadata"]["uid"] for stored in server.state.collections["pods"].objects.values()}
    return {uid for uid in uids if shard_of(uid, total) == number}


def test_shard_follows_the_replicas(server: SimulatedServer) -> None:
    """Not ready before the StatefulSet is there; then ordinal and replicas decide, counted from ordinals.start; a pod that is
    beyond the replicas shows nothing; all of it without a failed scrape and with the rights that list and watch give."""
    server.state.put("pods", pod("telegen-6", OWNER))
    with start_agent(TEXT, url=server.url, pod="telegen-6") as agent:
        wait_for("the warning", lambda: "the StatefulSet of pod telegen-6 does not exist" in agent.log.read_text(), 10)
        assert b"pods: not synced yet" in get(f"{agent.url}/readyz").body
        assert shown(agent) == set()
        for replicas, start, shard in [(2, 5, (1, 2)), (3, 5, (1, 3)), (1, 6, (0, 1)), (1, 5, (1, 1)), (4, 3, (3, 4))]:
            scale(server, replicas, start)
            wait_for(f"shard {shard}", lambda: shown(agent) == wanted(server, *shard), 15)
            agent.wait_ready()
            own = agent.page("/telemetry")
            assert f"telegen_shard_ordinal {shard[0]}.0" in own and f"telegen_total_shards {shard[1]}.0" in own
        server.state.delete("statefulsets", "watching", "telegen")
        wait_for("the loss", lambda: "keeping the shard" in agent.log.read_text(), 10)
        assert shown(agent) == wanted(server, 3, 4) != set()
        agent.configure(agent.config.read_text().replace("    pod: telegen-6\n    pod_namespace: watching\n", ""))
        wait_for("everything", lambda: shown(agent) == wanted(server, 0, 1), 15)
        assert "ERROR" not in agent.log.read_text()


@pytest.mark.parametrize(
    ("name", "owners", "message"),
    [
        ("telegen-0", [], "telegen-0: it belongs to no StatefulSet"),
        ("telegen-0", [{**OWNER, "controller": False}], "telegen-0: it belongs to no StatefulSet"),
        ("telegen-0", [{**OWNER, "kind": "ReplicaSet"}], "telegen-0: it belongs to a ReplicaSet, not to a StatefulSet"),
        ("telegen-x", [OWNER], "telegen-x: its name is not telegen- and a number"),
        ("other-0", [OWNER], "other-0: its name is not telegen- and a number"),
        ("absent-0", None, "absent-0: there is no such pod"),
    ],
)
def test_pod_that_can_have_no_shard(
    server: SimulatedServer, name: str, owners: list[dict[str, Any]] | None, message: str
) -> None:
    """The agent ends with status 4 and one line that says what is wrong with which pod."""
    if owners is not None:
        server.state.put("pods", pod(name, *owners))
    scale(server, 2)
    with start_agent(TEXT, url=server.url, pod=name) as agent:
        assert agent.process.wait(60) == 4
        assert agent.log.read_text().count(f"kube_metrics.kube_state.pod: watching/{message}") == 1


def test_shard_when_the_api_server_is_late(server: SimulatedServer) -> None:
    """Refusals and failures are waited out."""
    server.state.put("pods", pod("telegen-0", OWNER))
    scale(server, 2)
    server.levers.failures = [503] * 3
    with start_agent(TEXT, url=server.url, pod="telegen-0") as agent:
        wait_for("a complaint", lambda: "pod watching/telegen-0: 503" in agent.log.read_text(), 10)
        wait_for("the shard", lambda: shown(agent) == wanted(server, 0, 2), 15)


@pytest.mark.parametrize(("before", "shard"), [(TEXT, (1, 2)), (FAST, (0, 1))], ids=["with a shard", "without one"])
@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("absent-0", "absent-0: there is no such pod"),
        ("lonely-0", "lonely-0: it belongs to no StatefulSet"),
        ("telegen-x", "telegen-x: its name is not telegen- and a number"),
    ],
)
def test_reload_with_a_pod_that_can_have_no_shard(
    server: SimulatedServer, before: str, shard: tuple[int, int], name: str, cause: str
) -> None:
    """The running agent keeps its configuration and its shard, and logs one line with the cause."""
    for each, owners in (("telegen-1", [OWNER]), ("lonely-0", []), ("telegen-x", [OWNER])):
        server.state.put("pods", pod(each, *owners))
    scale(server, 2)
    with start_agent(before, url=server.url, pod="telegen-1") as agent:
        agent.wait_ready()
        wait_for("its pods", lambda: shown(agent) == wanted(server, *shard), 10)
        processes = agent.named("telegen-watch-pods")
        agent.configure(TEXT.format(port=agent.port, url=server.url, pod=name) + "web: {threads: 3}\n")
        line = f"reload failed: kube_metrics.kube_state.pod: watching/{cause}; the old configuration stays in force"
        wait_for("the refusal", lambda: line in agent.log.read_text(), 10)
        assert agent.log.read_text().count(cause) == 1
        assert agent.named("telegen-watch-pods") == processes
        assert shown(agent) == wanted(server, *shard)
        agent.configure(TEXT.format(port=agent.port, url=server.url, pod="telegen-1"))
        wait_for("the shard", lambda: shown(agent) == wanted(server, 1, 2), 15)


def test_reload_with_a_pod_while_the_api_server_is_silent(server: SimulatedServer) -> None:
    """Without an answer of the API server the pod cannot be checked: the old configuration stays, and says so."""
    with start_agent(FAST, url=server.url) as agent, socket.create_server(("127.0.0.1", 0)) as silent:
        agent.wait_ready()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        agent.configure(TEXT.format(port=agent.port, url=url, pod="telegen-0"))
        wait_for("the refusal", lambda: "reload failed: no answer within 5 s" in agent.log.read_text(), 15)
        assert agent.process.poll() is None and shown(agent) == wanted(server, 0, 1)
