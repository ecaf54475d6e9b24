"""Definitions and objects of the recorded cases of custom resources, in a real API server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.cluster.control_plane import ControlPlane, Object, Refused
from tests.process_tree import wait_for

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SET_BY_SERVER = frozenset(
    ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds")
)


def definition(group: str, kind: str, versions: Iterable[str] = ("v1",), scope: str = "Namespaced") -> Object:
    """Return a definition whose objects may have any fields; the last version is stored."""
    plural, names = f"{kind.lower()}s", list(versions)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [{"name": name, "served": True, "storage": name == names[-1], "schema": schema} for name in names],
        },
    }


def install(plane: ControlPlane, definitions: Iterable[Object]) -> list[str]:
    """Create definitions and wait until their kinds are served; return their names."""
    names = []
    for one in definitions:
        spec = one["spec"]
        head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        body = {**head, "metadata": {"name": one["metadata"]["name"]}, "spec": spec}
        body["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}
        plane.request("POST", DEFINITIONS, body)
        names.append(one["metadata"]["name"])
        served = [version["name"] for version in spec["versions"] if version["served"]]
        for version in served:
            path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
            wait_for(path, lambda: is_served(plane, path), 30, 0.1)
    return names


def is_served(plane: ControlPlane, path: str) -> bool:
    """Return True if a collection can be listed."""
    with contextlib.suppress(Refused):
        plane.request("GET", path)
        return True
    return False


def uninstall(plane: ControlPlane, names: Iterable[str]) -> None:
    """Delete definitions and wait until they are gone."""
    for name in names:
        with contextlib.suppress(Refused):
            plane.request("DELETE", f"{DEFINITIONS}/{name}")
    for name in names:
        wait_for(f"the end of {name}", lambda: not _exists(plane, name), 60, 0.1)


def _exists(plane: ControlPlane, name: str) -> bool:
    with contextlib.suppress(Refused):
        plane.request("GET", f"{DEFINITIONS}/{name}")
        return True
    return False


def put(plane: ControlPlane, path: str, obj: Object) -> Object:
    """Create an object of a custom resource, with its status and without what a server sets; `path` is of the cluster's collection."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in SET_BY_SERVER}
    namespace = metadata.get("namespace")
    if namespace:
        with contextlib.suppress(Refused):
            plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        root, _, plural = path.rpartition("/")
        path = f"{root}/namespaces/{namespace}/{plural}"
    made: Object = plane.request("POST", path, {**obj, "metadata": metadata})
    if "status" in obj and made.get("status") != obj["status"]:
        with contextlib.suppress(Refused):
            made = plane.request("PUT", f"{path}/{metadata['name']}/status", {**made, "status": obj["status"]})
    if obj["metadata"].get("deletionTimestamp"):
        plane.request("DELETE", f"{path}/{metadata['name']}")
    return made


@contextlib.contextmanager
def installed_case(plane: ControlPlane, case: Path) -> Iterator[None]:
    """The definitions and objects of a case; all are deleted at the end."""
    definitions = json.loads((case / "crds.json").read_text())["items"]
    stored = {
        f"{one['spec']['group']}/{version['name']}/{one['spec']['names']['plural']}"
        for one in definitions
        for version in one["spec"]["versions"]
        if version["storage"]
    }
    names = [one["metadata"]["name"] for one in definitions]
    made: list[str] = []
    try:
        install(plane, definitions)
        for key, listed in json.loads((case / "objects.json").read_text()).items():
            for obj in listed["items"] if key in stored else ():
                put(plane, f"/apis/{key}", obj)
                made.append(_path(key, obj))
        yield
    finally:
        for path in made:
            _release(plane, path)
        uninstall(plane, names)


def _path(key: str, obj: Object) -> str:
    group_version, _, plural = key.rpartition("/")
    namespace = obj["metadata"].get("namespace")
    inside = f"namespaces/{namespace}/" if namespace else ""
    return f"/apis/{group_version}/{inside}{plural}/{obj['metadata']['name']}"


def _release(plane: ControlPlane, path: str) -> None:
    """Remove the finalizers of an object: its definition could not be deleted otherwise."""
    with contextlib.suppress(Refused):
        if plane.request("GET", path)["metadata"].get("finalizers"):
            plane.request("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
