"""The recipes of docs/migration.md, and other scrape configurations, in a real cluster: the operator's own generator, live discovery, a
real Prometheus, and kube-state-metrics beside the agents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from telegen.kubestate.registry import DEFAULT
from tests.cluster.check_rules import without_data
from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.expressions import Expression
from tests.cluster.kubectl import MANIFESTS, Object, Variant
from tests.cluster.monitored import (
    ALLOWLIST,
    ANYWHERE,
    CONTAINERS_NODE,
    KUBE_PROMETHEUS,
    NODES,
    PORT,
    Monitored,
    monitored,
)
from tests.cluster.peer import Peer, peer
from tests.cluster.prometheus import Prometheus
from tests.cluster.recorded_node import make_empty_node
from tests.k8s.dashboard_queries import dashboards, optional, queries
from tests.k8s.documents import HELM, render_recipe
from tests.k8s.rule_files import rules
from tests.k8s.test_documents import RECIPES
from tests.kubestate.test_parity import OURS
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
MIXIN: dict[str, list[str]] = json.loads((MANIFESTS.parent / "tests" / "mixin.json").read_text())
"""Metrics that the rules and dashboards of kubernetes-mixin use, with the labels that they select, join or group by."""
OF_ALL_SERIES = {"cluster"}
"""Labels that are empty in Prometheus of a single cluster."""
DROPPED = {"kube-prometheus-stack": {"container_memory_swap"}}
"""Metrics of the mixin that a recipe drops, as its peer does."""
CONTAINERS = '{__name__=~"(container|machine)_.+"}'
DROPPED_SERIES = ("container_memory_swap", "container_spec_cpu_shares", 'container_cpu_usage_seconds_total{id="/"}')
"""Some of the series that kube-prometheus-stack drops."""
MOVING = {"kube_lease_renew_time"}
"""Families that change between a scrape and a comparison: the agents renew their Leases."""
KUBELET = {"job": "kubelet", "metrics_path": "/metrics/cadvisor"}
SPECIFICATION = Path(__file__).parent / "world" / "specification.yaml"
OURS_IN_TROUBLE = 'ALERTS{alertname=~"Telegen.+|KubeStateAbsent"}'
EXPECTED = {("TelegenNodeWithoutAgent", "node-2"), ("TelegenNoContainers", "node-1"), ("TelegenNoContainers", "node-3")}
"""Names and nodes of alerts on the agents in this cluster."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """The cluster of all tests here."""
    with monitored(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def beside(cluster: Monitored) -> Iterator[Peer]:
    """kube-state-metrics with the same objects."""
    kubeconfig = cluster.plane.kubeconfig(cluster.folder / "kubeconfig-peer", ADMIN)
    flags = (f"--kubeconfig={kubeconfig}", f"--resources={','.join(DEFAULT)}", ALLOWLIST)
    with peer(cluster.folder / "kube-state-metrics.log", *flags) as running:
        yield running


def labels_of(server: Prometheus, selector: str) -> list[dict[str, str]]:
    """Return the labels of all series of a selector."""
    return [sample["metric"] for sample in server.query(selector)]


def mixin(dropped: set[str]) -> list[Expression]:
    """Return a selector for each metric of the mixin that selects series with all its labels."""
    selectors = []
    for name in MIXIN.keys() - dropped:
        matchers = [f'{label}!=""' for label in MIXIN[name] if label not in OF_ALL_SERIES]
        selectors.append(Expression(name, f"{name}{{{','.join(matchers)}}}"))
    return selectors


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_gives_the_series_of_the_peers(name: str, cluster: Monitored, beside: Peer) -> None:
    """With each recipe every metric of kubernetes-mixin has data with all labels, kube_* series are those of kube-state-metrics,
    container_* series have the labels of the kubelet's, and only the alerts on nodes without agent or containers are pending."""
    config, targets = cluster.recipe(name)
    with cluster.observed(config, targets) as server:
        check_recipe(server, beside, DROPPED.get(name, set()), "telegen")


def test_the_chart_gives_the_series_of_the_peers(cluster: Monitored, beside: Peer) -> None:
    """The values of docs/migration.md give the same with agents, rights and PodMonitor of the chart."""
    chart = {"fullnameOverride": "chart", "namespaceOverride": "chart"}
    with cluster.daemonset(render_recipe(cluster.kubectl, HELM, **chart), "chart"):
        config, targets = cluster.recipe(HELM, **chart)
        with cluster.observed(config, targets) as server:
            check_recipe(server, beside, set(), "chart")
    cluster.plane.request("DELETE", "/api/v1/namespaces/chart/pods?gracePeriodSeconds=0")


def check_recipe(server: Prometheus, beside: Peer, dropped: set[str], namespace: str) -> None:
    """Assert that Prometheus has the series of the peers, less metrics that the recipe drops, from the agents of a namespace."""
    assert without_data(server, mixin(dropped)) == []
    check_same_as_peer(server, beside)
    check_containers(server)
    assert [bool(server.query(selector)) for selector in DROPPED_SERIES] == [not dropped] * len(DROPPED_SERIES)
    for sample in labels_of(server, 'up{job="telegen"}'):
        assert sample["node"] in NODES and sample["namespace"] == namespace
    assert {rule["health"] for rule in server.rules()} == {"ok"}
    # Before the first scrapes series are absent.
    wait_for("the expected alerts", lambda: troubles(server) == EXPECTED, 10, 0.5)


def troubles(server: Prometheus) -> set[tuple[str, str]]:
    """Return names and nodes of our alerts that are pending or firing."""
    return {(sample["alertname"], sample.get("node", "")) for sample in labels_of(server, OURS_IN_TROUBLE)}


def test_no_panel_is_empty(cluster: Monitored) -> None:
    """In this cluster of troubles every query of every dashboard, and every recording rule, has data; the push needs a receiver."""
    config, targets = cluster.recipe("kube-prometheus")
    wanted = [query for one in dashboards().values() for query in queries(one) if query.name not in optional()]
    wanted += [Expression(rule["record"], rule["record"]) for rule in rules() if "record" in rule]
    with cluster.observed(config, targets) as server:
        assert without_data(server, wanted) == []


def check_same_as_peer(server: Prometheus, beside: Peer) -> None:
    """Wait until Prometheus has exactly the series and values of kube-state-metrics, with job and instance added."""

    def difference() -> list[tuple[str, Any]]:
        stored = {}
        for sample in server.query('{__name__=~"kube_.+"}'):
            labels = dict(sample["metric"])
            name = labels.pop("__name__")
            assert (labels.pop("job"), labels.pop("instance")) == ("kube-state-metrics", "kube-state-metrics"), labels
            if name not in OURS | MOVING:
                stored[name, frozenset(labels.items())] = float(sample["value"][1])
        theirs = {key: value for key, value in series_of(beside.page()).items() if key[0] not in MOVING}
        return sorted((key[0], sorted(key[1])) for key in stored.keys() | theirs.keys() if stored.get(key) != theirs.get(key))

    try:
        wait_for("the same series", lambda: not difference(), 20, 1)
    except TimeoutError:
        pytest.fail("\n".join(map(str, difference()[:20])))


def series_of(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the values of a page by name and labels; Prometheus has no empty labels."""
    return {
        (sample.name, frozenset((label, text) for label, text in sample.labels.items() if text)): sample.value
        for family in parse(page)
        for sample in family.samples
    }


def check_containers(server: Prometheus) -> None:
    """Assert that container_* and machine_* are those of their node, each once, with names of pods."""
    found = labels_of(server, CONTAINERS)
    assert {sample["node"] for sample in found} == set(NODES)
    for sample in found:
        assert KUBELET.items() <= sample.items() and sample["instance"] == sample["node"]
        assert not [label for label in sample if label.startswith(("exported_", "agent_"))]
        assert "pod" not in sample or sample["node"] == CONTAINERS_NODE
    named = labels_of(server, 'container_memory_working_set_bytes{container!=""}')
    assert {"web-burst-sd", "db-burst-cgfs", "pinned-guar-sd", "ctr-be-cgfs"} == {sample["pod"] for sample in named}
    assert "default" in {sample["namespace"] for sample in named}


@pytest.mark.parametrize("mode", ["overlays/standalone", "overlays/shards", "overlays/node"])
def test_the_monitor_fits_every_mode(mode: str, cluster: Monitored, tmp_path: Path) -> None:
    """Every target is up: agents without containers are not scraped for them, and a user's namespace needs no change."""
    namespace = mode.rpartition("/")[2]
    cluster.plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    manifests = cluster.kubectl.build(Variant((mode,), ("prometheus-operator", "kube-prometheus")), namespace=namespace)
    cluster.kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(manifests))
    try:
        with cluster.agent(manifests, "telegen-0", "node-1", make_empty_node(tmp_path)) as agent:
            agent.wait_ready(60)
            paths = ["/metrics/kubestate", "/telemetry", *(["/metrics/cadvisor"] if mode == "overlays/node" else [])]
            with cluster.observed(cluster.operators_configuration(manifests), len(paths)) as server:
                assert sorted(target["scrapeUrl"].partition(f":{PORT}")[2] for target in server.targets()) == sorted(paths)
                # Any kind's: UIDs decide which shard has an object, and all of a few nodes may be the other shard's.
                assert bool(server.query('{__name__=~"kube_.+"}')) == (mode != "overlays/node")
    finally:
        cluster.kubectl.run("delete", "--wait=false", "-f", "-", text=yaml.safe_dump_all(manifests))
        cluster.plane.request("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0")


def test_kube_prometheus_needs_the_role(cluster: Monitored) -> None:
    """Its account may list pods in the agent's namespace, and in no other one."""
    assert [may_list_pods(cluster.plane, KUBE_PROMETHEUS, namespace) for namespace in ("telegen", "default")] == [True, False]


def may_list_pods(plane: ControlPlane, account: tuple[str, str], namespace: str) -> bool:
    """Return whether an account may list the pods of a namespace."""
    attributes = {"verb": "list", "resource": "pods", "namespace": namespace}
    spec = {"user": f"system:serviceaccount:{account[0]}:{account[1]}", "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"])


def test_combined_page(cluster: Monitored, beside: Peer) -> None:
    """combined.yaml gives the series of separate.yaml from one job."""
    config = {"scrape_config_files": [str(MANIFESTS / "components" / "prometheus" / "combined.yaml")]}
    with cluster.observed(cluster.own_configuration(config, ANYWHERE), 2 * len(NODES)) as server:
        assert without_data(server, mixin(set())) == []
        check_same_as_peer(server, beside)
        check_containers(server)


def specified(name: str) -> Object:
    """Return one of the specification's scrape configurations."""
    jobs = yaml.safe_load(SPECIFICATION.read_text())[name]["scrape_configs"]
    return {"scrape_configs": jobs}


@pytest.mark.parametrize(("name", "pages"), [("combined", 1), ("separate", 2)])
def test_the_specifications_scrape_configuration(name: str, pages: int, cluster: Monitored) -> None:
    """As it is written it finds every agent at its port, and objects keep their own labels."""
    with cluster.observed(cluster.own_configuration(specified(name), ANYWHERE), pages * len(NODES)) as server:
        assert without_data(server, [Expression(each, each) for each in ("kube_pod_info", "container_cpu_usage_seconds_total")]) == []
        assert {sample["namespace"] for sample in labels_of(server, "kube_pod_info")} == {"default", "kube-system", "shop", "telegen"}
        assert server.query('{__name__=~".+",exported_namespace!=""}') == []
        assert {target["labels"]["instance"].rpartition(":")[2] for target in server.targets()} == {str(PORT)}
