"""Create the objects of tests/kubestate/cases in a real API server, as far as it accepts them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telegen.kubestate.registry import RESOURCES
from tests.cluster.control_plane import ControlPlane, Object, Refused

CASES = Path(__file__).parents[1] / "kubestate" / "cases"
FIRST, LAST = ("namespaces", "nodes"), ("limitranges", "resourcequotas")
"""Resources created first, since others need them, and last, since they would make the server refuse others."""
GIVEN = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")
"""Metadata fields that the client sets."""
VERDICTS = ("Approved", "Denied")
GENERATED = ("selector", "template", "manualSelector")
"""Fields of a Job's spec that contain the UID set by the server. No family reads them."""


def settings(minor: int) -> list[str]:
    """Return arguments of the API server, of a minor version of Kubernetes, with which it accepts unusual objects."""
    ranges = "--service-cluster-ip-range=10.0.0.0/16,fd00:10:96::/108"
    # Older servers do not know the gate, and accept such addresses.
    return [ranges, *(["--feature-gates=StrictIPCIDRValidation=false"] if minor >= 33 else [])]


@dataclass
class Made:
    """An object of a case and the stored object, None if the server refused it."""

    resource: str
    wanted: Object
    made: Object | None
    refusal: str = ""

    @property
    def path(self) -> str:
        """Path of the object in the API."""
        metadata = self.wanted["metadata"]
        return f"{RESOURCES[self.resource].path(metadata.get('namespace', ''))}/{metadata['name']}"

    @property
    def same(self) -> bool:
        """Return True if the stored object equals the case, apart from metadata that only servers set."""
        return self.made is not None and given(self.made) == given(self.wanted)


def given(obj: Object) -> Object:
    """Return an object without the fields that each server sets itself."""
    metadata = {key: value for key, value in obj["metadata"].items() if key in GIVEN}
    rest = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
    if "completionMode" in obj.get("spec", {}):
        rest["spec"] = {key: value for key, value in obj["spec"].items() if key not in GENERATED}
    return {**rest, "metadata": metadata}


def cases() -> Iterator[tuple[str, Object]]:
    """Resource and object of every case, in an order in which they can be created."""
    names = [*FIRST, *(name for name in RESOURCES if name not in FIRST + LAST), *LAST]
    for name in names:
        for obj in json.loads((CASES / name / "objects.json").read_text())["items"]:
            yield name, {**obj, "kind": RESOURCES[name].kind, "apiVersion": RESOURCES[name].api_version}


def create_all(plane: ControlPlane) -> list[Made]:
    """Create every object, and set its status. Objects that are to be terminating are deleted at the end."""
    _create_classes(plane)
    found = [create(plane, resource, obj) for resource, obj in cases()]
    for one in found:
        if one.made and is_terminating(one.wanted):
            plane.request("DELETE", one.path)
            one.made = plane.request("GET", one.path)
            if "status" in one.wanted:
                one.made = _with_status(plane, one)
    return found


def is_terminating(obj: Object) -> bool:
    """Return True if an object is terminating: deleted, and kept by its finalizers."""
    return "deletionTimestamp" in obj["metadata"]


def _create_classes(plane: ControlPlane) -> None:
    """Create the priority and runtime classes that pods of the cases name."""
    pods = [obj["spec"] for resource, obj in cases() if resource == "pods"]
    for name, pod in {pod["priorityClassName"]: pod for pod in pods if "priorityClassName" in pod}.items():
        body = {"metadata": {"name": name}, "value": pod["priority"], "preemptionPolicy": pod["preemptionPolicy"]}
        with contextlib.suppress(Refused):  # The system's own classes exist already.
            plane.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
    for name, pod in {pod["runtimeClassName"]: pod for pod in pods if "runtimeClassName" in pod}.items():
        overhead = {"overhead": {"podFixed": pod["overhead"]}} if "overhead" in pod else {}
        plane.request("POST", "/apis/node.k8s.io/v1/runtimeclasses", {"metadata": {"name": name}, "handler": "runc", **overhead})


def create(plane: ControlPlane, resource: str, obj: Object) -> Made:
    """Create one object, or replace the one of that name that the server has created itself."""
    one = Made(resource, obj, None)
    body = {**given(obj), "kind": obj["kind"], "apiVersion": obj["apiVersion"]}
    body.pop("status", None)
    if resource == "jobs":
        template = {**obj["spec"]["template"], "metadata": {}}
        body["spec"] = {**body["spec"], "template": template}
    try:
        try:
            one.made = plane.request("POST", one.path.rpartition("/")[0], body)
        except Refused as error:
            if " 409 " not in str(error):
                raise
            one.made = plane.request("PUT", one.path, body)
        if "status" in obj and not is_terminating(obj):
            one.made = _with_status(plane, one)
    except Refused as error:
        one.refusal = str(error)
    return one


def _with_status(plane: ControlPlane, one: Made) -> Object:
    """Set the status of an object through its subresources; return the stored object."""
    status: dict[str, Any] = one.wanted["status"]
    made: Object = one.made or {}
    if one.resource == "certificatesigningrequests":
        verdicts = [condition for condition in status.get("conditions", ()) if condition["type"] in VERDICTS]
        made = plane.request("PUT", f"{one.path}/approval", {**made, "status": {**made.get("status", {}), "conditions": verdicts}})
    return plane.request("PUT", f"{one.path}/status", {**made, "status": status})  # type: ignore[no-any-return]
