"""Kustomizations in documents: copied and rendered."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from telegen.config import Config, load
from telegen.config.settings import settings, value_at
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object
from tests.k8s.documents import HELM, INSTALL, MIGRATION, SECURITY, render_shown, shown
from tests.k8s.rendered import config_text, container, environment

pytestmark = pytest.mark.cluster
MEANT = {"kube_metrics.kube_state.labels_allowlist"}
"""Settings that the example of docs/install.md changes."""


def config(objs: list[Object], folder: Path) -> Config:
    """Load the configuration of the objects' pod."""
    path = folder / "telegen.yaml"
    path.write_text(config_text(objs))
    return load(str(path), environment(objs))


def test_kustomization_of_ones_own(kubectl: Kubectl, tmp_path: Path) -> None:
    """The kustomization in docs/install.md can be rendered, and changes only the settings in `MEANT`: users who copy it keep the node's
    mounts and the scraped paths."""
    objs = render_shown(kubectl, INSTALL)
    own, shipped = config(objs, tmp_path), config(kubectl.render(MANIFESTS), tmp_path)
    changed = {path for path, _, _ in settings() if value_at(own, path) != value_at(shipped, path)}
    assert changed == MEANT
    assert container(objs)["image"].startswith("registry.example/telegen:")
    assert {"NetworkPolicy", "DaemonSet"} <= {obj["kind"] for obj in objs}


def test_kustomization_of_the_manifests_readme(kubectl: Kubectl) -> None:
    """The shorter kustomization in k8s/README.md can be rendered."""
    objs = render_shown(kubectl, MANIFESTS / "README.md")
    assert container(objs)["image"].startswith("registry.example/telegen:")
    assert {"NetworkPolicy", "DaemonSet"} <= {obj["kind"] for obj in objs}


def test_probes_of_an_agent_that_asks_for_credentials(kubectl: Kubectl) -> None:
    """The kustomization in docs/security.md lets all probes use the port of the telemetry_address beside it, and keeps the scraped port."""
    found = container(render_shown(kubectl, SECURITY))
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert ports == {"metrics": 9443, "probes": 8081}
    assert 'telemetry_address: ":8081"' in SECURITY.read_text()
    assert {found[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")} == {"probes"}


SCREEN = 45
"""Lines of a terminal window."""
RECIPES = ("kube-prometheus-stack", "kube-prometheus", "Prometheus alone")


@pytest.mark.parametrize("name", [*RECIPES, HELM])
def test_a_recipe_fits_on_a_screen(name: str) -> None:
    """Each recipe of docs/migration.md is shorter than a screen."""
    section = MIGRATION.read_text().partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert 0 < len(section.splitlines()) < SCREEN


@pytest.mark.parametrize("name", ["alloy", "opentelemetry-collector", "victoriametrics"])
def test_a_page_fits_on_a_screen(name: str) -> None:
    """Each page on another scraper is shorter than a screen."""
    assert 0 < len((MIGRATION.parent / f"{name}.md").read_text().splitlines()) < SCREEN


def test_values_of_kube_prometheus_stack() -> None:
    """The values end the scrapes of kube-state-metrics and of the kubelet's containers, and the alerts on kube_state_metrics_*."""
    assert yaml.safe_load(shown(MIGRATION, "values.yaml", RECIPES[0])) == {
        "kubeStateMetrics": {"enabled": False},
        "kubelet": {"serviceMonitor": {"cAdvisor": False}},
        "defaultRules": {"rules": {"kubeStateMetrics": False}},
    }


def test_kube_prometheus_stack_selects_the_monitors(kubectl: Kubectl) -> None:
    """PodMonitor and PrometheusRule carry the label by which the chart selects."""
    objs = [obj for obj in render_shown(kubectl, MIGRATION, RECIPES[0]) if obj["apiVersion"].startswith("monitoring.coreos.com/")]
    assert {obj["kind"]: obj["metadata"]["labels"].get("release") for obj in objs} == {
        "PodMonitor": "kube-prometheus-stack",
        "PrometheusRule": "kube-prometheus-stack",
    }
