"""Values that the chart refuses: misspelt keys, wrong types, and combinations that cannot work; and the table of values."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.helm import CHART, Helm
from tests.k8s.chart_values import Undocumented, kube, state, table
from tests.k8s.rendered import container

pytestmark = pytest.mark.cluster


def test_a_value_needs_a_comment() -> None:
    """The table of values cannot be made while a value has no comment."""
    with pytest.raises(Undocumented, match="a.c has no comment"):
        table("a:\n  # A number.\n  b: 1\n  c: 2\n")


def test_a_table_of_values() -> None:
    """Comments of several lines, nested values, lists and names with a dot become rows."""
    rows = table("# First\n# and | second.\na: [1, x]\nb:\n  # Text.\n  c.d/e: ''\n").splitlines()[2:]
    assert rows == ['| `a` | `[1, "x"]` | First and \\| second. |', '| `b.c\\.d/e` | `""` | Text. |']


LIVE = ("--api-versions", "apiregistration.k8s.io/v1")
"""API versions of a cluster without the kinds of others."""
IMPOSSIBLE: Mapping[str, tuple[dict[str, Any], str]] = {
    "replicas of a DaemonSet": ({"replicas": 2}, "replicas: a DaemonSet has a pod on every node"),
    "budget of a DaemonSet": ({"podDisruptionBudget": {"enabled": True}}, "podDisruptionBudget.enabled: a drain does not evict"),
    "all agents serve all": (kube(scope="cluster"), "config.kube_metrics.scope: every agent of a DaemonSet"),
    "ordinals of a DaemonSet": (state(pod="${POD_NAME}"), "config.kube_metrics.kube_state.pod: the pods of a DaemonSet have no ordinal"),
    "two that serve all": ({"mode": "standalone", "replicas": 2}, "replicas: each pod would serve every series"),
    "containers elsewhere": (
        {"mode": "standalone", **kube(cadvisor={"enabled": True})},
        "config.kube_metrics.cadvisor.enabled: the pods of mode standalone do not read their node",
    ),
    "shards without ordinals": ({"mode": "shards", **state(pod="")}, "config.kube_metrics.kube_state.pod: mode shards divides"),
    "shards with Leases": ({"mode": "shards", **kube(scope="node")}, "config.kube_metrics.scope: mode shards divides"),
    "constraints of a Deployment": (
        {"mode": "standalone", "openshift": {"securityContextConstraints": True}},
        "openshift.securityContextConstraints: the pods of mode standalone need none",
    ),
    "two limits of a budget": (
        {"mode": "shards", "podDisruptionBudget": {"enabled": True, "minAvailable": 1, "maxUnavailable": 1}},
        "podDisruptionBudget: minAvailable and maxUnavailable exclude each other",
    ),
    "Roles of a DaemonSet": ({"rbac": {"useClusterRole": False}}, "rbac.useClusterRole: the agents of a DaemonSet name the containers"),
    "Roles of no namespace": (
        {"mode": "standalone", "rbac": {"useClusterRole": False}},
        "rbac.useClusterRole: Roles give rights in the namespaces of config.kube_metrics.kube_state.namespaces",
    ),
    "Roles and a role that exists": (
        {"mode": "standalone", "rbac": {"useClusterRole": False, "useExistingRole": "view"}, **state(namespaces=["a"])},
        "rbac.useClusterRole: rbac.customResourcesView and rbac.useExistingRole bind a ClusterRole",
    ),
    "Roles for nodes": (
        {"mode": "standalone", "rbac": {"useClusterRole": False}, **state(namespaces=["a"], resources=["nodes", "pods"])},
        "rbac.useClusterRole: config needs /nodes in the whole cluster",
    ),
    "a role that exists and rules": (
        {"rbac": {"useExistingRole": "view", "extraRules": [{"verbs": ["list"]}]}},
        "rbac.extraRules: the role of rbac.useExistingRole is not changed",
    ),
    "Roles in a variable": (
        {"mode": "standalone", "rbac": {"useClusterRole": False}, **state(namespaces=["${TEAM}"])},
        "config.kube_metrics.kube_state.namespaces: ${TEAM} cannot name a namespace",
    ),
    "port in a variable": (kube(listen_address=":${PORT}"), "config.kube_metrics.listen_address: the port of the pods follows it"),
    "probes in a variable": (kube(telemetry_address=":${PORT}"), "config.kube_metrics.telemetry_address: the probes follow its port"),
    "entry without a kind": (
        state(custom_resource_state={"metrics": [{}]}),
        "config.kube_metrics.kube_state.custom_resource_state.metrics: rights follow resource of each entry",
    ),
    "text that is no list": (
        state(custom_resource_state={"metrics": "a: [b"}),
        "config.kube_metrics.kube_state.custom_resource_state.metrics: rights follow resource of each entry",
    ),
    "text that is no YAML": (
        state(custom_resource_state={"config": "a: [b"}),
        "config.kube_metrics.kube_state.custom_resource_state.config: rights follow its entries",
    ),
    "entry without a group": (
        state(custom_resource_state={"config": "spec: {resources: [{}]}"}),
        "config.kube_metrics.kube_state.custom_resource_state.config: rights follow groupVersionKind of each entry",
    ),
    "capitals": ({"fullnameOverride": "Agent"}, "fullnameOverride: Agent cannot name a Service"),
    "long name of shards": ({"mode": "shards", "fullnameOverride": "a" * 53}, "is too long for the pods of a StatefulSet"),
    "another label app": ({"podLabels": {"app": "agent"}}, "podLabels: selectors need the chart's label app: leave it out"),
    "another instance": (
        {"commonLabels": {"app.kubernetes.io/instance": "a"}},
        "commonLabels: selectors need the chart's label app.kubernetes.io/instance",
    ),
    "another component": (
        {"mode": "shards", "podLabels": {"app.kubernetes.io/component": "a"}},
        "podLabels: scrapes need the chart's label app.kubernetes.io/component in mode shards",
    ),
    "another polled label": ({"podLabels": {"telegen.io/agents": "a"}}, "podLabels: selectors need the chart's label telegen.io/agents"),
    "a short end": ({"terminationGracePeriodSeconds": 9}, "terminationGracePeriodSeconds: pods would be killed within config.supervisor"),
    "a long end": (
        {"config": {"supervisor": {"grace_period": "1m30s"}}, "terminationGracePeriodSeconds": 90},
        "terminationGracePeriodSeconds: pods would be killed within config.supervisor.grace_period: set it to more than 90",
    ),
    "a long end of the adapter": (
        {"adapter": {"enabled": True, "config": {"supervisor": {"grace_period": "31s"}}}},
        "terminationGracePeriodSeconds: pods would be killed within adapter.config.supervisor.grace_period",
    ),
    "ConfigMaps of no namespace": (
        state(custom_resource_state={"config_maps": {"selector": "a=b"}}),
        "config.kube_metrics.kube_state.custom_resource_state.config_maps.namespace: selector needs it",
    ),
    "probes without credentials": ({"config": {"web": {"auth": "kubernetes"}}}, "config.web: the kubelet's probes have no credentials"),
    "one page for all": (
        {"prometheus": {"monitor": {"enabled": True}}, **kube(separate_endpoints=False)},
        "config.kube_metrics.separate_endpoints: the jobs scrape each source by itself",
    ),
    "nothing to scrape": (
        {"prometheus": {"monitor": {"enabled": True, **dict.fromkeys(("kubestate", "cadvisor", "telemetry"), {"enabled": False})}}},
        "prometheus.monitor.enabled: kubestate, cadvisor and telemetry are all off",
    ),
    "a timeout beyond the interval": (
        {"prometheus": {"monitor": {"enabled": True, "cadvisor": {"interval": "1m", "scrapeTimeout": "1m30s"}}}},
        "prometheus.monitor.cadvisor.scrapeTimeout: the operator refuses one beyond the interval: set it to at most 1m",
    ),
    "no operator": ({"prometheus": {"rule": {"enabled": True}}}, "prometheus: the cluster has no kinds of the Prometheus operator"),
    "no OpenShift": ({"openshift": {"securityContextConstraints": True}}, "the cluster has no security.openshift.io/v1"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_combinations(name: str, helm: Helm) -> None:
    """Values that exclude each other are one line with value, reason and cure."""
    values, message = IMPOSSIBLE[name]
    status, output = helm.template(values, "1.36", *LIVE)
    (line,) = [line for line in output.splitlines() if line.startswith("Error:")]
    assert status == 1 and message in line and any(cure in line for cure in ("set ", "leave ", "list "))


def mappings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all mappings that have keys."""
    if isinstance(value, dict) and (value or path == ("config",)):
        yield path
        for key, inner in value.items():
            yield from mappings(inner, (*path, key))


OPEN = {("global",), ("dashboards", "labels"), ("nodeSelector",), ("adapter", "nodeSelector")}
"""Maps whose keys users choose."""


def test_a_misspelt_key_is_refused(helm: Helm) -> None:
    """The schema refuses an unknown key at every level, also in the settings of the agent, and names its place."""
    wrong: dict[str, Any] = {}
    places = set(mappings(yaml.safe_load((CHART / "values.yaml").read_text()))) - OPEN
    for path in [*places, ("config", "kube_metrics", "kube_state"), ("config", "web")]:
        at = wrong
        for key in path:
            at = at.setdefault(key, {})
        at["misspelt"] = 1
    status, output = helm.template(wrong, "1.36")
    assert status == 1
    for path in places | {("config", "kube_metrics", "kube_state"), ("config", "web")}:
        assert f"at '{'/' if path else ''}{'/'.join(path)}'" in output, path
    assert output.count("additional properties 'misspelt' not allowed") == len(places) + 2


WRONG: Mapping[str, dict[str, Any]] = {
    "/mode": {"mode": "deployment"},
    "/nameOverride": {"nameOverride": "a b"},
    "/imagePullSecrets/0": {"imagePullSecrets": [{"nme": "registry"}]},
    "/config/kube_metrics/enabled": kube(enabled="${ENABLED}"),
    "/config/kube_metrics/scope": kube(scope="${SCOPE}"),
    "/config/web/auth": {"config": {"web": {"auth": "${AUTH}"}}},
    "/config/kube_metrics/kube_state/resources/0": state(resources=["podz"]),
    "/config/kube_metrics/kube_state/custom_resource_state/packs/0": state(custom_resource_state={"packs": ["arg"]}),
    "/replicas": {"replicas": 0},
    "/image/pullPolicy": {"image": {"pullPolicy": "Sometimes"}},
    "/image/digest": {"image": {"digest": "0123"}},
    "/hardened": {"hardened": "yes"},
    "/prometheus/monitor/kind": {"prometheus": {"monitor": {"kind": "Probe"}}},
    "/prometheus/monitor/kubestate/interval": {"prometheus": {"monitor": {"kubestate": {"interval": "often"}}}},
    "/networkPolicy/apiServerPorts/0": {"networkPolicy": {"apiServerPorts": [70000]}},
    "/podDisruptionBudget/minAvailable": {"podDisruptionBudget": {"minAvailable": "half"}},
    "/config/kube_metrics/kube_state/resources": state(resources="pods"),
    "/config/kube_metrics/cadvisor/root": kube(cadvisor={"root": "${ROOT}"}),
    "/config/kube_metrics/metrics_path": kube(metrics_path="metrics"),
    "/config/kube_metrics/election/namespace": kube(election={"namespace": "${TEAM}"}),
    "/image/repository": {"image": {"repository": ""}},
    "/image/tag": {"image": {"tag": 1.5}},
    "/image/registry": {"image": {"registry": "registry.example/"}},
    "/global/imageRegistry": {"global": {"imageRegistry": "https://registry.example"}},
    "/prometheus/rule/disabled/0": {"prometheus": {"rule": {"disabled": ["TelegenDwn"]}}},
    "/networkPolicy/from": {"networkPolicy": {"from": []}},
    "/commonLabels/team": {"commonLabels": {"team": "a b"}},
    "/podAnnotations": {"podAnnotations": {"a b": "c"}},
    "/podLabels/version": {"podLabels": {"version": 5}},
    "/prometheus/rule/alertLabels": {"prometheus": {"rule": {"alertLabels": {"a-b": "c"}}}},
    "/prometheus/monitor/telemetry/scrapeTimeout": {"prometheus": {"monitor": {"telemetry": {"scrapeTimeout": "1s1m"}}}},
    "/prometheus/discovery/serviceAccount": {"prometheus": {"discovery": {"serviceAccount": ""}}},
    "/resourceQuota/pods": {"resourceQuota": {"pods": "many"}},
    "/adapter/objects/0": {"adapter": {"objects": [{"resources": ["gateways"]}]}},
}


def test_values_of_a_wrong_type_are_refused(helm: Helm) -> None:
    """Each value of a wrong type or out of its range is named with its place."""
    for place, values in WRONG.items():
        status, output = helm.template(values, "1.36")
        assert status == 1 and f"at '{place}'" in output, output


def defaults(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and default of every value, but keys that users choose."""
    for key, value in values.items():
        yield (*path, key), value
        if isinstance(value, Mapping) and (*path, key) not in OPEN - {("global",)}:
            yield from defaults(value, (*path, key))


def test_null_in_place_of_a_value_is_refused(helm: Helm) -> None:
    """Helm deletes a value that is set to null: each is one line with its name, unless null is its default."""
    found = list(defaults(yaml.safe_load((CHART / "values.yaml").read_text())))
    for depth in {len(path) for path, _ in found}:
        paths = [path for path, default in found if default is not None and len(path) == depth]
        wrong: dict[str, Any] = {}
        for path in paths:
            at = wrong
            for key in path[:-1]:
                at = at.setdefault(key, {})
            at[path[-1]] = None
        output = helm.template(wrong, "1.36").output
        lines = [line.strip() for line in output.splitlines() if "missing propert" in line]
        for path in paths:
            (line,) = [line for line in lines if line.startswith(f"- at '{''.join(f'/{key}' for key in path[:-1])}':")]
            assert f"'{path[-1]}'" in line, path
    nulls = {path[0]: None for path, default in found if default is None and len(path) == 1}
    assert helm.template({**nulls, "mode": "standalone"}, "1.36").status == 0


def test_a_chart_above_turns_it_on_and_off(helm: Helm, tmp_path: Path) -> None:
    """As a dependency the chart takes `enabled` for its condition, and `global` with values of others."""
    shutil.copytree(CHART, tmp_path / "charts" / "telegen")
    dependency = {"name": "telegen", "version": "*", "condition": "telegen.enabled"}
    chart = {"apiVersion": "v2", "name": "above", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    others = {"global": {"storageClass": "fast", "imageRegistry": "registry.example"}}
    for is_on in (True, False):
        objs = helm.render({**others, "telegen": {"enabled": is_on, "mode": "standalone"}}, chart=tmp_path)
        images = [container(objs)["image"]] if is_on else [str(obj) for obj in objs]
        assert [image.partition("/")[0] for image in images] == ["registry.example"] * is_on


WORDS: Any = {
    "fullnameOverride": "on",
    "nameOverride": "123",
    "namespaceOverride": "1e3",
    "priorityClassName": "yes",
    "serviceAccount": {"name": "n"},
    "imagePullSecrets": ["y", {"name": "null"}],
    "adapter": {"enabled": True, "priorityClassName": "off"},
    "prometheus": {
        "monitor": {"enabled": True, "kind": "ServiceMonitor", "namespace": "no"},
        "rule": {"enabled": True, "namespace": "0x1f"},
        "discovery": {"enabled": True, "serviceAccount": "true", "namespace": "2024"},
    },
    "dashboards": {"enabled": True, "namespace": "12"},
    "networkPolicy": {"enabled": True},
    "flowControl": {"enabled": True},
}
"""Names that YAML reads as numbers, truth values or nothing, unless they are quoted."""
NAMES = ("name", "namespace", "serviceAccountName", "serviceName", "priorityClassName", "matchNames", "matchLabels", "labels")


def names(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every name, namespace and label in objects, by its key."""
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from names(one, inner if key not in NAMES else key)
    elif isinstance(value, list):
        for one in value:
            yield from names(one, key)
    elif key in NAMES:
        yield key, value


@pytest.mark.parametrize(
    "mode",
    [
        {},
        {"mode": "shards", "adapter": {"enabled": False}},
        {"mode": "standalone", "adapter": {"enabled": False, "existing": "off"}, **kube(scope="node")},
        {
            "mode": "standalone",
            "adapter": {"enabled": False},
            "rbac": {"useClusterRole": False},
            **state(namespaces=["123", "no"]),
        },
    ],
    ids=str,
)
def test_names_stay_text(mode: dict[str, Any], helm: Helm) -> None:
    """Names that YAML would read as numbers or truth values are text in every object, as the API server wants."""
    found = list(names(helm.render({**WORDS, **mode})))
    assert len(found) > 100 and [one for one in found if not isinstance(one[1], str)] == []


def test_no_ports_are_no_rule(helm: Helm) -> None:
    """Without ports of a destination a NetworkPolicy has no rule for it: a rule without ports would allow all of them."""
    none = {"apiServerPorts": [], "otlpPorts": []}
    objs = helm.render({"networkPolicy": {"enabled": True, **none}, "adapter": {"enabled": True, "networkPolicy": {"prometheusPorts": []}}})
    egress = [rule["ports"] for obj in objs if obj["kind"] == "NetworkPolicy" for rule in obj["spec"].get("egress", ())]
    assert [{port["port"] for port in ports} for ports in egress] == [{9444}, {53}, {53}]


def test_large_numbers_are_written_in_full(helm: Helm) -> None:
    """Numbers of a million and more have no exponent: the API server would not take it for a whole number."""
    limits = {"sampleLimit": 50_000_000, "targetLimit": 1_000_000}
    values = {"prometheus": {"monitor": {"enabled": True, **limits}}, "resourceQuota": {"pods": 2_000_000}}
    status, output = helm.template(values, "1.36")
    assert status == 0
    assert [text for text in ("sampleLimit: 50000000", "targetLimit: 1000000", "pods: 2000000") if text not in output] == []
