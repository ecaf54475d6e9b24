"""The SecurityContextConstraints of components/openshift grant exactly the rights that its pod requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cluster.kubectl import Kubectl, Object, Variant
from tests.k8s.combinations import NODE_AND_CLUSTER
from tests.k8s.rendered import container, pod_spec

pytestmark = pytest.mark.cluster
NARROWER: dict[str, Any] = {
    "allowPrivilegedContainer": False,
    "allowPrivilegeEscalation": False,
    "allowHostPID": False,
    "allowHostDirVolumePlugin": False,
    "runAsUser": {"type": "MustRunAsNonRoot"},
    "seccompProfiles": ["runtime/default"],
}
"""Granted fields, each with a value that grants less; kinds of volumes have a test of their own."""
WITHHELD: dict[str, Any] = {
    "allowHostIPC": False,
    "allowHostNetwork": False,
    "allowHostPorts": False,
    "allowedCapabilities": [],
    "defaultAddCapabilities": [],
    "requiredDropCapabilities": [],
    "readOnlyRootFilesystem": True,
    "users": [],
    "groups": [],
}
OPENSHIFT = Variant(("base",), ("openshift",))
ANY = {"seLinuxContext", "fsGroup", "supplementalGroups"}
"""Fields that the pod does not request: RunAsAny keeps the runtime's defaults."""


def refusals(constraints: Mapping[str, Any], objs: list[Object]) -> Iterator[str]:
    """Yield fields of the constraints for which OpenShift would refuse the pod."""
    spec, only = pod_spec(objs), container(objs)
    context = {**spec.get("securityContext", {}), **only["securityContext"]}
    asked = {
        "allowPrivilegedContainer": context.get("privileged", False),
        "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation", True),
        "allowHostPID": spec.get("hostPID", False),
        "allowHostIPC": spec.get("hostIPC", False),
        "allowHostNetwork": spec.get("hostNetwork", False),
        "allowHostPorts": any("hostPort" in port for port in only["ports"]),
        "allowHostDirVolumePlugin": any("hostPath" in volume for volume in spec["volumes"]),
    }
    yield from (name for name, wanted in asked.items() if wanted and not constraints[name])
    if set(context.get("capabilities", {}).get("add", ())) - set(constraints["allowedCapabilities"]):
        yield "allowedCapabilities"
    if constraints["readOnlyRootFilesystem"] and not context.get("readOnlyRootFilesystem"):
        yield "readOnlyRootFilesystem"
    if constraints["runAsUser"]["type"] != "RunAsAny" and not context.get("runAsUser"):
        yield "runAsUser"
    if not seccomp(context) & set(constraints["seccompProfiles"]):
        yield "seccompProfiles"
    if kinds(spec) - set(constraints["volumes"]):
        yield "volumes"


def seccomp(context: Mapping[str, Any]) -> set[str]:
    """Return names of the pod's seccomp profile in constraints; a privileged container is unconfined."""
    kind = context.get("seccompProfile", {}).get("type", "Unconfined")
    return {"*", {"RuntimeDefault": "runtime/default", "Unconfined": "unconfined"}[kind]}


def kinds(spec: Mapping[str, Any]) -> set[str]:
    """Return kinds of the pod's volumes; the account's token is a projected one."""
    found = {next(key for key in volume if key != "name") for volume in spec["volumes"]}
    return found | ({"projected"} if spec["automountServiceAccountToken"] else set())


@pytest.fixture(scope="module")
def objs(kubectl: Kubectl) -> list[Object]:
    """Objects with the component."""
    return kubectl.build(OPENSHIFT)


@pytest.fixture(scope="module")
def constraints(objs: list[Object]) -> Object:
    """SecurityContextConstraints of the component."""
    (only,) = [obj for obj in objs if obj["kind"] == "SecurityContextConstraints"]
    return only


@pytest.mark.parametrize("components", [("openshift",), ("hardened", "openshift")], ids="+".join)
@pytest.mark.parametrize("folder", ["base", "overlays/node"])
def test_the_pod_is_allowed(folder: str, components: tuple[str, ...], kubectl: Kubectl) -> None:
    """The constraints admit the DaemonSet's pod and the one without privileges, and the account may use them."""
    objs = kubectl.build(Variant((folder,), components))
    constraints = next(obj for obj in objs if obj["kind"] == "SecurityContextConstraints")
    assert list(refusals(constraints, objs)) == []
    (binding,) = [obj for obj in objs if obj["kind"] == "ClusterRoleBinding"]
    (role,) = [obj for obj in objs if obj["kind"] == "ClusterRole" and obj["metadata"]["name"] == binding["roleRef"]["name"]]
    assert [subject["name"] for subject in binding["subjects"]] == [pod_spec(objs)["serviceAccountName"]]
    assert right_to_use(constraints) in role["rules"]


def right_to_use(constraints: Object) -> Object:
    """Return the rule with which a role lets accounts use the constraints."""
    names = {"resources": ["securitycontextconstraints"], "resourceNames": [constraints["metadata"]["name"]]}
    return {"apiGroups": ["security.openshift.io"], **names, "verbs": ["use"]}


def test_the_cluster_part_may_not_use_them(kubectl: Kubectl) -> None:
    """Beside overlays/node the account of overlays/cluster gets no rights on nodes."""
    objs = kubectl.build(Variant(NODE_AND_CLUSTER, ("openshift",)))
    (constraints,) = [obj for obj in objs if obj["kind"] == "SecurityContextConstraints"]
    roles = {obj["metadata"]["name"]: right_to_use(constraints) in obj["rules"] for obj in objs if obj["kind"] == "ClusterRole"}
    assert roles == {"telegen-node": True, "telegen-cluster": False}


@pytest.mark.parametrize("field", NARROWER)
def test_granted_fields_are_needed(field: str, objs: list[Object], constraints: Object) -> None:
    """With a narrower value in any field the pod is refused because of that field."""
    assert list(refusals({**constraints, field: NARROWER[field]}, objs)) == [field]


def test_kinds_of_volumes_are_needed(objs: list[Object], constraints: Object) -> None:
    """The pod uses each allowed kind of volume."""
    assert set(constraints["volumes"]) == kinds(pod_spec(objs))


def test_nothing_else_is_granted(constraints: Object) -> None:
    """All other fields grant nothing; a field unknown to this test fails it."""
    assert {field: constraints[field] for field in WITHHELD} == WITHHELD
    assert {constraints[field]["type"] for field in ANY} == {"RunAsAny"}
    assert set(constraints) == {"apiVersion", "kind", "metadata", "volumes", *NARROWER, *WITHHELD, *ANY}
