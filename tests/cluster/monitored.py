"""A small cluster with one of every trouble, as its Prometheus sees it: objects on a real API server, agents, discovery, scrapes, rules."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import OPERATOR, Programs, need
from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.kubectl import Kubectl, Object
from tests.cluster.prometheus import Prometheus, operator_config, prometheus
from tests.cluster.recorded_node import growing, make_empty_node, make_node
from tests.harness import Agent, free_port, start_agent
from tests.k8s.rendered import config_text, container, workload
from tests.process_tree import wait_for

OBJECTS = Path(__file__).parent / "world" / "objects.json"
CONTAINERS_NODE = "node-0"
"""The node of the pods whose control files are recorded."""
NODES = (CONTAINERS_NODE, "node-1", "node-3")
"""Nodes with an agent; node-2 has none."""
INTERVAL = "2s"
"""Between two scrapes, and two evaluations of rules."""
DEFINITIONS = ("podmonitors", "prometheusrules")
MONITORS = "monitoring.coreos.com/v1"


@dataclass
class Monitored:
    """The cluster: its API server, its agents by node, and the manifests that were applied."""

    plane: ControlPlane
    agents: dict[str, Agent]
    manifests: list[Object]
    folder: Path

    def of_kind(self, kind: str) -> list[Object]:
        """Return the applied manifests of a kind."""
        return [obj for obj in self.manifests if obj["kind"] == kind]

    def token_file(self, namespace: str, account: str) -> Path:
        """Write a token of an account into a file."""
        path = self.folder / f"token-{account}"
        path.write_text(self.plane.token(namespace, account))
        return path

    def operators_configuration(self, account: tuple[str, str]) -> Object:
        """Return the configuration that the operator makes of the monitors; Prometheus discovers targets with this account."""
        (self.folder / "ca.crt").write_bytes(self.plane.certificate)
        access = {
            "host": self.plane.url,
            "bearerTokenFile": str(self.token_file(*account)),
            "tlsConfig": {"caFile": str(self.folder / "ca.crt")},
        }
        spec = {"scrapeInterval": INTERVAL, "evaluationInterval": INTERVAL, "apiserverConfig": access}
        metadata = {"name": "k8s", "namespace": account[0]}
        return operator_config({"metadata": metadata, "spec": spec}, [*self.of_kind("PodMonitor"), *self.of_kind("PrometheusRule")])

    def own_configuration(self, config: Object, account: tuple[str, str]) -> Object:
        """Return a configuration of a user, with the jobs of `scrape_config_files` as they would find the cluster from inside.

        Only the address of the API server and the credentials are added.
        """
        (self.folder / "ca.crt").write_bytes(self.plane.certificate)
        access = {
            "api_server": self.plane.url,
            "authorization": {"credentials_file": str(self.token_file(*account))},
            "tls_config": {"ca_file": str(self.folder / "ca.crt")},
        }
        jobs = [*config.get("scrape_configs", ())]
        for path in config.get("scrape_config_files", ()):
            jobs += yaml.safe_load(Path(path).read_text())["scrape_configs"]
        for job in jobs:
            job["kubernetes_sd_configs"] = [{**one, **access} for one in job["kubernetes_sd_configs"]]
        intervals = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        return {"global": intervals, "rule_files": config.get("rule_files", []), "scrape_configs": jobs}

    @contextlib.contextmanager
    def observed(self, config: Object, rules: Mapping[str, Any] | None = None) -> Iterator[Prometheus]:
        """Run Prometheus with a configuration and with the groups of further rules."""
        folder = self.folder / f"prometheus-{free_port()}"
        folder.mkdir()
        more = [{"groups": obj["spec"]["groups"]} for obj in self.of_kind("PrometheusRule")] + ([rules] if rules else [])
        for number, one in enumerate(more):
            (folder / f"rules-{number}.yaml").write_text(yaml.safe_dump(one))
        files = [*config.get("rule_files", []), *map(str, sorted(folder.glob("rules-*.yaml")))]
        with prometheus({**config, "rule_files": files}, folder) as server:
            yield server


@contextlib.contextmanager
def monitored(manifests: list[Object], folder: Path) -> Iterator[Monitored]:
    """Run a cluster with applied manifests, which have the DaemonSet, and the agents of three nodes."""
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.running(Programs.found(), _made(folder / "control-plane")))
        kubectl = Kubectl.found(plane.kubeconfig(folder / "admin", ADMIN))
        _define_monitors(kubectl)
        _create_monitoring(plane)
        kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(manifests))
        root = make_node(folder / CONTAINERS_NODE, _create_objects(plane))
        stack.enter_context(growing(root))
        roots = {node: root if node == CONTAINERS_NODE else make_empty_node(folder / node) for node in NODES}
        agents = {node: stack.enter_context(_agent(plane, manifests, node, roots[node], folder)) for node in NODES}
        for agent in agents.values():
            agent.wait_ready(60)
        yield Monitored(plane, agents, manifests, folder)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _define_monitors(kubectl: Kubectl) -> None:
    """Create the kinds of the Prometheus operator."""
    (program,) = need([OPERATOR], os.environ)
    files = [word for name in DEFINITIONS for word in ("-f", str(program.with_name(f"monitoring.coreos.com_{name}.yaml")))]
    kubectl.run("apply", "--server-side", *files)
    kubectl.run("wait", "--for=condition=established", "--timeout=30s", *files)


def _create_monitoring(plane: ControlPlane) -> None:
    """Create the account of kube-prometheus, which has no rights here but those that the manifests give."""
    plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})
    plane.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus-k8s", "namespace": "monitoring"}})


def _create_objects(plane: ControlPlane) -> dict[str, str]:
    """Create the objects; return the UIDs of pods by the recorded ones."""
    uids = {}
    for obj in json.loads(OBJECTS.read_text()):
        recorded = obj["metadata"].pop("uid", "")
        made = plane.create(obj)
        if recorded:
            uids[recorded] = made["metadata"]["uid"]
    return uids


@contextlib.contextmanager
def _agent(plane: ControlPlane, manifests: list[Object], node: str, root: Path, folder: Path) -> Iterator[Agent]:
    """Create the DaemonSet's pod of a node, as its controller and the kubelet would, and run its agent."""
    port, name = free_port(), f"telegen-{node}"
    namespace = workload(manifests)["metadata"]["namespace"]
    plane.create(_pod(manifests, name, node, port))
    kubeconfig = plane.kubeconfig(folder / f"kubeconfig-{node}", plane.token(namespace, container_account(manifests)))
    settings = {
        "KUBE_STATE__KUBECONFIG": kubeconfig,
        "SCOPE": "node",  # In a pod it is detected.
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "CADVISOR__CGROUP_ROOT": root / "cgroup",
        "CADVISOR__PROC_ROOT": root / "proc",
        "CADVISOR__SYS_ROOT": root / "sys",
        "CADVISOR__ROOT": root,
        "CADVISOR__COLLECT_INTERVAL": "1s",
    }
    environ = {f"TELEGEN_KUBE_METRICS__{key}": str(value) for key, value in settings.items()}
    environ |= {"NODE_NAME": node, "POD_NAME": name, "POD_NAMESPACE": namespace}
    text = config_text(manifests).replace("{", "{{").replace("}", "}}")
    with start_agent(text, port=port, environ=environ) as agent:
        yield agent


def container_account(manifests: list[Object]) -> str:
    """Return the name of the pods' account."""
    return str(workload(manifests)["spec"]["template"]["spec"]["serviceAccountName"])


def _pod(manifests: list[Object], name: str, node: str, port: int) -> Object:
    """Return a pod of the template that listens on a port of this machine."""
    daemonset = copy.deepcopy(workload(manifests))
    template = daemonset["spec"]["template"]
    (port_of_template,) = container([daemonset])["ports"]
    port_of_template["containerPort"] = port
    status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    metadata = {**template["metadata"], "name": name, "namespace": daemonset["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**template["spec"], "nodeName": node}, "status": status}


def wait_targets(server: Prometheus, count: int) -> list[Any]:
    """Wait until Prometheus has scraped this number of targets, all with success; return them."""

    def are_up() -> bool:
        return [target["health"] for target in server.targets()] == ["up"] * count

    try:
        wait_for("targets", are_up, 30, 0.5)
    except TimeoutError as error:
        raise AssertionError([(one["scrapeUrl"], one["health"], one["lastError"]) for one in server.targets()]) from error
    return server.targets()
