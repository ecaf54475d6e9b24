"""The SecurityContextConstraints of the OpenShift overlay grant exactly the rights that its pod requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cluster.kubectl import MANIFESTS, Kubectl, Object
from tests.k8s.rendered import container, pod_spec

pytestmark = pytest.mark.cluster
NARROWER: dict[str, Any] = {
    "allowPrivilegedContainer": False,
    "allowPrivilegeEscalation": False,
    "allowHostPID": False,
    "allowHostDirVolumePlugin": False,
    "runAsUser": {"type": "MustRunAsNonRoot"},
    "seccompProfiles": ["runtime/default"],
    "users": [],
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
    "groups": [],
}
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
    if f"system:serviceaccount:telegen:{spec['serviceAccountName']}" not in constraints["users"]:
        yield "users"


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
    """Objects of the overlay."""
    return kubectl.render(MANIFESTS / "overlays/openshift")


@pytest.fixture(scope="module")
def constraints(objs: list[Object]) -> Object:
    """SecurityContextConstraints of the overlay."""
    (only,) = [obj for obj in objs if obj["kind"] == "SecurityContextConstraints"]
    return only


@pytest.mark.parametrize("name", ["overlays/openshift", "overlays/hardened"])
def test_the_pod_is_allowed(name: str, kubectl: Kubectl, constraints: Object) -> None:
    """The constraints admit the DaemonSet's pod and the one without privileges."""
    assert list(refusals(constraints, kubectl.render(MANIFESTS / name))) == []


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
