"""Entities of the semantic conventions: the labels of a sample that identify its object, as attributes of a resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from telegen.otlp.attributes import Attribute, attributes
from telegen.otlp.conventions import Level
from telegen.otlp.points import MEMO, encode_attribute

Identity = Mapping[str, str]
"""Attribute of the resource by label."""

_NAMESPACE = {"namespace": "k8s.namespace.name"}
_POD = {**_NAMESPACE, "pod": "k8s.pod.name", "uid": "k8s.pod.uid"}
_CONTAINER = {**_POD, "container": "k8s.container.name"}
_CGROUP = {
    **_NAMESPACE,
    "pod": "k8s.pod.name",
    "container": "k8s.container.name",
    "id": "telegen.cgroup.path",
    "name": "container.id",
    "image": "container.image.name",
}


def _object(label: str, kind: str = "") -> Identity:
    return {**_NAMESPACE, label: f"k8s.{kind or label}.name"}


IDENTITY: Mapping[str, Identity] = {
    **dict.fromkeys(
        (
            "kube_configmap",
            "kube_endpoint",
            "kube_endpointslice",
            "kube_ingress",
            "kube_lease",
            "kube_limitrange",
            "kube_mutatingadmissionpolicy",
            "kube_mutatingadmissionpolicybinding",
            "kube_mutatingwebhookconfiguration",
            "kube_namespace",
            "kube_networkpolicy",
            "kube_poddisruptionbudget",
            "kube_role",
            "kube_rolebinding",
            "kube_secret",
            "kube_serviceaccount",
            "kube_validatingadmissionpolicy",
            "kube_validatingadmissionpolicybinding",
            "kube_validatingwebhookconfiguration",
            "kube_verticalpodautoscaler",
        ),
        _NAMESPACE,
    ),
    "kube_cronjob": _object("cronjob"),
    "kube_daemonset": _object("daemonset"),
    "kube_deployment": _object("deployment"),
    "kube_horizontalpodautoscaler": _object("horizontalpodautoscaler", "hpa"),
    "kube_job": _object("job_name", "job"),
    "kube_node": {"node": "k8s.node.name"},
    "kube_persistentvolume": {"persistentvolume": "k8s.persistentvolume.name"},
    "kube_persistentvolumeclaim": _object("persistentvolumeclaim"),
    "kube_pod": _POD,
    "kube_pod_container": _CONTAINER,
    "kube_pod_init_container": _CONTAINER,
    "kube_replicaset": _object("replicaset"),
    "kube_replicationcontroller": _object("replicationcontroller"),
    "kube_resourcequota": _object("resourcequota"),
    "kube_service": {**_object("service"), "uid": "k8s.service.uid"},
    "kube_statefulset": _object("statefulset"),
    "container": _CGROUP,
    "telegen_container_terminations": {**_NAMESPACE, "pod": "k8s.pod.name", "container": "k8s.container.name"},
}
"""Identity by prefix of a family; the longest one at the end of a word counts. The labels of all other families stay on the points."""

_UID = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?=/|\.slice|$)").search
"""Uid of a pod in the path of a cgroup. That of a static pod is a hash, which the API does not know."""
_ID = re.compile(r"(?:.*[-_.:/])?([0-9a-f]{64})(?:\.scope)?").fullmatch
"""Id of a container at the end of the path of its cgroup. Some runtimes give containers a name beside it."""
_SYSTEM_CONTAINERS = {
    "kubelet": re.compile(r"(?:/.+)?/kubelet(?:\.service)?").fullmatch,
    "runtime": re.compile(
        r"(?:/.+)?/(?:containerd|crio|cri-o|docker|cri-docker|cri-dockerd)\.service|/(?:pod)?runtime(?:\.slice)?"
    ).fullmatch,
    "pods": re.compile(r"/kubepods(?:\.slice)?").fullmatch,
    "misc": re.compile(r"/system(?:\.slice)?").fullmatch,
}
"""Daemons of a node, named as the kubelet does, by the path of their cgroup."""
_SANDBOX = "POD"
"""Container name of a pod's sandbox with some runtimes."""


class Entity(NamedTuple):
    """Owner of a sample.

    Attributes:
        resource: encoded attributes of its resource, field 1 of Resource.
        level: of its cgroup; "" for objects of the API.
    """

    resource: bytes
    level: Level = ""


def identity_of(family: str) -> Identity:
    """Return the labels of a family that identify its object."""
    prefix = family
    while prefix and prefix not in IDENTITY:
        prefix = prefix.rpartition("_")[0]
    return IDENTITY.get(prefix, {})


class Entities(dict[tuple[bytes, ...], Entity]):
    """Entities by the values of their identifying labels.

    Attributes:
        labels: their names, in the order of the keys.
    """

    def __init__(self, identity: Identity, network: bool = False) -> None:
        """Prepare.

        Args:
            network: the family is of a network, which belongs to the whole pod and not to its sandbox.
        """
        self.labels = tuple(label.encode() for label in identity)
        self._attributes = tuple(name.encode() for name in identity.values())
        self._is_cgroup, self._network = identity is _CGROUP, network

    def __missing__(self, values: tuple[bytes, ...]) -> Entity:
        """Make an entity. PERF: 3 us for an object of the API: a large cluster has more than the memo holds."""
        if len(self) >= MEMO:
            self.clear()
        found = zip(self._attributes, values)
        if self._is_cgroup:
            made = _cgroup({name.decode(): value.decode() for name, value in found}, self._network)
        else:
            made = Entity(b"".join([encode_attribute(name, value, 1) for name, value in found]))
        self[values] = made
        return made


def _cgroup(found: dict[str, str], network: bool) -> Entity:
    """Return the owner of a cgroup. Its path is an attribute only where nothing else identifies it."""
    path, image = found.pop("telegen.cgroup.path"), found.pop("container.image.name")
    level = _level(path, found)
    if level == "sandbox" and network:
        level = "pod"
    values: dict[str, Attribute] = {**found}
    if found["k8s.pod.name"] and (uid := _UID(path)):
        values["k8s.pod.uid"] = uid[1].replace("_", "-")
    if level in ("container", "sandbox"):
        values.update(image_attributes(image))
        if (id := _ID(path)) and id[1] != found["container.id"]:
            values.update({"container.id": id[1], "container.name": found["container.id"]})
    else:
        values["container.id"] = ""
    if level in ("sandbox", "pod"):
        values["k8s.container.name"] = ""
    if level == "system":
        values["k8s.node.system_container.name"] = _system_container(path)
    if level in ("sandbox", "system", ""):
        values["telegen.cgroup.path"] = path
    return Entity(attributes(1, {key: value for key, value in values.items() if value}), level)


def _level(path: str, found: Mapping[str, str]) -> Level:
    if path == "/":
        return "node"
    if found["k8s.container.name"] not in ("", _SANDBOX):
        return "container"
    if found["k8s.pod.name"]:
        return "sandbox" if found["container.id"] else "pod"
    if found["container.id"]:
        return "container"
    return "system" if _system_container(path) else ""


def _system_container(path: str) -> str:
    return next((name for name, matches in _SYSTEM_CONTAINERS.items() if matches(path)), "")


def image_attributes(image: str) -> dict[str, Attribute]:
    """Split the reference of an image into name, tag and digest.

    Examples: `quay.io:443/a/b:1.2`, `b@sha256:...`, and the bare id `sha256:...` of an image without a name.
    """
    if image.startswith("sha256:"):
        return {"container.image.id": image}
    name, _, digest = image.partition("@")
    folder, slash, base = name.rpartition("/")
    base, _, tag = base.partition(":")
    return {
        "container.image.name": folder + slash + base,
        "container.image.tags": [tag] if tag else [],
        "container.image.repo_digests": [image] if digest else [],
    }
