"""The chart against the manifests of kustomize: the same objects, the same rights."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.helm import Helm, combinations
from tests.cluster.kubectl import COMPONENTS, Kubectl, Object, Variant
from tests.cluster.prometheus import operator_config
from tests.k8s.chart_comparison import PODS, canonical, labels, rights
from tests.k8s.combinations import OF_THE_ADAPTER, V1, V1BETA2
from tests.k8s.rendered import AGENT

pytestmark = pytest.mark.cluster
VALUES = combinations()
BASE, OPERATOR = ("base",), "prometheus-operator"
SAME = {
    "01-defaults": Variant(BASE),
    "02-standalone": Variant(("overlays/standalone",)),
    "03-shards": Variant(("overlays/shards",)),
    "04-hardened": Variant(BASE, ("hardened",)),
    "05-openshift": Variant(BASE, ("openshift",)),
    "06-prometheus-operator": Variant(BASE, (OPERATOR,)),
    "07-kube-prometheus": Variant(BASE, (OPERATOR, "kube-prometheus")),
    "08-kube-prometheus-stack": Variant(BASE, (OPERATOR, "kube-prometheus-stack-drops", "dashboards")),
    "10-scrape-config": Variant(BASE, ("prometheus",)),
    "11-network-policy": Variant(BASE, ("network-policy",)),
    "17-flow-control": Variant(BASE, (V1,)),
    "18-node": Variant(("overlays/node",)),
    "19-cluster": Variant(("overlays/cluster",)),
    "34-dashboards": Variant(BASE, ("dashboards",)),
    "35-adapter": Variant(BASE, ("network-policy", OPERATOR, "adapter", *OF_THE_ADAPTER)),
    "36-adapter-resource-metrics": Variant(BASE, ("adapter", "adapter-resource-metrics")),
}
"""Files of ci/, and the manifests with the same objects."""
SAME_RIGHTS = {
    "12-auth": "auth",
    "13-custom-resources-view": "custom-resources-view",
    "14-events": "events",
    "31-health": "custom-resources-health",
    "34-secrets": "secrets",
    "35-config-maps": "custom-resources-config-maps",
}
"""Files of ci/ whose settings give rights that a component gives beside the user's configuration."""
PACKS = tuple(name for name in COMPONENTS if name.startswith("pack-"))
WITHOUT_COUNTERPART = {"namespace", "namespace-restricted", "otlp", "web-tls"}
"""Components that are no part of the chart: Helm creates no namespace for itself, and `config` has receiver and web configuration."""


def assert_same(made: list[Object], wanted: list[Object]) -> None:
    """Assert that a rendering of the chart has the objects, labels and rights of manifests."""
    objs = canonical([obj for obj in made if not _is_of_the_chart(obj)])
    others = canonical([_with_one_account(obj) for obj in wanted])
    assert sorted(objs) == sorted(others)
    for key, obj in others.items():
        assert objs[key] == obj
    for name, given in labels(wanted).items():
        assert given.items() <= labels(made)[name].items(), name
    assert rights(made) == rights(wanted)


def _is_of_the_chart(obj: Object) -> bool:
    """Return True for the PodDisruptionBudget of agents, which the manifests do not have."""
    return obj["kind"] == "PodDisruptionBudget" and not obj["metadata"]["name"].endswith("-adapter")


def _with_one_account(obj: Object) -> Object:
    """Leave of a FlowSchema's accounts the one that the chart has."""
    for rule in obj["spec"]["rules"] if obj["kind"] == "FlowSchema" else ():
        rule["subjects"] = [one for one in rule["subjects"] if one["serviceAccount"]["name"] == "telegen"]
    return obj


@pytest.mark.parametrize("name", SAME)
def test_the_objects_of_the_manifests(name: str, helm: Helm, kubectl: Kubectl) -> None:
    """With the values of each file the chart renders exactly the objects of the manifests."""
    assert_same(helm.render(VALUES[name]), kubectl.build(SAME[name]))


def test_flow_control_of_old_versions(helm: Helm, kubectl: Kubectl) -> None:
    """For Kubernetes 1.25 the chart has the API version of the component for it."""
    assert_same(helm.render(VALUES["17-flow-control"], "1.25"), kubectl.build(Variant(BASE, (V1BETA2,))))


@pytest.mark.parametrize("name", [*SAME_RIGHTS, *PACKS])
def test_the_rights_of_components(name: str, helm: Helm, kubectl: Kubectl) -> None:
    """Settings give the rights that their components give, and no more."""
    values = VALUES.get(name) or pack(name.removeprefix("pack-"))
    assert rights(helm.render(values)) == rights(kubectl.build(Variant(BASE, (SAME_RIGHTS.get(name, name),))))


def pack(name: str) -> Any:
    """Return values with a pack."""
    return {"config": {"kube_metrics": {"kube_state": {"custom_resource_state": {"packs": [name]}}}}}


def test_every_component_has_a_counterpart() -> None:
    """No component is left out; a new one needs a file in ci/ here, or a reason in WITHOUT_COUNTERPART."""
    compared = {name for variant in SAME.values() for name in variant.components} | {*SAME_RIGHTS.values(), *PACKS, V1BETA2}
    assert set(COMPONENTS) - WITHOUT_COUNTERPART == compared


PROMETHEUS = {"metadata": {"name": "k8s", "namespace": "monitoring"}, "spec": {"scrapeInterval": "30s"}}


def jobs(monitors: list[Object]) -> Any:
    """Return the jobs that the operator makes of monitors, without the rules that select the pods."""
    made = operator_config(PROMETHEUS, [obj for obj in monitors if obj["kind"] in ("PodMonitor", "ServiceMonitor")])["scrape_configs"]
    for job in made:
        job["relabel_configs"] = [rule for rule in job["relabel_configs"] if "app_kubernetes_io_instance" not in str(rule)]
    return made


@pytest.mark.parametrize("name", ["06-prometheus-operator", "08-kube-prometheus-stack"])
def test_the_monitor_is_the_recipe(name: str, helm: Helm, kubectl: Kubectl) -> None:
    """The operator makes the same jobs of the chart's PodMonitor as of the recipe's."""
    assert jobs(helm.render(VALUES[name])) == jobs(kubectl.build(SAME[name]))


def test_a_service_monitor_gives_the_same_labels(helm: Helm) -> None:
    """The jobs of a ServiceMonitor relabel as those of a PodMonitor, and drop the label of the Service."""
    (objs, others) = (helm.render(VALUES[name]) for name in ("09-service-monitor", "06-prometheus-operator"))
    ours = [rule for rule in jobs(objs)]
    for job, other in zip(ours, jobs(others), strict=True):
        for key in ("metrics_path", "honor_labels", "metric_relabel_configs"):
            assert job.get(key) == other.get(key)
    endpoints, others_ends = (
        next(obj["spec"] for obj in some if obj["kind"].endswith("Monitor")) for some in (objs, others)
    )
    for end, other in zip(endpoints["endpoints"], others_ends["podMetricsEndpoints"], strict=True):
        assert end["relabelings"] == [{"action": "labeldrop", "regex": "service"}, *other["relabelings"]]
    (service,) = [obj for obj in canonical(objs).values() if obj["kind"] == "Service"]
    assert "clusterIP" not in service["spec"] and service["spec"]["selector"] == PODS[AGENT]
