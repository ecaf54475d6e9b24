"""A cluster that scales by the metrics APIs: real servers and controllers, two nodes with agents, two adapters, Prometheus."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.adapter import objects
from tests.cluster.adapter.authorities import Authorities
from tests.cluster.adapter.containers import running_container
from tests.cluster.adapter.controllers import Controllers, controllers
from tests.cluster.adapter.mounted import mounted
from tests.cluster.adapter.network import own_network
from tests.cluster.adapter.objects import OWN
from tests.cluster.adapter.target import Target, scraped
from tests.cluster.adapter.usage_node import UsageNode, running
from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ADMIN, ControlPlane, Object
from tests.cluster.helm import CHART, RELEASE, Helm
from tests.cluster.kubectl import Kubectl
from tests.cluster.prometheus import Prometheus
from tests.harness import Agent, get, is_ready
from tests.k8s.rendered import ADAPTER, AGENT, workload
from tests.process_tree import wait_for

SERVICE = "telegen-adapter"
AGENTS_SECRET = "telegen-adapter-agents"
AGENT_ADDRESSES = dict(zip(objects.NODES, ("192.0.2.11", "192.0.2.12")))
ADAPTER_ADDRESSES = {"adapter-1": "192.0.2.21", "adapter-2": "192.0.2.22"}
"""By name of pod."""
PORT = 10250
CORES, MEMORY, SWAP = 0.04, 50, 5
"""Cores and mebibytes that each container uses."""
PODS = 4
MAX_STALENESS = 6
"""Seconds."""
RULES = Path(__file__).with_name("rules.yaml")
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
FIRST = {"adapter": {"enabled": True, "groups": ["metrics.k8s.io"]}}
VALUES = {"adapter": {"enabled": True, "groups": list(objects.GROUPS), "v1": True}}
"""Values of the chart at its installation, and after an upgrade. Its objects are those of components/adapter, as tests/k8s compares."""


@dataclass
class Cluster:
    """The cluster; tests change it and leave it as it was.

    Attributes:
        manifests: the objects of the chart.
        nodes, agents: by name of node.
        adapters: by name of pod.
        pods: of agents and adapters, by name.
    """

    folder: Path
    authorities: Authorities
    plane: ControlPlane
    kubectl: Kubectl
    manifests: list[Object]
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

    def start_agents(self) -> None:
        """Start the agents of all nodes, with short intervals, and create their pods."""
        for node, address in AGENT_ADDRESSES.items():
            name, root, files = f"agent-{node}", self.nodes[node].root, self.folder / f"tls-{node}"
            self.stack.enter_context(mounted(self.plane, OWN, AGENTS_SECRET, files))
            settings = {
                "KUBE_METRICS__LISTEN_ADDRESS": f"{address}:8080",
                "KUBE_METRICS__SCOPE": "node",
                "KUBE_METRICS__CADVISOR__CGROUP_ROOT": root / "cgroup",
                "KUBE_METRICS__CADVISOR__PROC_ROOT": root / "proc",
                "KUBE_METRICS__CADVISOR__SYS_ROOT": root / "sys",
                "KUBE_METRICS__CADVISOR__ROOT": root,
                "KUBE_METRICS__CADVISOR__COLLECT_INTERVAL": "1s",
                "ADAPTER__AGENT_ADDRESS": f"{address}:9444",
                "ADAPTER__AGENT_TLS_DIR": files,
            }
            self.agents[node] = self._start(AGENT, name, [sys.executable, "-m", "telegen.supervisor"], settings, node)
            self._create_pod(AGENT, name, node, address)

    def start_adapters(self, *names: str) -> None:
        """Start adapters with short intervals, wait until they are ready, create their pods, and wait for requests to come."""
        for name in names:
            settings = {
                "ADAPTER__LISTEN_ADDRESS": f"{ADAPTER_ADDRESSES[name]}:{PORT}",
                "ADAPTER__POLL_INTERVAL": "1s",
                "ADAPTER__MAX_STALENESS": f"{MAX_STALENESS}s",
                "ADAPTER__TLS__PROPAGATION": "3s",
                "ADAPTER__RULES_FILE": RULES,
                "ADAPTER__PROMETHEUS": f"[{{url: {self.prometheus.url}, timeout: 2s}}]",
                "ADAPTER__RELIST_INTERVAL": "1s",
            }
            self.adapters[name] = self._start(ADAPTER, name, [sys.executable, "-m", "telegen", "adapter"], settings)
        for name in names:
            _wait_ready(self.adapters[name])
            self._create_pod(ADAPTER, name, objects.NODES[0], ADAPTER_ADDRESSES[name])
        wait_for("adapters behind the Service", lambda: len(self.endpoints()) == len(self.adapters), 20, 0.1)
        wait_for("the APIServices", lambda: not self.unavailable(), 30, 0.1)
        wait_for("discovery of the metrics APIs", lambda: not self.stale(), 70, 0.1)

    def _start(self, container: str, name: str, command: list[str], settings: Mapping[str, object], node: str = "") -> Agent:
        started = running_container(self.plane, self.manifests, self.folder, container, name, command, settings, node)
        return self.stack.enter_context(started)

    def _create_pod(self, container: str, name: str, node: str, address: str) -> None:
        """Create a ready pod of a workload of the manifests."""
        template = workload(self.manifests, container)["spec"]["template"]
        metadata = {"name": name, "namespace": OWN, "labels": template["metadata"]["labels"]}
        status = {"phase": "Running", "conditions": objects.READY, "podIP": address, "podIPs": [{"ip": address}]}
        spec = {**template["spec"], "nodeName": node}
        self.pods[name] = self.plane.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status})

    def install(self, helm: Helm) -> None:
        """Install the chart, and upgrade it while the API that it has registered has no pod behind it yet."""
        helm.run("install", RELEASE, str(CHART), "-n", OWN, values=FIRST)
        helm.run("upgrade", RELEASE, str(CHART), "-n", OWN, values=VALUES)

    def uninstall(self, helm: Helm) -> None:
        """Uninstall the chart, with adapters that serve: no API is left behind, but the Secrets that the adapter has made."""
        helm.run("uninstall", RELEASE, "-n", OWN)
        services = self.plane.objects("/apis/apiregistration.k8s.io/v1/apiservices")
        assert not [one["metadata"]["name"] for one in services if one["spec"].get("group") in objects.GROUPS]
        secrets = {one["metadata"]["name"] for one in self.plane.objects(f"/api/v1/namespaces/{OWN}/secrets")}
        assert secrets == {AGENTS_SECRET, f"{SERVICE}-ca"}

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
        selector = f"labelSelector=kubernetes.io/service-name={SERVICE}"
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

    def stale(self) -> list[str]:
        """Return the versions of metrics APIs that discovery does not have yet.

        The API server reads discovery documents some time after an APIService has become available, and again after a minute; until then
        kubectl takes the version for one that does not exist.
        """
        items = self.plane.request("GET", "/apis", accept=DISCOVERY)["items"]
        found = [(one["metadata"]["name"], version) for one in items for version in one["versions"]]
        metrics = {f"{group}/{one['version']}": one.get("freshness") for group, one in found if group in objects.GROUPS}
        return [name for name, freshness in metrics.items() if freshness != "Current"] if metrics else ["nothing yet"]

    def raw(self, path: str) -> Object:
        """Return a document of a metrics API, through the API server."""
        return dict(self.plane.request("GET", f"/apis/{path}"))

    def replicas(self, deployment: str) -> int:
        """Return the replicas that an autoscaler has decided for a deployment."""
        return int(self.plane.request("GET", f"/apis/apps/v1/namespaces/shop/deployments/{deployment}")["spec"]["replicas"])


def _wait_ready(adapter: Agent) -> None:
    def is_up() -> bool:
        assert adapter.process.poll() is None, "the adapter has ended"
        return is_ready(adapter.url)

    try:
        wait_for("the adapter", is_up, 20, 0.1)
    except TimeoutError as error:
        raise AssertionError(get(f"{adapter.url}/readyz").body) from error


@contextlib.contextmanager
def scaled_cluster(folder: Path) -> Iterator[Cluster]:
    """Run the cluster, with the chart installed; it is uninstalled at the end."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_network([*AGENT_ADDRESSES.values(), *ADAPTER_ADDRESSES.values()]))
        authorities = Authorities(folder / "authorities")
        (folder / "control-plane").mkdir()
        control_plane = ControlPlane.running(Programs.found(), folder / "control-plane", *authorities.settings(), users=objects.USERS)
        plane = stack.enter_context(control_plane)
        kubeconfig = plane.kubeconfig(folder / "admin", ADMIN)
        kubectl, helm, target = Kubectl.found(kubeconfig), Helm.found(kubeconfig), Target(PODS)
        cluster = Cluster(folder, authorities, plane, kubectl, helm.render(VALUES), target, stack)
        cluster.controllers = stack.enter_context(controllers(kubeconfig, folder))
        cluster.fill()
        cluster.install(helm)
        cluster.prometheus = stack.enter_context(scraped(target, folder / "prometheus"))
        cluster.start_agents()
        cluster.start_adapters(*ADAPTER_ADDRESSES)
        yield cluster
        cluster.uninstall(helm)
