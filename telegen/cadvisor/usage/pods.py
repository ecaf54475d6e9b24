"""Pods of the node as their usage is published: identity, labels, and the containers that belong to the sum."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Optional

import msgspec

from telegen.cadvisor.identity.name_index import NameIndex
from telegen.cadvisor.identity.pods import HASH, MIRROR
from telegen.metrics.family import Object
from telegen.process.json_access import Values, mapping, objects, text

APP = "containerStatuses"
_STATUSES: Mapping[str, str] = {APP: "containers", "initContainerStatuses": "initContainers", "ephemeralContainerStatuses": ""}
"""List of statuses to the list of the specification that may have a restartPolicy."""
READS = (
    "spec.restartPolicy",
    "status.phase",
    *(f"spec.{key}[].restartPolicy" for key in _STATUSES.values() if key),
    *(
        f"status.{key}[].{field}"
        for key in _STATUSES
        for field in ("state.running.startedAt", "state.terminated.exitCode", "lastState.terminated.exitCode")
    ),
)
"""Paths of the fields that `read_usage_pod` reads in addition to those of `identity.pods`."""


@dataclass(frozen=True)
class UsagePod:
    """Fields of a pod.

    Attributes:
        cgroup_uid: uid in the name of its cgroup.
        uid: uid in the API.
        is_running: True in the phase Running. Usage of other phases is that of init containers, or of a pod at its end.
        labels: all labels, as a JSON object.
        restarts: number of restarts by container, in the order of the status.
        required: containers without whose usage the pod has none: those that run, and those that are being restarted.
    """

    cgroup_uid: str
    uid: str
    namespace: str
    name: str
    is_running: bool
    labels: bytes
    restarts: Mapping[str, int]
    required: frozenset[str]


def read_usage_pod(obj: Object) -> UsagePod:
    """Extract the fields from an API object. A missing or malformed field is read as empty."""
    metadata, spec, status = obj["metadata"], mapping(obj, "spec"), mapping(obj, "status")
    notes, labels = mapping(metadata, "annotations"), mapping(metadata, "labels")
    restarts, required = dict[str, int](), set[str]()
    for key, specified in _STATUSES.items():
        policies = {text(one, "name"): text(one, "restartPolicy") for one in objects(spec, specified)}
        for entry in objects(status, key):
            name, count = text(entry, "name"), entry.get("restartCount")
            if not name:
                continue
            restarts[name] = count if isinstance(count, int) and count > 0 else 0
            # Other init containers and ephemeral ones run once, before or beside the rest.
            policy = policies.get(name, "") or (text(spec, "restartPolicy") if key == APP else "Never")
            if _is_required(entry, policy):
                required.add(name)
    return UsagePod(
        cgroup_uid=(text(notes, HASH) if MIRROR in notes else "") or metadata["uid"],
        uid=metadata["uid"],
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        is_running=text(status, "phase") == "Running",
        # PERF: orjson would leave 3 kB of free memory behind each document that is kept.
        labels=msgspec.json.encode({key: text(labels, key) for key in labels}),
        restarts=restarts,
        required=frozenset(required),
    )


def _is_required(entry: Values, policy: str) -> bool:
    """Return True for a container that runs, or that has run and will run again."""
    state = mapping(entry, "state")
    if isinstance(state.get("running"), dict):
        return True
    over = state.get("terminated") or mapping(entry, "lastState").get("terminated")
    if not isinstance(over, dict):
        return False
    return policy in ("", "Always") or (policy == "OnFailure" and over.get("exitCode") != 0)


class UsagePods:
    """Pods by the uid in the name of their cgroup; a reflector's store that passes everything on to another one."""

    def __init__(self, index: NameIndex) -> None:
        self._index = index
        self._pods: dict[str, UsagePod] = {}

    @property
    def synced(self) -> threading.Event:
        return self._index.synced

    def __len__(self) -> int:
        return len(self._index)

    def of_uid(self, uid: str) -> Optional[UsagePod]:
        """Find the pod with this uid in the name of its cgroup."""
        return self._pods.get(uid)

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a whole new state. If the iterable raises, the state stays as it was."""
        fresh: dict[str, UsagePod] = {}

        def noted() -> Iterator[tuple[str, Object]]:
            for kind, obj in events:
                pod = read_usage_pod(obj)
                if kind == "DELETED":
                    fresh.pop(pod.cgroup_uid, None)
                else:
                    fresh[pod.cgroup_uid] = pod
                yield kind, obj

        self._index.replace(noted())
        # Replaced as a whole: the sampler's thread reads without a lock.
        self._pods = fresh

    def upsert(self, obj: Object) -> None:
        pod = read_usage_pod(obj)
        self._pods[pod.cgroup_uid] = pod
        self._index.upsert(obj)

    def delete(self, obj: Object) -> None:
        pod = read_usage_pod(obj)
        known = self._pods.get(pod.cgroup_uid)
        # The mirror pod of a static pod may have been replaced by one with the same hash.
        if known and known.uid == pod.uid:
            del self._pods[pod.cgroup_uid]
        self._index.delete(obj)

    def bookmark(self, resource_version: str) -> None:
        self._index.bookmark(resource_version)
