"""Start the agent with arguments, environment and configuration of the manifests; test probes and scraped paths."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
import yaml

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object, Variant
from tests.harness import Agent, free_port, get, start_agent
from tests.k8s.rendered import FIELDS, config_text, container, environment
from tests.process_tree import wait_for

pytestmark = pytest.mark.cluster
WAYS = {"daemonset": "base", "deployment": "overlays/standalone", "statefulset": "overlays/shards"}


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
    objs = kubectl.build(Variant(("base",), ("prometheus", "prometheus-operator")))
    monitor = next(obj for obj in objs if obj["kind"] == "PodMonitor")
    files = next(obj for obj in objs if obj["metadata"]["name"] == "telegen-prometheus")["data"]
    jobs = [job for name in ("combined", "separate") for job in yaml.safe_load(files[f"{name}.yaml"])["scrape_configs"]]
    return {end["path"] for end in monitor["spec"]["podMetricsEndpoints"]} | {job.get("metrics_path", "/metrics") for job in jobs}
