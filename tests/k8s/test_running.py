"""Start the agent with arguments, environment and configuration of the manifests; test probes and Prometheus' scrape configuration."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object
from tests.harness import Agent, free_port, get, start_agent
from tests.k8s.rendered import FIELDS, config_text, container, environment
from tests.process_tree import wait_for

pytestmark = pytest.mark.cluster
WAYS = {"daemonset": ".", "deployment": "overlays/standalone", "statefulset": "overlays/shards"}


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatedServer]:
    """A small cluster with the agent's own StatefulSet."""
    state = make_state(SyntheticCluster(30, 4))
    own = {"namespace": "telegen", "uid": "00000000-0000-4000-8000-000000000000"}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "telegen", "uid": own["uid"], "controller": True}
    pod = {"name": FIELDS["metadata.name"], "namespace": "telegen", "uid": "00000000-0000-4000-8000-000000000001"}
    state.put("statefulsets", {"metadata": {"name": "telegen", **own}, "spec": {"replicas": 2}, "status": {"replicas": 2}})
    state.put("pods", {"metadata": {**pod, "ownerReferences": [owner]}, "spec": {"containers": []}, "status": {"phase": "Running"}})
    server = SimulatedServer(state).start()
    yield server
    server.stop()


@contextlib.contextmanager
def started(objs: list[Object], url: str) -> Iterator[Agent]:
    """Start the agent of rendered manifests; only its listen address, its API server and the mount of the host's / differ."""
    environ = environment(objs) | {"TELEGEN_KUBE_METRICS__KUBE_STATE__APISERVER": url, "TELEGEN_KUBE_METRICS__CADVISOR__ROOT": "/"}
    if "NODE_NAME" in environ:
        # In a pod the scope is detected.
        environ["TELEGEN_KUBE_METRICS__SCOPE"] = "node"
    flag, _, *more = container(objs)["args"]
    assert flag == "--config"
    port = free_port()
    environ["TELEGEN_KUBE_METRICS__LISTEN_ADDRESS"] = f"127.0.0.1:{port}"
    text = config_text(objs).replace("{", "{{").replace("}", "}}")
    with start_agent(text, *more, port=port, environ=environ) as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_probes_are_answered(way: str, kubectl: Kubectl, server: SimulatedServer) -> None:
    """Once the agent is ready, paths of probes and scrapes return 200, and the page has the pods of the manifests' scope."""
    objs = kubectl.render(MANIFESTS / WAYS[way])
    with started(objs, server.url) as agent:
        agent.wait_ready(30)
        probes = {container(objs)[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        scraped = scraped_paths(kubectl) - (set() if way == "daemonset" else {"/metrics/cadvisor"})
        for path in probes | scraped:
            assert get(f"{agent.url}{path}").status == 200, path
        if way == "daemonset":
            # An agent may be ready before it serves its shard: a Lease that does not exist is taken, and served after renew_deadline.
            wait_for("the shard", lambda: ',node="",' in agent.page(), 30)
        nodes = set(re.findall(r'^kube_pod_info\{.*,node="([^"]*)"', agent.page(), re.MULTILINE))
        everywhere = {"", *(f"node-{number}" for number in range(4))}
        assert nodes == (nodes & everywhere if way == "statefulset" else everywhere)
        assert ("container_cpu_usage_seconds_total{" in agent.page()) == (way == "daemonset")


def scraped_paths(kubectl: Kubectl) -> set[str]:
    """Return paths of the PodMonitor and of the scrape configurations."""
    objs = kubectl.render(MANIFESTS / "overlays" / "prometheus-operator")
    monitor = next(obj for obj in objs if obj["kind"] == "PodMonitor")
    jobs = [job for name in ("combined", "separate") for job in scrape_jobs(name)]
    return {end["path"] for end in monitor["spec"]["podMetricsEndpoints"]} | {job.get("metrics_path", "/metrics") for job in jobs}


def scrape_jobs(name: str) -> list[Any]:
    """Return the jobs of a scrape configuration."""
    text = (MANIFESTS / "overlays" / "prometheus" / f"{name}.yaml").read_text()
    return list(yaml.safe_load(text)["scrape_configs"])


@contextlib.contextmanager
def prometheus(jobs: list[Any], folder: Path) -> Iterator[str]:
    """Run Prometheus; yield its URL."""
    port = free_port()
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def query(url: str, expression: str) -> list[Any]:
    """Return the result of an instant query, [] while Prometheus does not listen."""
    try:
        answer = get(f"{url}/api/v1/query?query={quote(expression)}", timeout=10)
    except OSError:
        return []
    return list(json.loads(answer.body)["data"]["result"]) if answer.status == 200 else []


def discovered(job: Any, port: int) -> Any:
    """Return the job with static targets in place of discovery: the agent, another pod, and a pod that has ended.

    Targets have the labels that discovery would set. Relabelling must keep the agent only.
    """
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    labels = {
        "__meta_kubernetes_pod_label_app": "telegen",
        "__meta_kubernetes_pod_container_port_name": "metrics",
        "__meta_kubernetes_pod_node_name": "node-1",
        "__meta_kubernetes_pod_phase": "Running",
    }
    away = [{"__meta_kubernetes_pod_label_app": "other"}, {"__meta_kubernetes_pod_phase": "Failed"}]
    others = [{"targets": [f"127.0.0.1:{at}"], "labels": {**labels, **what}} for at, what in enumerate(away, 1)]
    return {**job, "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}, *others]}


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ["combined", "separate"])
def test_prometheus_scrapes_it(name: str, kubectl: Kubectl, server: SimulatedServer, tmp_path: Path) -> None:
    """With the shipped scrape configuration each target is up, no label is renamed to exported_*, and no series is there twice."""
    with started(kubectl.render(MANIFESTS), server.url) as agent:
        agent.wait_ready(30)
        jobs = [discovered(job, agent.port) for job in scrape_jobs(name)]
        with prometheus(jobs, tmp_path) as url:
            wait_for("container metrics", lambda: bool(query(url, "container_cpu_usage_seconds_total")), 30, 0.2)
            wait_for("pods", lambda: bool(query(url, "kube_pod_info")), 30, 0.2)
            wait_for("every job", lambda: len(query(url, "up")) == len(jobs), 30, 0.2)
            assert [sample["value"][1] for sample in query(url, "up")] == ["1"] * len(jobs)
            assert query(url, 'count by (__name__) ({__name__=~".+", exported_namespace!=""})') == []
            shown = query(url, "kube_pod_info")
            assert {sample["metric"]["namespace"] for sample in shown} == namespaces(agent)
            assert query(url, "count by (namespace, pod) (kube_pod_info) > 1") == []
            assert {sample["metric"]["instance"] for sample in shown} == {"telegen"}
            if name == "separate":
                wanted = 'container_cpu_usage_seconds_total{node="node-1",metrics_path="/metrics/cadvisor"}'
                assert len(query(url, wanted)) == len(query(url, "container_cpu_usage_seconds_total"))


def namespaces(agent: Agent) -> set[str]:
    """Return the namespaces of the pods on the agent's page."""
    lines = [line for line in agent.page().split("\n") if line.startswith("kube_pod_info{")]
    return {line.partition('namespace="')[2].partition('"')[0] for line in lines}
