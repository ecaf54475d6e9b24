"""The manifests of the adapter against the code, and the examples beside them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from telegen import __version__
from telegen.adapter.certificates.keeper import Names
from telegen.adapter.live.metrics import BY_NAME
from telegen.adapter.ownership import APISERVICES
from telegen.adapter.rules.reading import parse_rules
from telegen.config import not_effective
from telegen.supervisor.adapter_plan import make_adapter_plan
from tests.cluster.helm import Helm, combinations
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object, Variant
from tests.k8s.chart_comparison import configuration, rights
from tests.k8s.chart_values import state
from tests.k8s.combinations import NODE_AND_CLUSTER, OF_THE_ADAPTER
from tests.k8s.rendered import ADAPTER, container, environment, pod_spec, workload

pytestmark = pytest.mark.cluster
GROUPS = {
    "adapter-resource-metrics": "metrics.k8s.io",
    "adapter-custom-metrics": "custom.metrics.k8s.io",
    "adapter-external-metrics": "external.metrics.k8s.io",
}
RULES = {"config": {"adapter": {"prometheus": [{"url": "http://prometheus:9090"}]}}, "rules": {"rules": []}}
"""Values of the adapter with a rules file."""
EXAMPLES = sorted((MANIFESTS / "examples").glob("*.yaml"))
DOCUMENT = (MANIFESTS.parent / "docs" / "adapter.md").read_text()


@pytest.fixture(scope="module")
def objs(kubectl: Kubectl) -> list[Object]:
    """The agents, the adapter, and all its groups."""
    return kubectl.build(Variant(("base",), ("adapter", *OF_THE_ADAPTER)))


def named(objs: list[Object], kind: str, name: str = "telegen-adapter") -> Any:
    """Return an object."""
    (found,) = [obj for obj in objs if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize("chosen", [(), *((name,) for name in GROUPS), tuple(GROUPS), tuple(reversed(GROUPS))], ids=str)
def test_groups_are_served_that_are_registered(chosen: tuple[str, ...], kubectl: Kubectl) -> None:
    """In any order each component registers its group and adds it to adapter.groups, and without one none is served."""
    objs = kubectl.build(Variant(("base",), ("adapter", *chosen)))
    registered = {obj["spec"]["group"] for obj in objs if obj["kind"] == "APIService"}
    assert registered == set(configuration(objs, ADAPTER).adapter.groups) == {GROUPS[name] for name in chosen}


def test_apiservices_are_those_of_the_code(objs: list[Object]) -> None:
    """Every version that the adapter serves is registered, with its Service; v1beta2 and v1 are preferred."""
    found = {obj["metadata"]["name"]: obj["spec"] for obj in objs if obj["kind"] == "APIService"}
    assert set(found) == {name for names in APISERVICES.values() for name in names}
    (service,) = {tuple(spec["service"].items()) for spec in found.values()}
    assert dict(service) == {"name": "telegen-adapter", "namespace": "telegen", "port": 443}
    assert not [spec for spec in found.values() if "insecureSkipTLSVerify" in spec]
    assert found["v1beta2.custom.metrics.k8s.io"]["versionPriority"] > found["v1beta1.custom.metrics.k8s.io"]["versionPriority"]
    assert found["v1.metrics.k8s.io"]["versionPriority"] > found["v1beta1.metrics.k8s.io"]["versionPriority"]


def test_the_configuration_is_valid(objs: list[Object]) -> None:
    """The file and the variables are settings with an effect; the plan has every process."""
    settings = configuration(objs, ADAPTER)
    assert not_effective(settings) == []
    plan = make_adapter_plan(settings, environment(objs, ADAPTER), "http://127.0.0.1:1")
    assert [one.kind for one in plan.assignments] == ["certificates", "poll", "adapter"]


def test_ports_and_services_follow_the_settings(objs: list[Object]) -> None:
    """The API server reaches the serving port, probes and scrapes the plain one, and the poller the agents of the DaemonSet."""
    adapter, agent = configuration(objs, ADAPTER).adapter, configuration(objs).adapter
    ports = {port["name"]: port["containerPort"] for port in container(objs, ADAPTER)["ports"]}
    assert adapter.telemetry_address and ports == {"https": adapter.listen_address.port, "metrics": adapter.telemetry_address.port}
    service, agents = named(objs, "Service", adapter.service), named(objs, "Service", adapter.agents_service)
    assert service["spec"]["ports"] == [{"name": "https", "port": 443, "targetPort": "https"}]
    assert service["spec"]["selector"].items() <= workload(objs, ADAPTER)["spec"]["template"]["metadata"]["labels"].items()
    assert agents["spec"]["clusterIP"] == "None"
    assert agents["spec"]["selector"].items() <= workload(objs)["spec"]["template"]["metadata"]["labels"].items()
    (port,) = [port for port in container(objs)["ports"] if port["name"] == agents["spec"]["ports"][0]["targetPort"]]
    assert agent.agent_address and port["containerPort"] == agent.agent_address.port == agents["spec"]["ports"][0]["port"]


def test_agents_of_nodes_and_of_the_cluster_are_polled(kubectl: Kubectl) -> None:
    """With two accounts the DaemonSet has the usage and the Deployment kube_*: both are endpoints of the agents' Service."""
    objs = kubectl.build(Variant(NODE_AND_CLUSTER, ("adapter",)))
    agents = named(objs, "Service", "telegen-agents")["spec"]
    for left_out in ("DaemonSet", "Deployment"):
        own = [obj for obj in objs if obj["kind"] != left_out]
        address = configuration(own).adapter.agent_address
        assert address and {"name": "adapter", "containerPort": address.port} in container(own)["ports"]
        assert agents["selector"].items() <= workload(own)["spec"]["template"]["metadata"]["labels"].items()
        assert configuration(own).adapter.agent_tls_dir in {one["mountPath"] for one in container(own)["volumeMounts"]}


def test_agents_mount_the_secret_that_the_adapter_writes(objs: list[Object]) -> None:
    """The Secret is optional, so that agents run before the adapter does; its folder is the setting."""
    (volume,) = [one for one in pod_spec(objs)["volumes"] if one["name"] == "adapter"]
    secret = {"name": Names("telegen", "telegen-adapter", "").agents_secret, "optional": True}
    # components/openshift allows no volume of the kind `secret`.
    assert volume["projected"] == {"sources": [{"secret": secret}]}
    (mount,) = [one for one in container(objs)["volumeMounts"] if one["name"] == "adapter"]
    assert (mount["mountPath"], mount["readOnly"]) == (configuration(objs).adapter.agent_tls_dir, True)


def test_rights(objs: list[Object]) -> None:
    """Secrets by their names, APIServices by theirs; Secrets may be created in the own namespace only, and nothing is deleted."""
    given = {line for line in rights(objs) if line.startswith("telegen/telegen-adapter ")}
    names = Names("telegen", "telegen-adapter", "telegen-agents")
    secrets = {line.partition(": ")[2] for line in given if "/secrets" in line}
    both = [names.authority_secret, names.agents_secret]
    assert secrets == {f"get /secrets {both}", f"update /secrets {both}", "create /secrets "}
    assert {line.partition(":")[0] for line in given if "/secrets" in line} == {"telegen/telegen-adapter in telegen"}
    apiservices = [name for names in APISERVICES.values() for name in names]
    assert {line.partition(": ")[2] for line in given if "/apiservices" in line} == {
        f"{verb} apiregistration.k8s.io/apiservices {apiservices}" for verb in ("get", "update")
    }
    assert "telegen/telegen-adapter in all: role system:auth-delegator" in given
    assert not [line for line in given if " delete" in line or "*" in line or " patch" in line]


def test_the_agents_get_no_right(kubectl: Kubectl, objs: list[Object]) -> None:
    """The account of the agents has the same rights with the adapter as without it."""
    before = rights(kubectl.build(Variant(("base",))))
    assert {line for line in rights(objs) if line.startswith("telegen/telegen in")} == before


def test_the_pods_are_restricted_and_two(objs: list[Object]) -> None:
    """Two pods on different nodes where possible, of which a drain leaves one; no root, no node, no other registry."""
    spec, adapter = pod_spec(objs, ADAPTER), container(objs, ADAPTER)
    deployment = workload(objs, ADAPTER)["spec"]
    assert deployment["replicas"] == 2 and deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "podAntiAffinity" in spec["affinity"] and named(objs, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert adapter["image"] == f"telegen:{__version__}" and spec["serviceAccountName"] == "telegen-adapter"
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert adapter["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    settings = configuration(objs, ADAPTER)
    assert spec["terminationGracePeriodSeconds"] >= settings.supervisor.grace_period + 5


def test_scrapers_of_agents_leave_the_adapter_out(objs: list[Object]) -> None:
    """The labels that jobs and monitors of agents select are not those of the adapter."""
    labels = workload(objs, ADAPTER)["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] != "telegen" and labels["app.kubernetes.io/name"] != "telegen"
    monitor = named(objs, "PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in container(objs, ADAPTER)["ports"]}
    assert {end["port"] for end in monitor["podMetricsEndpoints"]} <= ports


def test_documented_files(kubectl: Kubectl, tmp_path: Path) -> None:
    """The files of docs/adapter.md together are a kustomization: settings and rules reach the adapter, the annotation its APIServices."""
    files: dict[str, dict[str, Any]] = {}
    for name, text in re.findall(r"^    # (\S+\.yaml)\n((?:    .*\n)+)", DOCUMENT, re.MULTILINE):
        files.setdefault(name, {}).update(yaml.safe_load(textwrap.dedent(text)))
    files["kustomization.yaml"]["components"].append("settings")
    (tmp_path / "telegen").symlink_to(MANIFESTS.parent)
    (tmp_path / "settings").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    objs = kubectl.render(tmp_path)
    settings = configuration(objs, ADAPTER).adapter
    assert settings.prometheus and settings.telemetry_address and set(settings.groups) == set(GROUPS.values())
    data = named(objs, "ConfigMap")["data"]
    rules = parse_rules(data[Path(settings.rules_file).name].encode(), "rules.yaml")
    assert rules.custom and rules.external and not rules.problems
    annotations = [obj["metadata"]["annotations"] for obj in objs if obj["kind"] == "APIService"]
    assert len(annotations) == 4 and all("cert-manager.io/inject-ca-from" in one for one in annotations)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    """Each HorizontalPodAutoscaler is valid, and its metric is one of the agents or of the rules in docs/adapter.md."""
    obj = yaml.safe_load(path.read_text())
    kubernetes_validate.validate(obj, "1.36", strict=True)
    for metric in obj["spec"]["metrics"]:
        spec = metric[metric["type"].lower()]
        name = spec["metric"]["name"] if "metric" in spec else spec["name"]
        assert name in BY_NAME or name in ("cpu", "memory") or name in DOCUMENT


@pytest.mark.parametrize(
    "values, line",
    [
        (
            {"rbac": {"useClusterRole": False}, "mode": "standalone", **state(namespaces=["shop"])},
            "adapter.enabled: the metrics APIs need rights in the whole cluster",
        ),
        ({"adapter": {"v1": True}}, "adapter.v1: it is a version of metrics.k8s.io: add that group to adapter.groups"),
        ({"adapter": {"config": {"adapter": {"listen_address": ":https"}}}}, "adapter.config.adapter.listen_address: the port of the pods"),
        (
            {"adapter": {"caBundle": "AAAA", "apiServiceAnnotations": {"cert-manager.io/inject-ca-from": "a/b"}}},
            "adapter.caBundle: cert-manager sets it",
        ),
        ({"adapter": {"existing": "mine-adapter"}}, "adapter.existing: this release runs an adapter of its own"),
        (
            {"mode": "shards", "adapter": {"enabled": False, "existing": "mine-adapter"}},
            "adapter.existing: the adapter finds the pods of mode shards that serve kube_* by Leases",
        ),
        ({"adapter": {"groups": ["metrics"]}}, "/adapter/groups/0"),
        ({"adapter": {"rules": {"rules": []}}}, "adapter.rules: they need a server to ask: set adapter.config.adapter.prometheus"),
        (
            {"mode": "standalone", "adapter": {"groups": ["custom.metrics.k8s.io"]}},
            "adapter.groups: mode standalone has no agents with containers, so nothing can be served",
        ),
        (
            {"mode": "standalone", "adapter": {**RULES, "groups": ["metrics.k8s.io"]}},
            "adapter.groups: metrics.k8s.io needs agents of mode daemonset, or resourceRules in adapter.rules",
        ),
    ],
)
def test_values_that_exclude_each_other_are_refused(values: dict[str, Any], line: str, helm: Helm) -> None:
    """Each is one line with the value and the cure."""
    status, output = helm.template({**values, "adapter": {"enabled": True, **values.get("adapter", {})}}, "1.36")
    assert status != 0 and line in output


def test_names_of_a_release_reach_the_adapter(helm: Helm) -> None:
    """With other names the settings, the Secrets, the rights and the APIServices agree."""
    objs = helm.render({"fullnameOverride": "mine", "adapter": {"enabled": True, "groups": ["metrics.k8s.io"]}})
    adapter = configuration(objs, ADAPTER).adapter
    assert (adapter.service, adapter.agents_service) == ("mine-adapter", "mine-agents")
    names = Names("telegen", adapter.service, adapter.agents_service)
    (volume,) = [volume for volume in pod_spec(objs)["volumes"] if "projected" in volume]
    assert volume["projected"]["sources"][0]["secret"]["name"] == names.agents_secret
    (rule,) = [rule for rule in named(objs, "Role", "mine-adapter")["rules"] if "resourceNames" in rule]
    assert rule["resourceNames"] == [names.authority_secret, names.agents_secret]
    service = named(objs, "APIService", "v1beta1.metrics.k8s.io")["spec"]["service"]["name"]
    assert service == named(objs, "Service", "mine-adapter")["metadata"]["name"]


def test_without_a_daemonset_no_agents_are_asked(helm: Helm) -> None:
    """Other modes have no agents with containers: the adapter serves rules, and waits for no agent."""
    objs = helm.render({"mode": "standalone", "adapter": {"enabled": True, **RULES, "groups": ["custom.metrics.k8s.io"]}})
    assert configuration(objs, ADAPTER).adapter.agents_service == ""
    assert {obj["metadata"]["name"] for obj in objs if obj["kind"] == "Service"} == {"telegen", "telegen-adapter"}
    assert not [volume for volume in pod_spec(objs)["volumes"] if "projected" in volume]


def test_the_adapter_polls_the_agents_of_two_releases(helm: Helm) -> None:
    """The agents' Service and both policies select the pods of both releases, which mount the Secret of the one adapter."""
    releases = combinations()
    nodes, cluster = (helm.render(releases[name]) for name in ("38-node-and-adapter", "39-cluster-and-adapter"))
    selector = named(nodes, "Service", "telegen-node-agents")["spec"]["selector"]
    policies = [named(nodes, "NetworkPolicy", name)["spec"] for name in ("telegen-node-adapter", "telegen-node-agents")]
    (destination,) = [one["to"][0]["podSelector"] for one in policies[0]["egress"] if one["ports"][0]["port"] == 9444]
    for objs in (nodes, cluster):
        labels = workload(objs)["spec"]["template"]["metadata"]["labels"]
        for chosen in (selector, destination["matchLabels"], policies[1]["podSelector"]["matchLabels"]):
            assert chosen.items() <= labels.items()
        assert selector.keys().isdisjoint(workload(objs)["spec"]["selector"]["matchLabels"])
        assert configuration(objs).adapter == configuration(nodes).adapter
        assert {"name": "adapter", "containerPort": 9444} in container(objs)["ports"]
        (volume,) = [one for one in pod_spec(objs)["volumes"] if one["name"] == "adapter"]
        secret = {"name": Names("telegen", "telegen-node-adapter", "").agents_secret, "optional": True}
        assert volume["projected"] == {"sources": [{"secret": secret}]}
    assert not selector.items() <= workload(nodes, ADAPTER)["spec"]["template"]["metadata"]["labels"].items()


def test_an_alert_has_the_name_of_the_adapter(helm: Helm) -> None:
    """The alert on an adapter without pods names the Deployment of the release, as an object of the operator and in the ConfigMap."""
    prometheus = {"rule": {"enabled": True}, "scrapeConfig": {"enabled": True}}
    objs = helm.render({"fullnameOverride": "mine", "adapter": {"enabled": True}, "prometheus": prometheus})
    texts = [str(named(objs, "PrometheusRule", "mine")), named(objs, "ConfigMap", "mine-prometheus")["data"]["alerts.yaml"]]
    for text in texts:
        assert 'deployment="mine-adapter"' in text and 'deployment="telegen-adapter"' not in text and 'job="telegen-adapter"' in text


def test_policies_do_not_select_agents_in_the_network_of_nodes(helm: Helm) -> None:
    """With `hostNetwork` the adapter reaches port 9444 anywhere: a policy selects no pod in the network of its node."""
    values = {"hostNetwork": True, "networkPolicy": {"enabled": True}, "adapter": {"enabled": True}}
    (rule,) = [one for one in named(helm.render(values), "NetworkPolicy")["spec"]["egress"] if one["ports"][0]["port"] == 9444]
    assert "to" not in rule


def test_rules_of_the_values_are_the_rules_file(helm: Helm) -> None:
    """The rules are beside the settings, which name them; objects that they select may be listed."""
    servers = {"adapter": {"prometheus": [{"url": "http://prometheus:9090"}]}}
    objects = [{"apiGroups": ["x.io"], "resources": ["ys"]}]
    values = {"config": servers, "groups": ["custom.metrics.k8s.io"], "rules": {"rules": []}, "objects": objects}
    objs = helm.render({"adapter": {"enabled": True, **values}})
    path = Path(configuration(objs, ADAPTER).adapter.rules_file)
    assert yaml.safe_load(named(objs, "ConfigMap")["data"][path.name]) == {"rules": []}
    assert "telegen/telegen-adapter in all: list x.io/ys " in rights(objs)
