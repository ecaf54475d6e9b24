"""Indexes of the node's pods and of namespaces, filled by reflectors and read by the sampler.

They keep only the fields that labels need.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from telegen.cadvisor.identity.workloads import workload
from telegen.metrics.family import Object
from telegen.process.json_access import Values, mapping, objects, text

MIRROR, HASH = "kubernetes.io/config.mirror", "kubernetes.io/config.hash"
"""Annotations of the mirror pod of a static pod: the hash is the uid in the name of its cgroup."""

KeyFilter = Callable[[str], bool]
"""Selects the keys of labels or annotations that are kept."""

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_SPECS = ("containers", "initContainers", "ephemeralContainers")
READS = (
    *(f"metadata.{key}" for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")),
    *(f"metadata.{key}" for key in ("labels", "annotations", "ownerReferences")),
    "spec.hostNetwork",
    *(f"spec.{key}[].name" for key in _SPECS),
    *(f"status.{key}[].{field}" for key in _STATUSES for field in ("name", "image", "restartCount", "containerID")),
    *(f"status.{key}[].lastState.terminated.containerID" for key in _STATUSES),
)
"""Paths of all fields that `read_pod` reads; the rest of a pod need not be decoded."""


@dataclass(frozen=True)
class Container:
    """One run of a pod's container: its name, the image that the runtime reports, and the number of restarts before it."""

    name: str
    image: str
    run: int


@dataclass(frozen=True)
class Pod:
    """The fields of a pod that labels need.

    Attributes:
        uid: uid in the name of the pod's cgroup.
        runtime: `containerd`, `cri-o`, `docker`: the scheme of its container ids; "" before the first container.
        containers: runs by container id, including ended ones.
        is_complete: True if every container has an id: any other container in the pod is its sandbox.
        host_network: True if it uses the node's network.
        workload: (name, kind), see `workloads`.
        labels, annotations: those that the filters select.
    """

    uid: str
    namespace: str
    name: str
    runtime: str
    containers: Mapping[str, Container]
    is_complete: bool
    host_network: bool
    workload: tuple[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def full_name(self, container: str, run: int) -> str:
        """Name of a container in CRI-O and Docker."""
        return f"k8s_{container}_{self.name}_{self.namespace}_{self.uid}_{run}"


def read_pod(obj: Object, labels: KeyFilter, annotations: KeyFilter) -> Pod:
    """Extract the fields from an API object. A missing or malformed field is read as empty."""
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
        is_complete=bool(named) and named <= {container.name for container in containers.values()},
        host_network=spec.get("hostNetwork") is True,
        workload=workload(obj),
        labels=_select(mapping(metadata, "labels"), labels),
        annotations=_select(notes, annotations),
    )


class PodIndex:
    """Pods by uid and by container id; a reflector's store. Safe for one writer and several readers.

    Attributes:
        revision: increases with every change.
        synced: set after the first complete list.
    """

    def __init__(self, labels: KeyFilter = lambda key: False, annotations: KeyFilter = lambda key: False) -> None:
        """Create an empty index.

        Args:
            labels, annotations: filters of the keys that are kept.
        """
        self._labels, self._annotations = labels, annotations
        self._pods: dict[str, Pod] = {}
        self._by_uid: dict[str, Pod] = {}
        self._by_container: dict[str, Pod] = {}
        self.revision = 0
        self.synced = threading.Event()

    def __len__(self) -> int:
        return len(self._pods)

    def of_uid(self, uid: str) -> Optional[Pod]:
        """Find the pod with this uid in the name of its cgroup."""
        return self._by_uid.get(uid)

    def of_container(self, id: str) -> Optional[Pod]:
        """Find the pod of a running or ended container."""
        return self._by_container.get(id)

    def labels_of(self, uid: str) -> Mapping[str, str]:
        """Kept labels of the pod with this uid in the API; empty for an unknown one."""
        pod = self._pods.get(uid)
        return pod.labels if pod else {}

    def label_keys(self) -> set[str]:
        """All keys of the kept labels."""
        return {key for pod in list(self._pods.values()) for key in pod.labels}

    def annotation_keys(self) -> set[str]:
        """All keys of the kept annotations."""
        return {key for pod in list(self._pods.values()) for key in pod.annotations}

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Replace the whole state. If the iterable raises, the state stays as it was."""
        fresh: dict[str, Pod] = {}
        for kind, obj in events:
            if kind == "DELETED":
                fresh.pop(obj["metadata"]["uid"], None)
            else:
                fresh[obj["metadata"]["uid"]] = self._read(obj)
        by_uid = {pod.uid: pod for pod in fresh.values()}
        by_container = {id: pod for pod in fresh.values() for id in pod.containers}
        # Replaced as a whole, since the sampler's thread reads without a lock.
        self._pods, self._by_uid, self._by_container = fresh, by_uid, by_container
        self.revision += 1
        self.synced.set()

    def upsert(self, obj: Object) -> None:
        uid, pod = obj["metadata"]["uid"], self._read(obj)
        before = self._pods.get(uid)
        # A pod's status changes often; only a change of the kept fields makes the sampler resolve labels again.
        if pod == before:
            return
        self._pods[uid] = self._by_uid[pod.uid] = pod
        self._by_container.update(dict.fromkeys(pod.containers, pod))
        if before:
            self._drop(before)
        self.revision += 1

    def delete(self, obj: Object) -> None:
        before = self._pods.pop(obj["metadata"]["uid"], None)
        if before:
            self._drop(before)
            self.revision += 1

    def bookmark(self, resource_version: str) -> None:
        """Nothing to do: a bookmark carries no object."""

    def _read(self, obj: Object) -> Pod:
        return read_pod(obj, self._labels, self._annotations)

    def _drop(self, pod: Pod) -> None:
        """Remove the references to a pod, except those that a newer pod has taken over."""
        if self._by_uid.get(pod.uid) is pod:
            del self._by_uid[pod.uid]
        for id in pod.containers:
            if self._by_container.get(id) is pod:
                del self._by_container[id]


class NamespaceIndex:
    """Labels of namespaces; a reflector's store. Safe for one writer and several readers.

    Attributes:
        revision: increases with every change.
        synced: set after the first complete list.
    """

    def __init__(self, labels: KeyFilter) -> None:
        """Create an empty index.

        Args:
            labels: filter of the keys that are kept.
        """
        self._labels = labels
        self._kept: dict[str, Mapping[str, str]] = {}
        self.revision = 0
        self.synced = threading.Event()

    def __len__(self) -> int:
        return len(self._kept)

    def labels(self, namespace: str) -> Mapping[str, str]:
        """Kept labels of a namespace; empty for an unknown one."""
        return self._kept.get(namespace, {})

    def keys(self) -> set[str]:
        """All keys of the kept labels."""
        return {key for labels in list(self._kept.values()) for key in labels}

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Replace the whole state. If the iterable raises, the state stays as it was."""
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
        name, labels = obj["metadata"]["name"], self._read(obj)
        if self._kept.get(name) != labels:
            self._kept[name] = labels
            self.revision += 1

    def delete(self, obj: Object) -> None:
        if self._kept.pop(obj["metadata"]["name"], None) is not None:
            self.revision += 1

    def bookmark(self, resource_version: str) -> None:
        """Nothing to do: a bookmark carries no object."""

    def _read(self, obj: Object) -> Mapping[str, str]:
        return _select(mapping(obj["metadata"], "labels"), self._labels)


def _runs(entry: Values) -> Iterable[tuple[int, str]]:
    """Yield (number, `scheme://id`) of the runs in a container's status: the previous one and the current one."""
    count = entry.get("restartCount")
    last = count if isinstance(count, int) else 0
    yield max(0, last - 1), text(mapping(mapping(entry, "lastState"), "terminated"), "containerID")
    yield last, text(entry, "containerID")


def _select(values: Values, is_kept: KeyFilter) -> dict[str, str]:
    return {key: text(values, key) for key in values if is_kept(key)}
