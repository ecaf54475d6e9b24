"""The pods of this node as the API server has them: what a reflector is to fill, and the sampler asks.

Of a pod only what labels need is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from telegen.cadvisor.identity.json_access import Values, mapping, objects, text
from telegen.cadvisor.identity.workloads import workload
from telegen.metrics.family import Object

MIRROR, HASH = "kubernetes.io/config.mirror", "kubernetes.io/config.hash"
"""Annotations of a static pod's mirror: the hash is the uid by which the kubelet calls its cgroups."""

Wanted = Callable[[str], bool]
"""Whether a label or annotation of this key is to be kept."""

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_SPECS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True)
class Container:
    """One run of a container of a pod: its name, its image as the runtime reports it, which run it is (0: the first)."""

    name: str
    image: str
    run: int


@dataclass(frozen=True)
class Pod:
    """A pod.

    Attributes:
        uid: as cgroups are called by it.
        runtime: `containerd`, `cri-o`, `docker`: the scheme of its containers' ids; "" before there are any.
        containers: by the runtime's id. Runs that have ended are among them.
        complete: whether each of its containers has an id: what else runs in the pod is its sandbox.
        host_network: whether it has the node's network.
        workload: (name, kind), see `workloads`.
        labels, annotations: those that are wanted.
    """

    uid: str
    namespace: str
    name: str
    runtime: str
    containers: Mapping[str, Container]
    complete: bool
    host_network: bool
    workload: tuple[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def full_name(self, container: str, run: int) -> str:
        """The name that CRI-O and Docker know a container by."""
        return f"k8s_{container}_{self.name}_{self.namespace}_{self.uid}_{run}"


def read_pod(obj: Object, labels: Wanted, annotations: Wanted) -> Pod:
    """From the API's object. What is missing or of another type than it should be counts as not there."""
    metadata, spec, status = obj["metadata"], mapping(obj, "spec"), mapping(obj, "status")
    notes = mapping(metadata, "annotations")
    runtime, containers = "", {}
    for entry in (one for key in _STATUSES for one in objects(status, key)):
        for run, id in _runs(entry):
            scheme, separator, bare = id.partition("://")
            if separator and bare:
                runtime = scheme
                containers[bare] = Container(text(entry, "name"), text(entry, "image"), run)
    named = {text(entry, "name") for key in _SPECS for entry in objects(spec, key)}
    return Pod(
        uid=(text(notes, HASH) if MIRROR in notes else "") or metadata["uid"],
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        runtime=runtime,
        containers=containers,
        complete=bool(named) and named <= {container.name for container in containers.values()},
        host_network=spec.get("hostNetwork") is True,
        workload=workload(obj),
        labels=_chosen(mapping(metadata, "labels"), labels),
        annotations=_chosen(notes, annotations),
    )


class PodIndex:
    """Pods by their uid and by the ids of their containers: a reflector's store. Safe for one writer and readers."""

    def __init__(self, labels: Wanted = lambda key: False, annotations: Wanted = lambda key: False) -> None:
        """Make it empty.

        Args:
            labels, annotations: which of a pod's are kept.
        """
        self._labels, self._annotations = labels, annotations
        self._pods: dict[str, Pod] = {}
        self._by_uid: dict[str, Pod] = {}
        self._by_container: dict[str, Pod] = {}
        self.revision = 0
        """Rises with every change of what is kept."""
        self.synced = threading.Event()
        """Set once a whole state has come."""

    def __len__(self) -> int:
        """How many pods there are."""
        return len(self._pods)

    def of_uid(self, uid: str) -> Optional[Pod]:
        """The pod whose cgroup is called by this uid."""
        return self._by_uid.get(uid)

    def of_container(self, id: str) -> Optional[Pod]:
        """The pod that has had this container."""
        return self._by_container.get(id)

    def label_keys(self) -> set[str]:
        """Keys of all labels that are kept."""
        return {key for pod in list(self._pods.values()) for key in pod.labels}

    def annotation_keys(self) -> set[str]:
        """Keys of all annotations that are kept."""
        return {key for pod in list(self._pods.values()) for key in pod.annotations}

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a whole new state; what the iterable raises leaves everything as it was."""
        fresh: dict[str, Pod] = {}
        for kind, obj in events:
            if kind == "DELETED":
                fresh.pop(obj["metadata"]["uid"], None)
            else:
                fresh[obj["metadata"]["uid"]] = self._read(obj)
        by_uid = {pod.uid: pod for pod in fresh.values()}
        by_container = {id: pod for pod in fresh.values() for id in pod.containers}
        self._pods, self._by_uid, self._by_container = fresh, by_uid, by_container
        self.revision += 1
        self.synced.set()

    def upsert(self, obj: Object) -> None:
        """Add or update a pod."""
        uid, pod = obj["metadata"]["uid"], self._read(obj)
        before = self._pods.get(uid)
        if pod == before:
            return
        self._pods[uid] = self._by_uid[pod.uid] = pod
        self._by_container.update(dict.fromkeys(pod.containers, pod))
        if before:
            self._drop(before)
        self.revision += 1

    def delete(self, obj: Object) -> None:
        """Remove a pod."""
        before = self._pods.pop(obj["metadata"]["uid"], None)
        if before:
            self._drop(before)
            self.revision += 1

    def bookmark(self, resource_version: str) -> None:
        """Nothing has changed up to `resource_version`: nothing to do."""

    def _read(self, obj: Object) -> Pod:
        return read_pod(obj, self._labels, self._annotations)

    def _drop(self, pod: Pod) -> None:
        """Remove what points to a pod, and not to another by now."""
        if self._by_uid.get(pod.uid) is pod:
            del self._by_uid[pod.uid]
        for id in pod.containers:
            if self._by_container.get(id) is pod:
                del self._by_container[id]


class NamespaceIndex:
    """Labels of namespaces: a reflector's store. Safe for one writer and readers."""

    def __init__(self, labels: Wanted) -> None:
        """Make it empty.

        Args:
            labels: which are kept.
        """
        self._labels = labels
        self._kept: dict[str, Mapping[str, str]] = {}
        self.revision = 0
        """Rises with every change of what is kept."""
        self.synced = threading.Event()
        """Set once a whole state has come."""

    def __len__(self) -> int:
        """How many namespaces there are."""
        return len(self._kept)

    def labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace that are kept; none when it is not known."""
        return self._kept.get(namespace, {})

    def keys(self) -> set[str]:
        """Keys of all labels that are kept."""
        return {key for labels in list(self._kept.values()) for key in labels}

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a whole new state; what the iterable raises leaves everything as it was."""
        fresh: dict[str, Mapping[str, str]] = {}
        for kind, obj in events:
            if kind == "DELETED":
                fresh.pop(obj["metadata"]["name"], None)
            else:
                fresh[obj["metadata"]["name"]] = self._read(obj)
        self._kept = fresh
        self.revision += 1
        self.synced.set()

    def upsert(self, obj: Object) -> None:
        """Add or update a namespace."""
        name, labels = obj["metadata"]["name"], self._read(obj)
        if self._kept.get(name) != labels:
            self._kept[name] = labels
            self.revision += 1

    def delete(self, obj: Object) -> None:
        """Remove a namespace."""
        if self._kept.pop(obj["metadata"]["name"], None) is not None:
            self.revision += 1

    def bookmark(self, resource_version: str) -> None:
        """Nothing has changed up to `resource_version`: nothing to do."""

    def _read(self, obj: Object) -> Mapping[str, str]:
        return _chosen(mapping(obj["metadata"], "labels"), self._labels)


def _runs(entry: Values) -> Iterable[tuple[int, str]]:
    """(number, `scheme://id`) of the runs that a container's status tells of: the last one and the one before it."""
    count = entry.get("restartCount")
    last = count if isinstance(count, int) else 0
    yield max(0, last - 1), text(mapping(mapping(entry, "lastState"), "terminated"), "containerID")
    yield last, text(entry, "containerID")


def _chosen(values: Values, wanted: Wanted) -> dict[str, str]:
    return {key: text(values, key) for key in values if wanted(key)}
