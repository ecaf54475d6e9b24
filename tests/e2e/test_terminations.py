"""Ends of containers in a whole agent: a folder stands for the node's cgroups, a simulated API server has its pods."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from telegen.demo.server import SimulatedServer
from tests.cadvisor.page import v2_tree, write
from tests.cadvisor.test_terminations import LIMITED, ended
from tests.e2e.test_names import some_pod
from tests.harness import Agent, start_agent
from tests.otlp.receiver import Answer, ScriptedReceiver, scripted
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  node_name: {node}
  kube_state: {{apiserver: '{url}', resources: [namespaces]}}
  cadvisor: {{collect_interval: 1s, cgroup_root: {root}, pod_labels: [app]}}
  logs_streaming: {{enabled: {logs}, flush_interval: 100ms}}
  otlp: {{endpoint: '{receiver}'}}
  terminations: {{{settings}}}
api: {{backoff_initial: 50ms, backoff_max: 500ms, read_timeout: 10s}}
supervisor: {{backoff_initial: 100ms, backoff_max: 1s}}
"""
LINE = re.compile(r'^telegen_container_terminations_total\{namespace="([^"]+)",pod="([^"]+)",container="app",reason="(\w+)"\} (\d+)$', re.M)


def counts(agent: Agent, pod: dict[str, Any]) -> dict[str, int]:
    """Return the counts of a pod by reason."""
    own = (pod["metadata"]["namespace"], pod["metadata"]["name"])
    return {reason: int(count) for *names, reason, count in LINE.findall(agent.page_if_up()) if tuple(names) == own}


def records(receiver: ScriptedReceiver) -> list[dict[str, Any]]:
    """Return the attributes of each record and of its resource, in one."""
    return [
        {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in (*logs.resource.attributes, *record.attributes)}
        for request in receiver.received
        for logs in request.logs.resource_logs
        for scope in logs.scope_logs
        if scope.scope.name == "telegen.terminations"
        for record in scope.log_records
    ]


def begin(root: Path, pod: dict[str, Any], id: str) -> Path:
    """Make the cgroup of a run of the pod's container; return its folder."""
    uid = pod["metadata"]["uid"].replace("-", "_")
    folder = v2_tree(root) / "kubepods.slice" / f"kubepods-pod{uid}.slice" / f"cri-containerd-{id}.scope"
    write(folder, **LIMITED)
    return folder


def set_status(server: SimulatedServer, pod: dict[str, Any], id: str, restarts: int, state: Any, last: Any) -> None:
    """Write the status of the pod's container."""
    status = {"name": "app", "containerID": f"containerd://{id}", "restartCount": restarts, "state": state, "lastState": last}
    server.state.put("pods", {**pod, "status": {**pod["status"], "containerStatuses": [status]}})


def test_end_of_a_container(server: SimulatedServer, tmp_path: Path) -> None:
    """One log joins the status with the last readings of a cgroup that is gone. A sampler that is killed repeats nothing, and the next
    end is sent by its successor."""
    pod, first, second = some_pod(server), "1a" * 32, "2b" * 32
    folder = begin(tmp_path, pod, first)
    set_status(server, pod, first, 0, {"running": {}}, {})
    with scripted() as receiver:
        values = {"node": pod["spec"]["nodeName"], "url": server.url, "receiver": receiver.url, "root": tmp_path}
        with start_agent(CONFIG, **values, logs="true", settings="enabled: true") as agent:
            wait_for("the counts", lambda: counts(agent, pod) == {"Completed": 0, "Error": 0, "OOMKilled": 0}, 20)
            wait_for("the cgroup", lambda: first in agent.page(), 10)
            shutil.rmtree(folder)
            set_status(server, pod, first, 0, ended(first, "OOMKilled", 137), {})
            wait_for("the log", lambda: len(records(receiver)) == 1, 10)
            (record,) = records(receiver)
            wanted = {
                "k8s.namespace.name": pod["metadata"]["namespace"],
                "k8s.pod.name": pod["metadata"]["name"],
                "k8s.pod.label.app": pod["metadata"]["labels"]["app"],
                "k8s.container.name": "app",
                "k8s.node.name": pod["spec"]["nodeName"],
                "service.instance.id": pod["spec"]["nodeName"],
                "container.id": first,
                "process.exit.code": 137,
                "telegen.termination.memory.peak": 400,
                "telegen.termination.cpu.throttled_ratio": 0.25,
                "telegen.termination.oom_kills": 2,
                "telegen.signal.subcategory": "Container Terminations",
            }
            assert wanted.items() <= record.items()
            wait_for("the count", lambda: counts(agent, pod)["OOMKilled"] == 1, 5)
            agent.named("telegen-sample")[0].kill()
            wait_for("a successor", lambda: counts(agent, pod).get("OOMKilled") == 0, 20)
            set_status(server, pod, second, 1, ended(second), ended(first, "OOMKilled", 137))
            wait_for("the next log", lambda: len(records(receiver)) == 2, 10)
            assert records(receiver)[1]["container.id"] == second
            wait_for("the next count", lambda: counts(agent, pod) == {"Completed": 0, "Error": 1, "OOMKilled": 0}, 5)
            sent = 'telegen_terminations_handled_total{outcome="sent"} 2.0'
            wait_for("the logs that were sent", lambda: sent in agent.page("/telemetry"), 10)


def test_end_while_the_receiver_is_away(server: SimulatedServer, tmp_path: Path) -> None:
    """Logs wait for the receiver, the last ones to the end of the agent; the severity selects."""
    pod = some_pod(server)
    begin(tmp_path, pod, "1a" * 32)
    set_status(server, pod, "r0", 0, {"running": {}}, {})
    with scripted() as receiver:
        values = {"node": pod["spec"]["nodeName"], "url": server.url, "receiver": receiver.url, "root": tmp_path}
        with start_agent(CONFIG, **values, logs="true", settings="minimum_severity: warning") as agent:
            wait_for("the counts", lambda: bool(counts(agent, pod)), 20)
            receiver.usual = Answer(503)
            set_status(server, pod, "r0", 0, ended("r0", "Completed", 0), {})
            set_status(server, pod, "r1", 1, ended("r1"), ended("r0", "Completed", 0))
            wait_for("a try", lambda: bool(receiver.tried), 10)
            wait_for("the counts", lambda: counts(agent, pod) == {"Completed": 1, "Error": 1, "OOMKilled": 0}, 10)
            receiver.usual = Answer()
            agent.process.terminate()
            assert agent.process.wait(60) == 0
        assert [record["container.id"] for record in records(receiver)] == ["r1"]


def test_counts_without_logs(server: SimulatedServer, tmp_path: Path) -> None:
    """The scrape has the counts while no logs are sent, and no process has OTLP for them; `enabled: false` turns all of it off."""
    pod = some_pod(server)
    begin(tmp_path, pod, "1a" * 32)
    values = {"node": pod["spec"]["nodeName"], "url": server.url, "receiver": "http://127.0.0.1:1", "root": tmp_path, "logs": "false"}
    with start_agent(CONFIG, **values, settings="enabled: true") as agent:
        wait_for("the counts", lambda: bool(counts(agent, pod)), 20)
        set_status(server, pod, "r0", 4, ended("r0"), {})
        wait_for("the count", lambda: counts(agent, pod)["Error"] == 1, 10)
        assert "telegen_terminations_handled_total" not in agent.page("/telemetry")
    with start_agent(CONFIG, **values, settings="enabled: false") as agent:
        agent.wait_page("the containers", lambda page: "container_cpu_usage" in page)
        assert "telegen_container_terminations_total" not in agent.page()
