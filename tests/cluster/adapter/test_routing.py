"""An API server that sends requests to the name of the Service, as one without aggregator routing does: here an ExternalName."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from telegen.cli.main import main
from tests.adapter.cluster import HERE
from tests.adapter.replay import Recording, replayed
from tests.cluster.adapter import objects
from tests.cluster.adapter.authorities import Authorities
from tests.cluster.adapter.containers import running_container
from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ADMIN, ControlPlane, Object
from tests.cluster.kubectl import Kubectl, Variant
from tests.harness import free_port
from tests.k8s.rendered import ADAPTER
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
METRIC = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/web-1/http_inflight"
COMPONENTS = ("namespace", "adapter", "adapter-custom-metrics")


class Site(NamedTuple):
    """The cluster, and the kubeconfig of its administrator."""

    plane: ControlPlane
    kubeconfig: Path
    folder: Path


def _redirected(manifests: list[Object], port: int) -> list[Object]:
    """Return manifests whose Service is the name localhost; requests go to this port."""
    for obj in manifests:
        if obj["kind"] == "Service" and obj["metadata"]["name"] == "telegen-adapter":
            obj["spec"] = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port, "name": "https"}]}
        if obj["kind"] == "APIService":
            obj["spec"]["service"]["port"] = port
    return manifests


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The cluster with one adapter on loopback, which answers by rules alone."""
    folder, port = tmp_path_factory.mktemp("routing"), free_port()
    (folder / "plane").mkdir()
    arguments = Authorities(folder / "authorities").settings(to_endpoints=False)
    recording = Recording(json.loads((HERE / "cases/plain-gauge.json").read_text()))
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.running(Programs.found(), folder / "plane", *arguments, users=objects.USERS))
        kubeconfig = plane.kubeconfig(folder / "admin", ADMIN)
        kubectl = Kubectl.found(kubeconfig)
        manifests = _redirected(kubectl.build(Variant(("base",), COMPONENTS)), port)
        kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(manifests))
        settings = {
            "ADAPTER__LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "ADAPTER__AGENTS_SERVICE": "",
            "ADAPTER__DRAIN": "0s",
            "ADAPTER__RULES_FILE": HERE / "cases/plain-gauge.yaml",
            "ADAPTER__PROMETHEUS": f"[{{url: '{stack.enter_context(replayed(recording))}'}}]",
        }
        command = [sys.executable, "-m", "telegen", "adapter"]
        stack.enter_context(running_container(plane, manifests, folder, ADAPTER, "adapter-1", command, settings))
        wait_for("the APIServices", lambda: _are_available(plane), 60, 0.2)
        yield Site(plane, kubeconfig, folder)


def _are_available(plane: ControlPlane) -> bool:
    found = [one for one in plane.objects("/apis/apiregistration.k8s.io/v1/apiservices") if one["spec"].get("service")]
    conditions = [each for one in found for each in one.get("status", {}).get("conditions", ())]
    return bool(found) and [each["status"] for each in conditions if each["type"] == "Available"] == ["True"] * len(found)


def test_requests(site: Site) -> None:
    """Requests arrive with their users: the certificate is verified for the name of the Service, whatever address it leads to."""
    values = {item["describedObject"]["name"]: item["value"] for item in site.plane.request("GET", METRIC)["items"]}
    assert values == {"web-1": "21"}
    bob = Kubectl.found(site.plane.kubeconfig(site.folder / "bob", "bob-token"))
    with pytest.raises(AssertionError, match='User "bob" cannot get resource "pods/http_inflight"'):
        bob.run("get", "--raw", METRIC)


def test_check(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """`telegen adapter check` expects no endpoints of a Service that is a name."""
    status = main(["adapter", "check", "--kubeconfig", str(site.kubeconfig), "--agents-service", ""])
    text = capsys.readouterr().out
    assert "Service telegen/telegen-adapter: the name localhost" in text and "v1beta2.custom.metrics.k8s.io: served by this adapter" in text
    assert status == 0, text
