"""The manifests of k8s/ as a real kube-apiserver takes them: server-side dry runs, in which every unknown field and every
warning is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.kubectl import MANIFESTS, VARIANTS, Kubectl, Object, Variant
from tests.cluster.operator_kinds import defined
from tests.k8s.combinations import FOLDERS, V1, V1BETA2, combinations, components, namespace

pytestmark = [pytest.mark.cluster, pytest.mark.every_version]
FOREIGN = "SecurityContextConstraints"
"""A kind whose definition is part of OpenShift."""
FLOW_CONTROL_V1 = 29
"""Minor version of Kubernetes from which flowcontrol.apiserver.k8s.io has v1; v1beta2 ends with the one before."""
STRICT = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl as the administrator of a cluster with the Prometheus operator's kinds."""
    made = Kubectl.found(control_plane.kubeconfig(tmp_path_factory.mktemp("admin") / "kubeconfig", ADMIN))
    with defined(made):
        yield made


def apply_namespace(kubectl: Kubectl, folders: tuple[str, ...]) -> None:
    """Apply the namespace that fits the folders."""
    kubectl.run("apply", "-f", str(MANIFESTS / "components" / namespace(folders) / "namespace.yaml"))


def flow_control(minor: int) -> str:
    """Return the component for flow control whose API version a version of Kubernetes has."""
    return V1 if minor >= FLOW_CONTROL_V1 else V1BETA2


@pytest.mark.parametrize("folders", FOLDERS, ids=lambda folders: "+".join(folder.rpartition("/")[2] for folder in folders))
def test_the_server_takes_every_combination(folders: tuple[str, ...], kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """Each object that any combination of components has is accepted: no unknown field, no deprecated version, nothing that the
    namespace's Pod Security profile warns of."""
    apply_namespace(kubectl, folders)
    different: dict[str, Object] = {}
    for variant in combinations(folders, flow_control(control_plane.minor), most=1):
        different.update((json.dumps(obj, sort_keys=True), obj) for obj in kubectl.build(variant))
    objs = [obj for obj in different.values() if obj["kind"] != FOREIGN]
    printed = kubectl.run("apply", *STRICT, "-f", "-", text=yaml.safe_dump_all(objs)).splitlines()
    assert len(printed) == len(objs)
    assert all("(server dry run)" in line for line in printed)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_server_takes_the_pods(variant: Variant, kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """The pods that controllers will make of the templates are admitted: their priority class exists and Pod Security
    enforces no more than they keep."""
    apply_namespace(kubectl, variant.folders)
    template = next(obj["spec"]["template"] for obj in kubectl.build(variant) if "template" in obj.get("spec", {}))
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], "name": "telegen-test"}}
    query = "dryRun=All&fieldValidation=Strict"
    made = control_plane.request("POST", f"/api/v1/namespaces/telegen/pods?{query}", pod)
    assert made["spec"]["priority"] >= 2_000_000_000


@pytest.mark.parametrize("name", [V1, V1BETA2])
def test_flow_control_states_its_versions(name: str, kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """Each of the two components is taken by the versions that it names, and by no others."""
    text = (MANIFESTS / "components" / name / "flowschema.yaml").read_text()
    if name == flow_control(control_plane.minor):
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


def test_a_users_namespace_is_left_alone(kubectl: Kubectl, control_plane: ControlPlane) -> None:
    """`namespace:` of a user's kustomization installs into a namespace of theirs, and neither installing nor deleting changes it."""
    everything = components(("base",), flow_control(control_plane.minor))
    variant = Variant(("base",), tuple(name for name in everything if name not in ("namespace", "openshift")))
    control_plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs", "labels": {"team": "a"}}})
    before = control_plane.request("GET", "/api/v1/namespaces/theirs")
    manifests = yaml.safe_dump_all(kubectl.build(variant, namespace="theirs"))
    kubectl.run("apply", "-f", "-", text=manifests)
    assert control_plane.request("GET", "/apis/apps/v1/namespaces/theirs/daemonsets")["items"]
    kubectl.run("delete", "-f", "-", "--wait=false", text=manifests)
    assert not control_plane.request("GET", "/apis/apps/v1/namespaces/theirs/daemonsets")["items"]
    assert control_plane.request("GET", "/api/v1/namespaces/theirs") == before
    control_plane.request("DELETE", "/api/v1/namespaces/theirs")
