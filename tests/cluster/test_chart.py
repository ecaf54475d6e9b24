"""The chart on real API servers: strict server-side dry runs of every combination, and install, upgrade, uninstall."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.helm import CHART, NAMESPACE, RELEASE, Helm, combinations
from tests.cluster.kubectl import Kubectl, Object
from tests.cluster.operator_kinds import defined
from tests.cluster.test_manifests import FOREIGN, STRICT

pytestmark = pytest.mark.cluster
VALUES = combinations()
NAMESPACES = (NAMESPACE, "shop", "monitoring")
"""Namespaces of the objects of all combinations."""
BEFORE = {"mode": "standalone", "config": {"kube_metrics": {"scope": "node"}}, "podDisruptionBudget": {"enabled": True}}
AFTER = {
    **BEFORE,
    "replicas": 3,
    "flowControl": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "prometheus": {"monitor": {"enabled": True}, "rule": {"enabled": True}, "scrapeConfig": {"enabled": True}},
}
"""Values of an installation, and of its upgrade."""


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of the administrator, in a cluster with the namespaces."""
    made = control_plane.kubeconfig(tmp_path_factory.mktemp("admin") / "kubeconfig", ADMIN)
    control_plane.forget_agent()
    # Tests of the manifests make the namespace as well, with warnings about its pods.
    labels = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "warn", "audit")}
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}} for name in NAMESPACES]
    Kubectl.found(made).run("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(namespaces))
    return made


@pytest.fixture(scope="module")
def kubectl(kubeconfig: Path) -> Iterator[Kubectl]:
    """kubectl as the administrator of a cluster with the Prometheus operator's kinds."""
    made = Kubectl.found(kubeconfig)
    with defined(made):
        yield made


@pytest.fixture(scope="module")
def helm(kubeconfig: Path) -> Helm:
    """helm as the administrator."""
    return Helm.found(kubeconfig)


WITHOUT_KINDS: dict[str, dict[str, Any]] = {
    "no kinds of the Prometheus operator": {"prometheus": {"monitor": {"enabled": True}}},
    "no security.openshift.io/v1": {"openshift": {"securityContextConstraints": True}},
}


def test_kinds_that_the_cluster_lacks(helm: Helm, control_plane: ControlPlane) -> None:
    """An installation that needs kinds that the cluster lacks is refused with one line, and nothing is created."""
    groups = {group["name"] for group in control_plane.request("GET", "/apis")["groups"]}
    assert "monitoring.coreos.com" not in groups, "run this before the tests that define the kinds"
    for message, values in WITHOUT_KINDS.items():
        status, output = helm.attempt("install", RELEASE, str(CHART), "-n", NAMESPACE, values=values)
        assert status == 1 and message in output and len(output.strip().splitlines()) == 1, output
    assert helm.run("list", "-n", NAMESPACE, "-q") == ""


@pytest.mark.every_version
def test_the_server_takes_every_combination(helm: Helm, kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """Each object of any combination is accepted: no unknown field, no deprecated version."""
    different: dict[str, Object] = {}
    for values in VALUES.values():
        objs = helm.render(values, f"1.{control_plane.minor}")
        different.update((json.dumps(obj, sort_keys=True), obj) for obj in objs if obj["kind"] != FOREIGN)
    printed = kubectl.run("apply", *STRICT, "-f", "-", text=yaml.safe_dump_all(different.values())).splitlines()
    assert len(printed) == len(different) and all("(server dry run)" in line for line in printed)


@functools.cache
def kinds() -> list[str]:
    """Return the kinds of the chart's objects, and Secrets, in which helm keeps releases."""
    found = {obj["kind"] for values in VALUES.values() for obj in Helm.found().render(values)}
    return sorted({*found, "Secret"} - {FOREIGN})


def everything(kubectl: Kubectl) -> set[str]:
    """Return kind, namespace and name of all objects of kinds that the chart and releases have."""
    found = json.loads(kubectl.run("get", ",".join(kinds()), "-A", "-o", "json"))["items"]
    return {f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}" for obj in found}


def test_install_upgrade_uninstall(helm: Helm, kubectl: Kubectl, control_plane: ControlPlane, tmp_path: Path) -> None:
    """A release is installed, upgraded to a later version of the chart with other values, and nothing is left of it in the end."""
    before = everything(kubectl)
    notes = helm.run("install", RELEASE, str(CHART), "-n", NAMESPACE, values=BEFORE)
    assert "deployment/telegen" in notes
    later = shutil.copytree(CHART, tmp_path / "chart")
    text = (later / "Chart.yaml").read_text()
    (later / "Chart.yaml").write_text(text.replace("0.1.0", "9.9.9"))
    helm.run("upgrade", RELEASE, str(later), "-n", NAMESPACE, values=AFTER)
    made = control_plane.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{RELEASE}")
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "telegen:9.9.9"
    assert {"PodMonitor telegen/telegen", "FlowSchema /telegen", "NetworkPolicy telegen/telegen"} <= everything(kubectl)
    helm.run("uninstall", RELEASE, "-n", NAMESPACE)
    assert everything(kubectl) == before


SERVICE_MONITOR = {"prometheus": {"monitor": {"enabled": True, "kind": "ServiceMonitor"}}}
NODE_PORT = {"mode": "standalone", "service": {"type": "NodePort"}}
ADAPTER = VALUES["36-adapter-resource-metrics"]
CHANGES = (SERVICE_MONITOR, {"mode": "standalone"}, {"mode": "shards"}, NODE_PORT, {}, ADAPTER, SERVICE_MONITOR)
"""Values of upgrades, one after the other: each makes a Service of another kind, or none."""


def test_an_upgrade_changes_the_mode(helm: Helm, kubectl: Kubectl) -> None:
    """A release goes from any mode to any other, with a Service of its own and without one, and nothing is left of it in the end."""
    before = everything(kubectl)
    helm.run("install", RELEASE, str(CHART), "-n", NAMESPACE, values={"mode": "standalone"})
    for values in CHANGES:
        helm.run("upgrade", RELEASE, str(CHART), "-n", NAMESPACE, values=values)
    helm.run("uninstall", RELEASE, "-n", NAMESPACE)
    assert everything(kubectl) == before


@pytest.mark.parametrize("names", [("18-node", "19-cluster"), ("38-node-and-adapter", "39-cluster-and-adapter")])
def test_two_releases_beside_each_other(names: tuple[str, ...], helm: Helm, kubectl: Kubectl) -> None:
    """The two accounts of overlays/node and overlays/cluster are two releases in one namespace, also with an adapter."""
    before = everything(kubectl)
    for name in names:
        helm.run("install", name, str(CHART), "-n", NAMESPACE, values=VALUES[name])
    assert {"DaemonSet telegen/telegen-node", "Deployment telegen/telegen-cluster"} <= everything(kubectl)
    for name in names:
        helm.run("uninstall", name, "-n", NAMESPACE)
    assert everything(kubectl) == before


WANTED = {
    "02-standalone": ("1. The image is telegen:", "make image", "set image.registry", "keep the profile `restricted`"),
    "06-prometheus-operator": (
        "pod-security.kubernetes.io/enforce=privileged",
        "kubeStateMetrics: {enabled: false}",
        "kubelet: {serviceMonitor: {cAdvisor: false}}",
        "defaultRules: {rules: {kubeStateMetrics: false}}",
        "prometheus.monitor.additionalLabels.release",
        "Secrets need config.kube_metrics.kube_state.resources_exclude: []",
    ),
    "26-web-tls": (":10443/agent\n\n   They need what config.web demands",),
    "36-adapter-resource-metrics": ("serves metrics.k8s.io.", "telegen adapter check --service telegen/telegen-adapter --agents-service"),
    "20-namespaced": ("no right in the whole cluster",),
}


def test_notes(helm: Helm, kubectl: Kubectl) -> None:
    """The notes begin with the image, name the label of the namespace, and have the values that end kube-prometheus-stack's scrapes."""
    for name, texts in WANTED.items():
        printed = helm.run("install", RELEASE, str(CHART), "-n", NAMESPACE, "--dry-run=server", values=VALUES[name])
        notes = printed.partition("NOTES:\n")[2]
        assert [text for text in texts if text not in notes] == [], notes
