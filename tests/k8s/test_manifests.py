"""The manifests against the code: what they name exists, and what they promise is kept. (That an API server takes them
is shown in tests/cluster.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from telegen import __version__
from telegen.config import Config, load, not_effective
from telegen.config.detect import detect
from telegen.kubestate.checks import selection_problems
from telegen.supervisor.plan import Plan, make_plan
from tests.cluster.kubectl import COMPONENTS, MANIFESTS, MODES, VARIANTS, Kubectl, Object, Variant
from tests.cluster.prometheus import promtool
from tests.k8s.combinations import V1, V1BETA2
from tests.k8s.rendered import config_text, container, environment, pod_spec, workload

pytestmark = pytest.mark.cluster
IN_CLUSTER = {
    "NODE_NAME": "node-1",
    "POD_NAME": "telegen-0",
    "POD_NAMESPACE": "telegen",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


PROMETHEUS, OPERATOR = (MANIFESTS / "components" / name for name in ("prometheus", "prometheus-operator"))
HARDENED = Variant(("base",), ("hardened",))


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest, kubectl: Kubectl) -> list[Object]:
    """The objects of each variant in turn."""
    return kubectl.build(request.param)


def config(objs: list[Object], folder: Path) -> Config:
    """That file, loaded as the pod would."""
    path = folder / "telegen.yaml"
    path.write_text(config_text(objs))
    return load(str(path), environment(objs))


def test_the_configuration_is_valid(variant: list[Object], tmp_path: Path) -> None:
    """The ConfigMap holds a file that the agent takes: no unknown key, nothing without effect."""
    settings = config(variant, tmp_path)
    assert not list(selection_problems(settings))
    assert not_effective(settings) == []


def test_the_environment_is_used(variant: list[Object]) -> None:
    """Every variable of the pod is one that the code or the configuration asks for, and what the latter asks for is there."""
    given = set(environment(variant))
    asked = set(re.findall(r"\$\{(\w+)\}", config_text(variant)))
    sources = [path.read_text() for folder in ("telegen", "workers") for path in (MANIFESTS.parent / folder).rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', text)}
    assert asked <= given <= asked | read


def test_ports_and_times(variant: list[Object], tmp_path: Path) -> None:
    """The container's port is the one that the agent listens on, and it has longer to end than it takes."""
    settings = config(variant, tmp_path)
    (port,) = container(variant)["ports"]
    assert port == {"name": "metrics", "containerPort": settings.kube_metrics.listen_address.port}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(variant)[probe]["httpGet"]["port"] == port["name"]
    assert pod_spec(variant)["terminationGracePeriodSeconds"] >= settings.supervisor.grace_period + 5
    services = [obj["spec"]["ports"] for obj in variant if obj["kind"] == "Service"]
    assert all(given["targetPort"] == port["name"] for ports in services for given in ports)


def test_selectors_find_the_pods(variant: list[Object]) -> None:
    """Whatever selects pods by labels selects ours; every mount has its volume."""
    labels = workload(variant)["spec"]["template"]["metadata"]["labels"].items()
    assert workload(variant)["spec"]["selector"]["matchLabels"].items() <= labels
    for obj in variant:
        if obj["kind"] == "Service":
            assert obj["spec"]["selector"].items() <= labels
    mounted = [mount["name"] for mount in container(variant)["volumeMounts"]]
    assert sorted(mounted) == sorted(volume["name"] for volume in pod_spec(variant)["volumes"])


def test_image_and_account(variant: list[Object]) -> None:
    """The image is of this version and of no registry in particular; account and namespace are those of the rights."""
    assert container(variant)["image"] == f"telegen:{__version__}"
    account = next(obj for obj in variant if obj["kind"] == "ServiceAccount")["metadata"]
    assert pod_spec(variant)["serviceAccountName"] == account["name"]
    for obj in variant:
        for subject in obj.get("subjects", ()):
            assert (subject["name"], subject["namespace"]) == (account["name"], account["namespace"])
    assert {obj["metadata"].get("namespace", "telegen") for obj in variant} == {account["namespace"]}


def test_nothing_writes_to_the_image(variant: list[Object]) -> None:
    """Root file systems are read-only; requests are set; memory and ephemeral storage have limits, CPU has none."""
    assert container(variant)["securityContext"]["readOnlyRootFilesystem"] is True
    resources = container(variant)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}
    assert set(resources["limits"]) == {"memory", "ephemeral-storage"}


@pytest.mark.parametrize("name", [V1, V1BETA2])
def test_flow_control_applies_to_the_account(name: str, variant: list[Object]) -> None:
    """The FlowSchema applies to the requests of the account that the agents of each variant have."""
    text = (MANIFESTS / "components" / name / "flowschema.yaml").read_text()
    (schema,) = [obj for obj in yaml.safe_load_all(text) if obj["kind"] == "FlowSchema"]
    account = next(obj for obj in variant if obj["kind"] == "ServiceAccount")["metadata"]
    users = {"kind": "ServiceAccount", "serviceAccount": {"namespace": account["namespace"], "name": account["name"]}}
    assert any(users in rule["subjects"] for rule in schema["spec"]["rules"])


def host_paths(objs: list[Object]) -> dict[str, bool]:
    """Return the mounted paths of the node; True means read-only."""
    read_only = {mount["name"]: mount.get("readOnly", False) for mount in container(objs)["volumeMounts"]}
    return {
        volume["hostPath"]["path"]: read_only[volume["name"]]
        for volume in pod_spec(objs)["volumes"]
        if "hostPath" in volume
    }


@pytest.mark.parametrize("name", ["standalone", "shards", "namespaced"])
def test_cluster_part_mounts_nothing_of_the_node(name: str, kubectl: Kubectl, tmp_path: Path) -> None:
    """Deployment and StatefulSet serve kube_* only, and mount nothing of the host."""
    objs = kubectl.render(MANIFESTS / "overlays" / name)
    assert not config(objs, tmp_path).kube_metrics.cadvisor.enabled
    assert host_paths(objs) == {} and "hostPID" not in pod_spec(objs)


def test_the_hardened_agent_has_no_privileges(kubectl: Kubectl) -> None:
    """No root, no capability, no escalation, the runtime's seccomp profile; the host read-only."""
    objs = kubectl.build(HARDENED)
    assert container(objs)["securityContext"] == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    security = pod_spec(objs)["securityContext"]
    assert security["runAsNonRoot"] and security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(host_paths(objs).values())


def test_the_daemonset_runs_everywhere(kubectl: Kubectl) -> None:
    """On every Linux node, evicted last."""
    objs = kubectl.render(MANIFESTS)
    spec = pod_spec(objs)
    assert workload(objs)["kind"] == "DaemonSet" and spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["priorityClassName"] == "system-node-critical"


@pytest.mark.parametrize("daemonset", [Variant(("base",)), HARDENED], ids=str)
def test_the_daemonset_sees_its_node(daemonset: Variant, kubectl: Kubectl, tmp_path: Path) -> None:
    """The host's processes, and its files where the configuration looks for them, read-only."""
    objs = kubectl.build(daemonset)
    assert pod_spec(objs)["hostPID"] is True and all(host_paths(objs).values())
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod_spec(objs)["volumes"] if "hostPath" in volume}
    mounted = {paths[mount["name"]]: mount["mountPath"] for mount in container(objs)["volumeMounts"] if mount["name"] in paths}
    settings = config(objs, tmp_path).kube_metrics.cadvisor
    assert mounted == {"/": settings.root, "/sys/fs/cgroup": settings.cgroup_root}


def plan_of(objs: list[Object], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of the pod, with the token of its account."""
    monkeypatch.setattr("telegen.supervisor.plan.detect", lambda *given: detect(*given, exists=lambda path: True))
    return make_plan(config(objs, folder), IN_CLUSTER)


def rights(objs: list[Object], kind: str) -> list[Object]:
    """The rules of all roles of a kind."""
    return [rule for obj in objs if obj["kind"] == kind for rule in obj["rules"]]


def test_node_part_alone(kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The DaemonSet of overlays/node may read pods and nothing else, and never takes a Lease."""
    objs = kubectl.render(MANIFESTS / "overlays" / "node")
    assert workload(objs)["kind"] == "DaemonSet"
    assert rights(objs, "ClusterRole") == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    assert rights(objs, "Role") == []
    assert [one.name for one in plan_of(objs, tmp_path, monkeypatch).assignments] == ["sample", "web"]


def test_no_right_in_the_whole_cluster(kubectl: Kubectl) -> None:
    """overlays/namespaced has no ClusterRole; another copy of namespace-rights gives the rights of another namespace to its account."""
    objs = kubectl.render(MANIFESTS / "overlays" / "namespaced")
    assert not [obj for obj in objs if obj["kind"].startswith("Cluster")]
    shop = kubectl.build(Variant(("namespace-rights",)), namespace="shop")
    assert {obj["metadata"]["namespace"] for obj in shop} == {"shop"}
    (account,) = [obj["metadata"] for obj in objs if obj["kind"] == "ServiceAccount"]
    (binding,) = [obj for obj in shop if obj["kind"] == "RoleBinding"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}]


@pytest.mark.parametrize("component", [(), ("secrets",)], ids=["without", "with"])
def test_secrets_of_a_daemonset(component: tuple[str, ...], kubectl: Kubectl, tmp_path: Path) -> None:
    """The DaemonSet has neither the right to list Secrets nor the resource; components/secrets adds both."""
    objs = kubectl.build(Variant(("base",), component))
    state = config(objs, tmp_path).kube_metrics.kube_state
    granted = {name for rule in rights(objs, "ClusterRole") for name in rule["resources"]}
    assert ("secrets" not in state.resources_exclude) == ("secrets" in granted) == bool(component)


def test_cluster_part_alone(kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Deployment of overlays/cluster serves kube_* under a Lease, touches no node, and shares nothing but the namespace with
    overlays/node."""
    objs, others = (kubectl.render(MANIFESTS / "overlays" / name) for name in ("cluster", "node"))
    assert workload(objs)["kind"] == "Deployment" and workload(objs)["spec"]["replicas"] == 2
    assert host_paths(objs) == {} and "hostPID" not in pod_spec(objs)
    plan = plan_of(objs, tmp_path, monkeypatch)
    assert plan.group and {one.kind for one in plan.assignments} == {"watch", "elect", "web"}
    base = [obj for obj in kubectl.build(Variant(("base",), ("secrets",))) if obj["kind"] in ("ClusterRole", "Role")]
    assert [obj["rules"] for obj in objs if obj["kind"] in ("ClusterRole", "Role")] == [obj["rules"] for obj in base]
    shared = [obj for obj in objs if obj["metadata"]["name"] in {other["metadata"]["name"] for other in others}]
    assert shared == []
    selectors = [workload(some)["spec"]["selector"]["matchLabels"] for some in (objs, others)]
    assert selectors[0] != selectors[1]


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ["combined", "separate"])
def test_prometheus_takes_the_scrape_configuration(name: str) -> None:
    """promtool finds nothing wrong with it, and its jobs keep what the manifests make."""
    path = PROMETHEUS / f"{name}.yaml"
    for job in yaml.safe_load(path.read_text())["scrape_configs"]:
        kept = {rule["source_labels"][0]: rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"}
        assert kept == {
            "__meta_kubernetes_pod_label_app": "telegen",
            "__meta_kubernetes_pod_container_port_name": "metrics",
        }
    promtool("check", "config", path)


def test_every_folder_is_told_of() -> None:
    """k8s/README.md names every overlay and component."""
    text = (MANIFESTS / "README.md").read_text()
    assert all(f"`{name}`" in text for name in (*MODES, *(f"components/{name}" for name in COMPONENTS)))
