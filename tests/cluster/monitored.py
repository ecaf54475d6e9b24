"""A small cluster with one of every trouble, as its Prometheus sees it: objects on a real API server, agents, discovery, scrapes, rules."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.kubectl import Kubectl, Object
from tests.cluster.operator_kinds import defined
from tests.cluster.prometheus import Prometheus, operator_config, prometheus
from tests.cluster.recorded_node import growing, make_empty_node, make_node
from tests.harness import Agent, free_port, start_agent
from tests.k8s.documents import MIGRATION, render_recipe, shown
from tests.k8s.rendered import config_text, environment, workload
from tests.process_tree import wait_for

OBJECTS = Path(__file__).parent / "world" / "objects.json"
CONTAINERS_NODE = "node-0"
"""The node of the pods whose control files are recorded."""
NODES = (CONTAINERS_NODE, "node-1", "node-3")
"""Nodes with an agent; node-2 has none."""
INTERVAL = "2s"
"""Between two scrapes, and two evaluations of rules."""
MONITORS = "monitoring.coreos.com/v1"
ANYWHERE = ("monitoring", "prometheus")
"""An account of Prometheus that may discover all pods, as that of kube-prometheus-stack."""
KUBE_PROMETHEUS = ("monitoring", "prometheus-k8s")
"""Namespace and name of the account of kube-prometheus."""


ALLOWLIST = "--metric-labels-allowlist=*=[*]"
"""Flag of agents and of kube-state-metrics: the mixin has two of the families with labels of objects."""
NAMESPACE: Object = {"apiVersion": "v1", "kind": "Namespace"}
PORT = 9443
"""The one of the manifests."""
_addresses = (ipaddress.IPv4Address("127.16.0.0") + number for number in itertools.count(secrets.randbelow(1 << 22)))
"""Loopback addresses for pods. All agents listen on one port, and other runs of tests have other addresses."""


@dataclass
class Monitored:
    """The cluster: its API server, its agents by pod, and a folder for files."""

    plane: ControlPlane
    kubectl: Kubectl
    agents: dict[str, Agent]
    folder: Path

    def access(self, account: tuple[str, str]) -> tuple[str, Path, Path]:
        """Return URL and CA of the API server and a file with a token of an account."""
        token, authority = self.folder / f"token-{account[1]}", self.folder / "ca.crt"
        token.write_text(self.plane.token(*account))
        authority.write_bytes(self.plane.certificate)
        return self.plane.url, authority, token

    def operators_configuration(self, manifests: list[Object], account: tuple[str, str] = KUBE_PROMETHEUS) -> Object:
        """Return the configuration that the operator makes of the manifests; Prometheus discovers targets with this account."""
        url, authority, token = self.access(account)
        access = {"host": url, "bearerTokenFile": str(token), "tlsConfig": {"caFile": str(authority)}}
        spec = {"scrapeInterval": INTERVAL, "evaluationInterval": INTERVAL, "apiserverConfig": access}
        server = {"metadata": {"name": "k8s", "namespace": account[0]}, "spec": spec}
        made: Object = operator_config(server, [obj for obj in manifests if obj["apiVersion"] == MONITORS])
        return {**made, "rule_files": self._rule_files(manifests)}

    def _rule_files(self, manifests: list[Object]) -> list[str]:
        """Write the rules of PrometheusRules as the operator does."""
        paths = []
        for obj in [obj for obj in manifests if obj["kind"] == "PrometheusRule"]:
            paths.append(self.folder / f"{obj['metadata']['name']}.yaml")
            paths[-1].write_text(yaml.safe_dump(obj["spec"]))
        return list(map(str, paths))

    def own_configuration(self, config: Object, account: tuple[str, str]) -> Object:
        """Return a user's configuration, with the jobs of `scrape_config_files` in it.

        Inside the cluster Prometheus finds address and credentials of the API server by itself; here they are added.
        """
        url, authority, token = self.access(account)
        credentials = {"authorization": {"credentials_file": str(token)}, "tls_config": {"ca_file": str(authority)}}
        jobs = list(config.get("scrape_configs", ()))
        for path in config.get("scrape_config_files", ()):
            jobs += yaml.safe_load(Path(path).read_text())["scrape_configs"]
        for job in jobs:
            job["kubernetes_sd_configs"] = [{**one, "api_server": url, **credentials} for one in job["kubernetes_sd_configs"]]
        intervals = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        return {"global": intervals, "rule_files": config.get("rule_files", []), "scrape_configs": jobs}

    def recipe(self, name: str, **values: Any) -> tuple[Object, int]:
        """Return the configuration of Prometheus by a recipe of docs/migration.md, and its number of targets for the agents."""
        manifests = render_recipe(self.kubectl, name, **values)
        pages = 3 * len(NODES)
        if any(obj["kind"] == "PodMonitor" for obj in manifests):
            account = ANYWHERE if name == "kube-prometheus-stack" else KUBE_PROMETHEUS
            return self.operators_configuration(manifests, account), pages
        files = next(obj["data"] for obj in manifests if obj["metadata"]["name"] == "telegen-prometheus")
        for file, text in files.items():
            (self.folder / file).write_text(text)
        config = yaml.safe_load(shown(MIGRATION, "prometheus.yml", name).replace("/etc/telegen", str(self.folder)))
        return self.own_configuration(config, ANYWHERE), pages

    @contextlib.contextmanager
    def observed(self, config: Object, count: int) -> Iterator[Prometheus]:
        """Run Prometheus with a configuration; wait until this number of targets is up."""
        folder = self.folder / f"prometheus-{free_port()}"
        folder.mkdir()
        with prometheus(config, folder) as server:
            wait_targets(server, count)
            yield server

    @contextlib.contextmanager
    def daemonset(self, manifests: list[Object], namespace: str = "telegen") -> Iterator[dict[str, Agent]]:
        """Apply manifests and run an agent of them on each of `NODES`; yield the agents by node."""
        own = [] if any(obj["kind"] == "Namespace" for obj in manifests) else [NAMESPACE | {"metadata": {"name": namespace}}]
        self.kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all([*own, *manifests]))
        with contextlib.ExitStack() as stack:
            agents = {}
            for node in NODES:
                files = self.folder / node / "root" if node == CONTAINERS_NODE else make_empty_node(self.folder / f"{namespace}-{node}")
                agents[node] = stack.enter_context(self.agent(manifests, f"telegen-{node}", node, files))
            for agent in agents.values():
                agent.wait_ready(60)
            yield agents

    @contextlib.contextmanager
    def agent(self, manifests: list[Object], name: str, node: str, root: Path) -> Iterator[Agent]:
        """Create a pod of the manifests' workload on a node, as its controller and the kubelet would, and run its agent.

        Args:
            root: the files of the node.
        """
        address = str(next(_addresses))
        pod = self.plane.create(_pod(self.plane, manifests, name, node, address))
        namespace = pod["metadata"]["namespace"]
        token = self.plane.token(namespace, pod["spec"]["serviceAccountName"])
        settings = {
            "KUBE_STATE__KUBECONFIG": self.plane.kubeconfig(self.folder / f"kubeconfig-{namespace}-{name}", token),
            "LISTEN_ADDRESS": f"{address}:{PORT}",
            "CADVISOR__CGROUP_ROOT": root / "cgroup",
            "CADVISOR__PROC_ROOT": root / "proc",
            "CADVISOR__SYS_ROOT": root / "sys",
            "CADVISOR__ROOT": root,
            "CADVISOR__COLLECT_INTERVAL": "1s",
            # In a pod it is detected.
            **({"SCOPE": "node"} if workload(manifests)["kind"] == "DaemonSet" else {}),
        }
        environ = environment(manifests) | {f"TELEGEN_KUBE_METRICS__{key}": str(value) for key, value in settings.items()}
        environ |= {"NODE_NAME": node, "POD_NAME": name, "POD_NAMESPACE": namespace}
        text = config_text(manifests).replace("{", "{{").replace("}", "}}")
        with start_agent(text, ALLOWLIST, port=PORT, environ=environ) as agent:
            agent.url = f"http://{address}:{PORT}"
            yield agent


@contextlib.contextmanager
def monitored(folder: Path, recipe: str = "kube-prometheus") -> Iterator[Monitored]:
    """Run a cluster with the manifests of a recipe of docs/migration.md applied, and the agents of three nodes."""
    with contextlib.ExitStack() as stack:
        (folder / "control-plane").mkdir()
        plane = stack.enter_context(ControlPlane.running(Programs.found(), folder / "control-plane"))
        kubectl = Kubectl.found(plane.kubeconfig(folder / "admin", ADMIN))
        stack.enter_context(defined(kubectl))
        _create_accounts(plane)
        cluster = Monitored(plane, kubectl, {}, folder)
        root = make_node(folder / CONTAINERS_NODE, _create_objects(plane))
        stack.enter_context(growing(root))
        cluster.agents |= stack.enter_context(cluster.daemonset(render_recipe(kubectl, recipe)))
        yield cluster


def _create_accounts(plane: ControlPlane) -> None:
    """Create accounts of Prometheus: one with the rights that the manifests give, and one that may discover all pods."""
    plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})
    for namespace, name in (KUBE_PROMETHEUS, ANYWHERE):
        plane.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "discovery"}}
    plane.create({**rbac, "kind": "ClusterRole", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "discovery"}
    subject = {"kind": "ServiceAccount", "namespace": ANYWHERE[0], "name": ANYWHERE[1]}
    plane.create({**rbac, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]})


def _create_objects(plane: ControlPlane) -> dict[str, str]:
    """Create the objects; return the UIDs of pods by the recorded ones."""
    uids = {}
    for obj in json.loads(OBJECTS.read_text()):
        recorded = obj["metadata"].pop("uid", "")
        made = plane.create(obj)
        if recorded:
            uids[recorded] = made["metadata"]["uid"]
    return uids


def _pod(plane: ControlPlane, manifests: list[Object], name: str, node: str, address: str) -> Object:
    """Return a running pod of the workload's template."""
    applied = workload(manifests)
    namespace, kind = applied["metadata"]["namespace"], applied["kind"]
    made = plane.request("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s/{applied['metadata']['name']}")
    identity = {"name": made["metadata"]["name"], "uid": made["metadata"]["uid"]}
    owner = {"apiVersion": "apps/v1", "kind": kind, **identity, "controller": True}
    metadata = {**applied["spec"]["template"]["metadata"], "name": name, "namespace": namespace, "ownerReferences": [owner]}
    spec = {**applied["spec"]["template"]["spec"], "nodeName": node}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def wait_targets(server: Prometheus, count: int) -> list[Any]:
    """Wait until Prometheus has scraped this number of targets, all with success; return them."""

    def are_up() -> bool:
        return [target["health"] for target in server.targets()] == ["up"] * count

    try:
        wait_for("targets", are_up, 30, 0.5)
    except TimeoutError as error:
        raise AssertionError([(one["scrapeUrl"], one["health"], one["lastError"]) for one in server.targets()]) from error
    return server.targets()
