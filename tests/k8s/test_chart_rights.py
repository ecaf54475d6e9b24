"""Rights of the chart: those that its configuration needs, no more and no less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.config import Config, ConfigSource
from telegen.config.detect import detect
from telegen.kubestate.custom.model import ANY, Pattern
from telegen.kubestate.custom.rights import DEFINITIONS, health_resources, pack_resources, selected_resources
from telegen.kubestate.custom.sources import CustomReader
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.packs.registry import chosen_packs
from telegen.kubestate.registry import RESOURCES
from telegen.supervisor.configuration import load_checked
from telegen.supervisor.plan import Plan, make_plan, watched_resources
from tests.cluster.helm import Helm, combinations
from tests.cluster.kubectl import Object
from tests.k8s.chart_values import state
from tests.k8s.rendered import config_text, container
from tests.k8s.test_manifests import IN_CLUSTER

pytestmark = pytest.mark.cluster
VALUES = combinations()


def environ(objs: list[Object]) -> dict[str, str]:
    """Return the environment of the pod in its cluster."""
    fields = {"NODE_NAME": "node-1", "POD_NAME": "telegen-0", "POD_NAMESPACE": "telegen"}
    names = {item["name"]: item.get("value", "") for item in container(objs).get("env", ())}
    inside = {name: text for name, text in IN_CLUSTER.items() if name.startswith("KUBERNETES")}
    return {**names, **{name: text for name, text in fields.items() if name in names}, **inside}


def configured(objs: list[Object], folder: Path) -> Config:
    """Check and load the configuration of the objects' pod, as `telegen check-config` does, with files for the volumes that it names."""
    (folder / "web.yml").write_text("{}")
    path = folder / "telegen.yaml"
    path.write_text(config_text(objs).replace("/etc/telegen-web", str(folder)))
    return load_checked(ConfigSource(str(path), environ(objs)))


def plan_of(config: Config, objs: list[Object], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return the plan of the pod, with the token of its account."""
    monkeypatch.setattr("telegen.supervisor.plan.detect", lambda *given: detect(*given, exists=lambda path: True))
    return make_plan(config, environ(objs))


def needed(config: Config, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield each (group, resource) that the processes of a plan list and watch."""
    yield from ((RESOURCES[name].group, name) for name in watched_resources(plan))
    kinds = {one.kind for one in plan.assignments}
    state = config.kube_metrics.kube_state
    if "sample" in kinds and plan.cluster:
        yield "", "pods"
        yield from [("", "namespaces")] * bool(config.kube_metrics.cadvisor.namespace_labels)
    if "identify" in kinds or state.labels_on_series.namespace_labels:
        yield "", "namespaces"
    if "events" in kinds:
        yield "events.k8s.io", "events"
    if "shard" in kinds:
        yield from (("", "pods"), ("apps", "statefulsets"))
    if "custom" in kinds:
        custom, read = state.custom_resource_state, CustomReader().read(config)
        patterns = [*(entry.pattern for entry in read.entries), *(Pattern(entry.group, ANY, entry.kind) for entry in read.metrics)]
        scope = health_resources(Scope.of(custom), None)
        yield from [("", "configmaps")] * bool(custom.config_maps.selector)
        yield from (DEFINITIONS, *selected_resources(patterns, None), *pack_resources(chosen_packs(custom.packs)), *scope)


def granted(objs: list[Object]) -> set[tuple[str, str]]:
    """Return each (group, resource) that the roles of objects let the account of the agents list and watch."""
    others = ("-discovery", "-adapter")
    roles = [obj for obj in objs if obj["kind"].endswith("Role") and not obj["metadata"]["name"].endswith(others)]
    rules = [rule for role in roles for rule in role["rules"] if set(rule["verbs"]) == {"list", "watch"}]
    return {(group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}


WITHOUT_ROLES = {"27-names-and-images", "30-no-rights"}
EXTRA = {
    "13-custom-resources-view": {DEFINITIONS},
    "21-namespaced-shards": {("example.com", "things")},
}
"""Rights that no setting needs, by file: those of `rbac.customResourcesView` and `rbac.extraRules`."""


@pytest.mark.parametrize("name", sorted(VALUES.keys() - WITHOUT_ROLES))
def test_rights_follow_the_configuration(name: str, helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is valid, and the account may list and watch what the processes of its plan do, and nothing else."""
    objs = helm.render(VALUES[name])
    config = configured(objs, tmp_path)
    wanted = {*needed(config, plan_of(config, objs, monkeypatch)), *EXTRA.get(name, ())}
    whole = {group for group, resource in wanted if resource == ANY}
    assert granted(objs) == {(group, resource) for group, resource in wanted if resource == ANY or group not in whole}


def test_a_default_can_be_undone(helm: Helm) -> None:
    """The agents of a DaemonSet may not list Secrets, those of other modes may, and an empty list in `config` brings the right back."""
    assert ("", "secrets") not in granted(helm.render({}))
    assert ("", "secrets") in granted(helm.render({"mode": "standalone"}))
    assert ("", "secrets") in granted(helm.render(state(resources_exclude=[])))


def test_leases_elsewhere(helm: Helm) -> None:
    """The right to write Leases is in the namespace of `election.namespace`, and by default in that of the agent."""
    for given, found in {"": "telegen", "${POD_NAMESPACE}": "telegen", "elections": "elections"}.items():
        objs = helm.render({"config": {"kube_metrics": {"election": {"namespace": given}}}})
        assert {obj["metadata"]["namespace"] for obj in objs if obj["kind"] in ("Role", "RoleBinding")} == {found}


def test_no_role_in_the_whole_cluster(helm: Helm, tmp_path: Path) -> None:
    """With Roles alone nothing is granted outside the listed namespaces and the agent's own; resources of the cluster are not
    watched."""
    for name, namespaces in {"20-namespaced": {"shop", "telegen"}, "21-namespaced-shards": {"shop", "telegen"}}.items():
        objs = helm.render(VALUES[name])
        assert not [obj for obj in objs if obj["kind"].startswith("ClusterRole")]
        assert {obj["metadata"]["namespace"] for obj in objs if obj["kind"] == "Role"} == namespaces
        excluded = set(configured(objs, tmp_path).kube_metrics.kube_state.resources_exclude)
        assert {"nodes", "namespaces", "persistentvolumes"} <= excluded and "pods" not in excluded
    own = next(obj for obj in objs if obj["kind"] == "Role" and obj["metadata"]["namespace"] == "telegen")
    assert {name for rule in own["rules"] for name in rule["resources"]} == {"pods", "statefulsets"}
