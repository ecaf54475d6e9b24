"""Start the agent with arguments, environment and configuration of the manifests; test probes and scraped paths."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.certificates import self_signed, signed
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object, Variant
from tests.harness import Agent, free_port, get, start_agent
from tests.k8s.rendered import FIELDS, config_text, container, environment
from tests.process_tree import wait_for

pytestmark = pytest.mark.cluster
WAYS = {"daemonset": "base", "deployment": "overlays/standalone", "statefulset": "overlays/shards", "namespaced": "overlays/namespaced"}


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
def started(objs: list[Object], url: str, changed: Mapping[str, str] | None = None) -> Iterator[Agent]:
    """Start the agent of rendered manifests; its listen address, its API server, the mount of the host's / and what is `changed` differ."""
    environ = environment(objs) | {"TELEGEN_KUBE_METRICS__KUBE_STATE__APISERVER": url, "TELEGEN_KUBE_METRICS__CADVISOR__ROOT": "/"}
    if "NODE_NAME" in environ:
        # In a pod the scope is detected.
        environ["TELEGEN_KUBE_METRICS__SCOPE"] = "node"
    flag, _, *more = container(objs)["args"]
    assert flag == "--config"
    port = free_port()
    environ |= {"TELEGEN_KUBE_METRICS__LISTEN_ADDRESS": f"127.0.0.1:{port}", **(changed or {})}
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
        # The agent's own pod has no node.
        everywhere = {""} if way == "namespaced" else {"", *(f"node-{number}" for number in range(4))}
        assert nodes == (nodes & everywhere if way == "statefulset" else everywhere)
        assert ("container_cpu_usage_seconds_total{" in agent.page()) == (way == "daemonset")


def scraped_paths(kubectl: Kubectl) -> set[str]:
    """Return paths of the PodMonitor and of the scrape configurations."""
    objs = kubectl.build(Variant(("base",), ("prometheus", "prometheus-operator")))
    monitor = next(obj for obj in objs if obj["kind"] == "PodMonitor")
    files = next(obj for obj in objs if obj["metadata"]["name"] == "telegen-prometheus")["data"]
    jobs = [job for name in ("combined", "separate") for job in yaml.safe_load(files[f"{name}.yaml"])["scrape_configs"]]
    return {end["path"] for end in monitor["spec"]["podMetricsEndpoints"]} | {job.get("metrics_path", "/metrics") for job in jobs}


def test_https_with_client_certificates(kubectl: Kubectl, server: SimulatedServer, tmp_path: Path) -> None:
    """With components/web-tls scrapes need a certificate, also of the agent's own metrics; the probes' port needs none."""
    objs = kubectl.build(Variant(("overlays/standalone",), ("web-tls",)))
    (tmp_path / "web.yml").write_text(next(obj["data"]["web.yml"] for obj in objs if obj["metadata"]["name"] == "telegen-web"))
    authority = self_signed(tmp_path, "ca", "DNS:ca")
    (tmp_path / "ca.crt").write_bytes(authority[0].read_bytes())
    certificate, key = signed(tmp_path, "telegen", "DNS:telegen", authority)
    certificate.rename(tmp_path / "tls.crt"), key.rename(tmp_path / "tls.key")
    client = signed(tmp_path, "client", "DNS:client", authority)
    second = free_port()
    given = {"TELEGEN_WEB__WEB_CONFIG_FILE": str(tmp_path / "web.yml"), "TELEGEN_KUBE_METRICS__TELEMETRY_ADDRESS": f"127.0.0.1:{second}"}
    assert given.keys() <= environment(objs).keys()
    with started(objs, server.url, given) as agent:
        wait_for("readiness", lambda: is_ready(second), 30)
        for path in ("/metrics/kubestate", "/telemetry"):
            assert https_status(agent.port, path, authority[0], client) == 200
            assert https_status(agent.port, path, authority[0], None) == 0


def is_ready(port: int) -> bool:
    """Return the answer of the probes' port; False while nothing listens on it."""
    with contextlib.suppress(ConnectionError):
        return get(f"http://127.0.0.1:{port}/readyz").status == 200
    return False


def https_status(port: int, path: str, authority: Path, client: tuple[Path, Path] | None) -> int:
    """Return the status of a request to the server that is named `telegen`; 0 if it refuses the certificate."""
    context = ssl.create_default_context(cafile=str(authority))
    if client:
        context.load_cert_chain(*client)
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain, server_hostname="telegen") as secured:
        try:
            secured.sendall(f"GET {path} HTTP/1.1\r\nHost: telegen\r\nConnection: close\r\n\r\n".encode())
            line = secured.makefile("rb").readline()
        except (ssl.SSLError, ConnectionError):
            return 0
    return int(line.split()[1]) if line else 0
