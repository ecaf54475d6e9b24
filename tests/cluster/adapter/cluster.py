"""A cluster that scales by the metrics APIs: real servers and controllers, two nodes with agents, two adapters, Prometheus."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.account import with_account
from tests.cluster.adapter import objects
from tests.cluster.adapter.authorities import Authorities
from tests.cluster.adapter.controllers import Controllers, controllers
from tests.cluster.adapter.mounted import mounted
from tests.cluster.adapter.network import own_network
from tests.cluster.adapter.target import Target, scraped
from tests.cluster.adapter.usage_node import UsageNode, running
from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ADMIN, ControlPlane, Object
from tests.cluster.kubectl import Kubectl
from tests.cluster.prometheus import Prometheus
from tests.harness import Agent, clean_environ, free_port
from tests.harness import running as started
from tests.harness import start_agent
from tests.process_tree import wait_for

OWN = "telegen"
"""Namespace of agents and adapters."""
ADAPTER, AGENTS = "telegen-adapter", "telegen-agents"
"""Names of the adapter's Service and account, and of the agents' headless Service."""
AGENTS_SECRET = "telegen-adapter-agents"
AGENT_ADDRESSES = dict(zip(objects.NODES, ("192.0.2.11", "192.0.2.12")))
ADAPTER_ADDRESSES = {"adapter-1": "192.0.2.21", "adapter-2": "192.0.2.22", "adapter-3": "192.0.2.23"}
"""By name of pod; two run at the beginning."""
PORT = 10250
CORES, MEMORY, SWAP = 0.04, 50, 5
"""Cores and mebibytes that each container uses."""
PODS = 4
MAX_STALENESS = 6
"""Seconds."""
RULES = Path(__file__).with_name("rules.yaml")
AGENT_CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: node
  node_name: {node}
  election: {{namespace: telegen}}
  kube_state: {{kubeconfig: {kubeconfig}}}
  cadvisor: {{cgroup_root: {root}/cgroup, proc_root: {root}/proc, sys_root: {root}/sys, root: {root}, collect_interval: 1s}}
adapter: {{agent_address: "{address}:9444", agent_tls_dir: {tls}}}
"""
ADAPTER_CONFIG = """
adapter:
  listen_address: {address}:10250
  telemetry_address: 127.0.0.1:{port}
  poll_interval: 1s
  max_staleness: {max_staleness}s
  rules_file: {rules}
  prometheus: [{{url: {prometheus}}}]
  relist_interval: 1s
"""


@dataclass
class Cluster:
    """The cluster; tests change it and leave it as it was.

    Attributes:
        nodes, agents: by name of node.
        adapters: by name of pod.
        pods: of agents and adapters, by name.
    """

    folder: Path
    authorities: Authorities
    plane: ControlPlane
    kubectl: Kubectl
    target: Target
    stack: contextlib.ExitStack
    controllers: Controllers = field(init=False)
    prometheus: Prometheus = field(init=False)
    nodes: dict[str, UsageNode] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    adapters: dict[str, Agent] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)

    def fill(self) -> None:
        """Create the objects, and the files of the containers of all pods."""
        self.plane.apply([*objects.cluster_objects(), *objects.rights()])
        self.nodes = {name: UsageNode(self.folder / name) for name in objects.NODES}
        for app, count in (("web", PODS), ("api", 2)):
            for number in range(1, count + 1):
                node = objects.NODES[(number - 1) % 2]
                pod = self.plane.create(objects.pod(f"{app}-{number}", node, app))
                self.nodes[node].add(pod, CORES, MEMORY, SWAP)
        self.stack.enter_context(running(list(self.nodes.values())))

    def start_agent(self, node: str) -> None:
        """Start the agent of a node, and create its pod."""
        files = self.folder / f"tls-{node}"
        self.stack.enter_context(mounted(self.plane, OWN, AGENTS_SECRET, files))
        kubeconfig = self.plane.kubeconfig(self.folder / f"kubeconfig-{node}", self.plane.agent_token())
        values = {"node": node, "kubeconfig": kubeconfig, "root": self.nodes[node].root, "address": AGENT_ADDRESSES[node], "tls": files}
        self.agents[node] = self.stack.enter_context(start_agent(AGENT_CONFIG, **values))
        self._create_pod(f"agent-{node}", node, AGENTS, AGENT_ADDRESSES[node])

    def start_adapter(self, name: str) -> None:
        """Start an adapter as in a container, create its pod, and wait until it is ready."""
        address, port = ADAPTER_ADDRESSES[name], free_port()
        folder = self.folder / f"{name}-{port}"
        folder.mkdir()
        config = folder / "config.yaml"
        values = {"rules": RULES, "prometheus": self.prometheus.url, "max_staleness": MAX_STALENESS}
        config.write_text(ADAPTER_CONFIG.format(address=address, port=port, **values))
        command = [sys.executable, "-m", "telegen", "adapter", "--config", str(config)]
        command, environ = with_account(command, self.plane, folder / "account", self.plane.token(OWN, ADAPTER))
        environ |= {**clean_environ(), "POD_NAME": name, "POD_NAMESPACE": OWN}
        self.adapters[name] = self.stack.enter_context(started(command, environ, port, config))
        self.adapters[name].wait_ready(30, 0.1)
        self._create_pod(name, objects.NODES[0], ADAPTER, address)

    def _create_pod(self, name: str, node: str, service: str, address: str) -> None:
        """Create a ready pod that a Service selects."""
        pod = objects.pod(name, node, "", OWN, ("telegen",))
        pod["metadata"]["labels"] = self.plane.request("GET", f"/api/v1/namespaces/{OWN}/services/{service}")["spec"]["selector"]
        pod["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}
        self.pods[name] = self.plane.create(pod)

    def end_adapter(self, name: str) -> None:
        """Delete the pod of an adapter that has ended."""
        self.adapters.pop(name)
        self.plane.delete(self.pods.pop(name))

    def set_ready(self, pod: str, is_ready: bool) -> None:
        """Report as the kubelet does if a pod is ready; the EndpointSlice follows."""
        condition = {**objects.READY[0], "status": str(is_ready)}
        self.plane.patch(self.pods[pod], {"status": {"conditions": [condition]}}, "status")

    def endpoints(self) -> set[str]:
        """Return the addresses that the API server sends requests for metrics to."""
        selector = f"labelSelector=kubernetes.io/service-name={ADAPTER}"
        slices = self.plane.objects(f"/apis/discovery.k8s.io/v1/namespaces/{OWN}/endpointslices?{selector}")
        ready = [one for each in slices for one in each.get("endpoints") or () if one["conditions"].get("ready")]
        return {address for one in ready for address in one["addresses"]}

    def unavailable(self) -> list[str]:
        """Return the APIServices of the metrics APIs that are not available, with the reasons."""
        everything = self.plane.objects("/apis/apiregistration.k8s.io/v1/apiservices")
        services = [one for one in everything if one["spec"].get("group") in objects.GROUPS]
        conditions = [(one["metadata"]["name"], each) for one in services for each in one.get("status", {}).get("conditions", ())]
        bad = [f"{name}: {each['message']}" for name, each in conditions if each["type"] == "Available" and each["status"] != "True"]
        return bad if services and len(conditions) >= len(services) else ["no condition yet"]

    def raw(self, path: str) -> Object:
        """Return a document of a metrics API, through the API server."""
        return dict(self.plane.request("GET", f"/apis/{path}"))

    def replicas(self, deployment: str) -> int:
        """Return the replicas that an autoscaler has decided for a deployment."""
        return int(self.plane.request("GET", f"/apis/apps/v1/namespaces/shop/deployments/{deployment}")["spec"]["replicas"])


@contextlib.contextmanager
def scaled_cluster(folder: Path, manifests: list[Object]) -> Iterator[Cluster]:
    """Run the cluster with the adapter's manifests applied."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_network([*AGENT_ADDRESSES.values(), *ADAPTER_ADDRESSES.values()]))
        authorities = Authorities(folder / "authorities")
        (folder / "control-plane").mkdir()
        control_plane = ControlPlane.running(Programs.found(), folder / "control-plane", *authorities.settings(), users=objects.USERS)
        plane = stack.enter_context(control_plane)
        kubeconfig = plane.kubeconfig(folder / "admin", ADMIN)
        target = Target(PODS)
        cluster = Cluster(folder, authorities, plane, Kubectl.found(kubeconfig), target, stack)
        cluster.controllers = stack.enter_context(controllers(kubeconfig, folder))
        cluster.fill()
        plane.agent_token()  # Creates the namespace.
        plane.apply(manifests)
        cluster.prometheus = stack.enter_context(scraped(target, folder / "prometheus"))
        for node in objects.NODES:
            cluster.start_agent(node)
        for name in list(ADAPTER_ADDRESSES)[:2]:
            cluster.start_adapter(name)
        wait_for("both adapters behind the Service", lambda: len(cluster.endpoints()) == 2, 20, 0.1)
        wait_for("the APIServices", lambda: not cluster.unavailable(), 30, 0.1)
        yield cluster
