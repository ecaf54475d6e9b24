"""The manifests of k8s/ as a real kube-apiserver takes them: server-side dry runs, in which every unknown field and every
warning is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.kubectl import COMPONENTS, MANIFESTS, VARIANTS, Kubectl, Object

pytestmark = [pytest.mark.cluster, pytest.mark.every_version]
FOREIGN = ("SecurityContextConstraints", "PodMonitor")
"""Kinds that Kubernetes itself does not know."""
FLOW_CONTROL_V1 = 29
"""Minor version of Kubernetes from which flowcontrol.apiserver.k8s.io has v1; v1beta2 ends with the one before."""
STRICT = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl as the administrator."""
    return Kubectl.found(control_plane.kubeconfig(tmp_path_factory.mktemp("admin") / "kubeconfig", ADMIN))


def apply(kubectl: Kubectl, objs: list[Object]) -> list[str]:
    """Apply the namespace, then everything in a dry run; the lines that kubectl prints."""
    native = [obj for obj in objs if obj["kind"] not in FOREIGN]
    kubectl.run("apply", "-f", "-", text=yaml.safe_dump(next(obj for obj in native if obj["kind"] == "Namespace")))
    return kubectl.run("apply", *STRICT, "-f", "-", text=yaml.safe_dump_all(native)).splitlines()


@pytest.mark.parametrize("where", VARIANTS, ids=lambda path: path.name)
def test_the_server_takes_every_variant(where: Path, kubectl: Kubectl) -> None:
    """No unknown field, no deprecated version, nothing that the namespace's Pod Security profile warns of."""
    objs = kubectl.render(where)
    printed = apply(kubectl, objs)
    assert len(printed) == len([obj for obj in objs if obj["kind"] not in FOREIGN])
    assert all("(server dry run)" in line for line in printed)


@pytest.mark.parametrize("where", VARIANTS, ids=lambda path: path.name)
def test_the_server_takes_the_pods(where: Path, kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """The pods that controllers will make of the templates are admitted: their priority class exists and Pod Security
    enforces no more than they keep."""
    objs = kubectl.render(where)
    apply(kubectl, objs)
    template = next(obj["spec"]["template"] for obj in objs if "template" in obj.get("spec", {}))
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], "name": "telegen-test"}}
    query = "dryRun=All&fieldValidation=Strict"
    made = control_plane.request("POST", f"/api/v1/namespaces/telegen/pods?{query}", pod)
    assert made["spec"]["priority"] >= 2_000_000_000


def components(minor: int) -> list[Path]:
    """Return the components for a version of Kubernetes: of those for flow control, the one of an API version that it has."""
    absent = "flow-control-v1beta2" if minor >= FLOW_CONTROL_V1 else "flow-control"
    assert MANIFESTS / "components" / absent in COMPONENTS
    return [component for component in COMPONENTS if component.name != absent]


def test_components_fit_every_variant(kubectl: Kubectl, control_plane: ControlPlane, tmp_path: Path) -> None:
    """An overlay of one's own with all components for the server's version is taken as well."""
    for where in VARIANTS:
        own = tmp_path / where.name
        own.mkdir()
        kustomization = {
            "resources": [_relative(own, where)],
            "components": [_relative(own, component) for component in components(control_plane.minor)],
            "images": [{"name": "telegen", "newName": "registry.example/telegen", "newTag": "test"}],
        }
        (own / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        objs = kubectl.render(own)
        assert {"NetworkPolicy", "FlowSchema", "PriorityLevelConfiguration"} <= {obj["kind"] for obj in objs}
        apply(kubectl, objs)


@pytest.mark.parametrize("name", ["flow-control", "flow-control-v1beta2"])
def test_flow_control_states_its_versions(name: str, kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """Each of the two components is taken by the versions that it names, and by no others."""
    text = (MANIFESTS / "components" / name / "flowschema.yaml").read_text()
    if MANIFESTS / "components" / name in components(control_plane.minor):
        assert len(kubectl.run("apply", *STRICT, "-f", "-", text=text).splitlines()) == 2
    else:
        with pytest.raises(AssertionError, match="no matches for kind"):
            kubectl.run("apply", *STRICT, "-f", "-", text=text)


def test_applied_twice_changes_nothing(kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """`kubectl apply -k k8s/` for real; the second time everything is as it was."""
    try:
        kubectl.run("apply", "-k", str(MANIFESTS))
        lines = kubectl.run("apply", "-k", str(MANIFESTS)).splitlines()
        assert lines and all(line.endswith(" unchanged") for line in lines)
    finally:
        kubectl.run("delete", "-n", "telegen", "daemonset/telegen", "configmap/telegen", "--wait=false")


def _relative(here: Path, there: Path) -> str:
    """Kustomize takes no absolute paths."""
    return str(Path(*[".."] * (len(here.resolve().parts) - 1), *there.resolve().parts[1:]))
