"""Metrics with expressions in ConfigMaps of a real API server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.custom_resources import definition, install, put, uninstall
from tests.cluster.test_custom import GROUP, put_sizes, series
from tests.harness import start_agent
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
NAMESPACE = "metrics-of-teams"
PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
FICKLES = f"/apis/{GROUP}/v1/fickles"
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    kubeconfig: {kubeconfig}
    custom_resource_state:
      only: true
      config_maps: {{namespace: metrics-of-teams, selector: "telegen/metrics in (yes, true)"}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
"""
SIZES = """
metrics:
- resource: {group: churn.example, kind: Fickle}
  prefix: %s
  metrics:
  - {name: size, value: spec.size, labels: {named: "object.metadata.name.upperAscii()"}}
  - {name: objects, aggregate: count}
"""


def config_map(name: str, content: str) -> dict[str, object]:
    """Return a ConfigMap with one file."""
    return {"metadata": {"name": name, "labels": {"telegen/metrics": "yes"}}, "data": {"metrics.yaml": content}}


@contextlib.contextmanager
def kinds(plane: ControlPlane) -> Iterator[None]:
    """Create a kind with three objects, and the namespace of the ConfigMaps; remove them at the end."""
    try:
        install(plane, [definition(GROUP, "Fickle")])
        put_sizes(plane, "Fickle", 3)
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield
    finally:
        plane.request("DELETE", PATH)
        plane.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
        uninstall(plane, [f"fickles.{GROUP}"])


def test_config_maps(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Metrics of ConfigMaps follow their changes and those of the objects; a bad version leaves the last good one, and of two with one
    metric the older one counts until it goes."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    with kinds(control_plane), start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
        agent.wait_ready(20)
        control_plane.request("POST", PATH, config_map("a-team", SIZES % "first"))
        agent.wait_page("a ConfigMap", lambda page: series(page, "first_size") == 3 and "\nfirst_objects 3\n" in page, 20)
        for name in ("more", "most"):
            metadata = {"name": name, "namespace": "churn"}
            put(control_plane, FICKLES, {"apiVersion": f"{GROUP}/v1", "kind": "Fickle", "metadata": metadata, "spec": {"size": 9}})
        agent.wait_page("new objects", lambda page: series(page, "first_size") == 5 and "\nfirst_objects 5\n" in page, 20)
        control_plane.request("POST", PATH, config_map("b-team", SIZES % "first"))
        wait_for("the conflict", lambda: "/b-team/metrics.yaml:6: metrics[0].metrics[0]: first_size:" in agent.log.read_text(), 20)
        control_plane.request("PUT", f"{PATH}/a-team", config_map("a-team", SIZES % "changed"))
        agent.wait_page("both", lambda page: series(page, "(first|changed)_size") == 10, 20)
        control_plane.request("PUT", f"{PATH}/a-team", config_map("a-team", SIZES.replace("spec.size", "spec..size") % "bad"))
        wait_for("the refusal", lambda: "/a-team/metrics.yaml:6: metrics[0].metrics[0].value: 'spec..size'" in agent.log.read_text(), 20)
        assert series(agent.page(), "(first|changed)_size") == 10
        control_plane.request("DELETE", f"{PATH}/a-team")
        agent.wait_page("the other one", lambda page: series(page, "first_size") == 5 and series(page, "changed_size") == 0, 20)
