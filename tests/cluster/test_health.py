"""Health of the custom resources of a real API server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.custom_resources import definition, install, put, uninstall
from tests.cluster.test_custom import CONFIG, Scrapes, series
from tests.harness import Agent, start_agent

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
HEALTH = CONFIG.replace("config_file: {file}", "health: {health}")
GROUP = "health.example"
COMPONENT = Path(__file__).parents[2] / "k8s" / "components" / "custom-resources-health" / "rbac.yaml"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def put_object(plane: ControlPlane, kind: str, name: str, status: Any) -> None:
    """Create an object with a status."""
    metadata = {"name": name, "namespace": "health"}
    obj = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "spec": {"size": 1}, "status": status}
    put(plane, f"/apis/{GROUP}/v1/{kind.lower()}s", obj)


def conditions(**statuses: str) -> dict[str, Any]:
    """Return a status with conditions."""
    return {"conditions": [{"type": type_, "status": status, "reason": "Because"} for type_, status in statuses.items()]}


def number(page: str, line: str) -> str:
    """Return the number of a series, "" if it is not on the page."""
    return next((found.rpartition(" ")[2] for found in page.split("\n") if found.startswith(f"{line} ")), "")


def wait_number(agent: Agent, line: str, wanted: str) -> None:
    agent.wait_page(f"{line} {wanted}", lambda page: number(page, line) == wanted, 15)


def test_kinds_and_services_come_and_go(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Objects, definitions and APIServices change while the agent is scraped: their series follow, an APIService without a server
    disturbs nothing, and the series of the other kind are on every page exactly once."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    head = f'group="{GROUP}",kind="Fickle"'
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.absent.example"},
        "spec": {
            "group": "absent.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
            "service": {"name": "none", "namespace": "health"},
        },
    }  # fmt: skip
    try:
        install(control_plane, [definition(GROUP, "Steady")])
        put_object(control_plane, "Steady", "a", conditions(Ready="True"))
        steady = rf'telegen_customresource_ready\{{group="{GROUP}",kind="Steady",namespace="health",name="a"\}} 1$'
        with start_agent(HEALTH, kubeconfig=kubeconfig, health="auto") as agent:
            agent.wait_ready(20)
            with Scrapes.running(agent, {steady: 1}):
                for _ in range(2):
                    install(control_plane, [definition(GROUP, "Fickle")])
                    put_object(control_plane, "Fickle", "bad", conditions(Ready="False", Degraded="True"))
                    put_object(control_plane, "Fickle", "good", conditions(Available="True"))
                    wait_number(agent, f'telegen_customresource_ready{{{head},namespace="health",name="good"}}', "1")
                    wait_number(agent, f'telegen_customresource_objects_by_status{{{head},namespace="health",status="Failed"}}', "1")
                    page = agent.page()
                    assert number(page, f'telegen_customresource_objects{{{head},namespace="health"}}') == "2"
                    assert number(page, f'telegen_customresource_condition{{{head},namespace="health",name="bad",type="Degraded"}}') == "1"
                    assert number(page, f'telegen_crd_condition{{name="fickles.{GROUP}",type="Established"}}') == "1"
                    control_plane.request("DELETE", f"/apis/{GROUP}/v1/namespaces/health/fickles/bad")
                    wait_number(agent, f'telegen_customresource_objects{{{head},namespace="health"}}', "1")
                    control_plane.request("POST", APISERVICES, service)
                    wait_number(agent, 'telegen_apiservice_available{name="v1.absent.example"}', "0")
                    control_plane.request("DELETE", f"{APISERVICES}/v1.absent.example")
                    uninstall(control_plane, [f"fickles.{GROUP}"])
                    agent.wait_page("the end of the kind", lambda page: 'kind="Fickle"' not in page, 15)
            assert number(agent.page(), 'telegen_apiservice_available{name="v1.apps"}') == "1"
    finally:
        uninstall(control_plane, [f"steadys.{GROUP}", f"fickles.{GROUP}"])


def test_more_objects_than_are_shown(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Of more than 500 objects only those that are not Current have series of their own, all are counted, and the others return when
    fewer than 400 are left."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    ready, path = "telegen_customresource_ready", f"/apis/{GROUP}/v1/namespaces/health/manys"
    try:
        install(control_plane, [definition(GROUP, "Many")])
        for place in range(501):
            put_object(control_plane, "Many", f"n{place}", conditions(Ready="False" if place < 3 else "True"))
        with start_agent(HEALTH, kubeconfig=kubeconfig, health=f"[{GROUP}]") as agent:
            agent.wait_ready(20)
            agent.wait_page("the unhealthy ones", lambda page: series(page, ready) == 3, 15)
            assert number(agent.page(), f'telegen_customresource_objects{{group="{GROUP}",kind="Many",namespace="health"}}') == "501"
            for place in range(101):
                control_plane.request("DELETE", f"{path}/n{500 - place}")
            agent.wait_page("all objects", lambda page: series(page, ready) == 400, 15)
    finally:
        uninstall(control_plane, [f"manys.{GROUP}"])


def test_rights(control_plane: ControlPlane, tmp_path: Path) -> None:
    """An account with the rights of the component and to one of two kinds serves that one, the definitions and the APIServices; the
    refused kind is a metric and a line on /readyz, and the agent is ready."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "telegen-test-health"},
        "rules": [{"apiGroups": [GROUP], "resources": ["steadys"], "verbs": ["list", "watch"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "telegen-test-health"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "telegen-test-health"},
        "subjects": [{"kind": "ServiceAccount", "name": "telegen", "namespace": "telegen"}],
    }
    token = control_plane.agent_token()
    granted = control_plane.apply([role, binding, *yaml.safe_load_all(COMPONENT.read_text())])
    try:
        install(control_plane, [definition(GROUP, "Steady"), definition(GROUP, "Secluded")])
        for kind in ("Steady", "Secluded"):
            put_object(control_plane, kind, "a", conditions(Ready="True"))
        kubeconfig = control_plane.kubeconfig(tmp_path / "agent", token)
        with start_agent(HEALTH, kubeconfig=kubeconfig, health=f"[{GROUP}, absent.example]") as agent:
            agent.wait_ready(20)
            page, ready, own = agent.page(), agent.page("/readyz"), agent.page("/telemetry")
            assert series(page, "telegen_customresource_ready") == 1
            assert f'telegen_crd_info{{name="secludeds.{GROUP}",group="{GROUP}",kind="Secluded",scope="Namespaced",' in page
            assert series(page, "telegen_apiservice_available") > 10
            assert "secludeds: 403 Forbidden: no right to" in ready
            assert "health of absent.example: the API server does not serve it" in ready
            assert f'telegen_customresource_forbidden{{group="{GROUP}",resource="secludeds"}} 1.0' in own
    finally:
        uninstall(control_plane, [f"steadys.{GROUP}", f"secludeds.{GROUP}"])
        for obj in reversed(granted):
            control_plane.delete(obj)


def test_reload(control_plane: ControlPlane, tmp_path: Path) -> None:
    """The health is turned on, and gets another detail, by a reload: the numbers of the kind are on every page from then on."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    try:
        install(control_plane, [definition(GROUP, "Steady")])
        put_object(control_plane, "Steady", "a", conditions(Ready="True"))
        with start_agent(HEALTH, kubeconfig=kubeconfig, health="none, packs: [vpa]") as agent:
            agent.wait_ready(20)
            assert "telegen_customresource_" not in agent.page()
            text = agent.config.read_text()
            agent.configure(text.replace("health: none", "health: auto"))
            counted = f'telegen_customresource_objects{{group="{GROUP}",kind="Steady",namespace="health"}}'
            wait_number(agent, counted, "1")
            with Scrapes.running(agent, {f"{re.escape(counted)} 1$": 1}):
                agent.configure(text.replace("health: none", "health_detail: none, health: auto"))
                agent.wait_page("the end of the detail", lambda page: series(page, "telegen_customresource_ready") == 0, 15)
    finally:
        uninstall(control_plane, [f"steadys.{GROUP}"])
