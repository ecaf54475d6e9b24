"""Runs of containers that have ended, as the status of their pod reports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Optional

from telegen.metrics.family import Object
from telegen.process.json_access import Values, mapping, objects, text

Role = Literal["app", "init", "sidecar", "ephemeral"]

_ROLES: Mapping[str, Role] = {"containerStatuses": "app", "initContainerStatuses": "init", "ephemeralContainerStatuses": "ephemeral"}
READS = (
    *(
        f"status.{key}[].{state}.terminated.{field}"
        for key in _ROLES
        for state in ("state", "lastState")
        for field in ("containerID", "exitCode", "signal", "reason", "startedAt", "finishedAt")
    ),
    "spec.initContainers[].restartPolicy",
)
"""Paths of the fields that `read_pod_runs` reads in addition to those of `identity.pods`. The message of a container is not among
them: it may hold anything."""


@dataclass(frozen=True)
class EndedRun:
    """One run of a container that has ended.

    Attributes:
        id: of the container in its runtime, "" if it was never made.
        number: runs of the container before it.
        reason: such as OOMKilled, "" if the status has none.
        exit_code, signal: None if the status has none.
        started, finished: as in the status, RFC 3339; "" if it has none.
    """

    id: str
    number: int
    reason: str = ""
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    started: str = ""
    finished: str = ""

    @property
    def key(self) -> str:
        """Identity of the run among those of its container: ids are never used again."""
        return self.id or f"{self.number} {self.finished}"


@dataclass(frozen=True)
class ContainerRuns:
    """Runs of one container.

    Attributes:
        running: id of the run that goes on, "" if there is none.
        number: runs before the present one.
        ended: the ends that the status still has, the oldest first: two at most.
    """

    role: Role
    running: str
    number: int
    ended: tuple[EndedRun, ...]


@dataclass(frozen=True)
class PodRuns:
    """Containers of a pod that have run, by name."""

    uid: str
    namespace: str
    name: str
    containers: Mapping[str, ContainerRuns]


def read_pod_runs(obj: Object) -> PodRuns:
    """Extract the runs from an API object. A missing or malformed field is read as empty."""
    metadata, status, spec = obj["metadata"], mapping(obj, "status"), mapping(obj, "spec")
    sidecars = {text(one, "name") for one in objects(spec, "initContainers") if text(one, "restartPolicy") == "Always"}
    found = {}
    for key, role in _ROLES.items():
        for entry in objects(status, key):
            name = text(entry, "name")
            runs = _container_runs(entry, "sidecar" if role == "init" and name in sidecars else role)
            if runs.running or runs.ended:
                found[name] = runs
    return PodRuns(str(metadata["uid"]), text(metadata, "namespace"), text(metadata, "name"), found)


def _container_runs(entry: Values, role: Role) -> ContainerRuns:
    current, number = _bare_id(text(entry, "containerID")), max(0, _integer(entry, "restartCount") or 0)
    ended = tuple(_ended(entry, current, number))
    is_over = mapping(mapping(entry, "state"), "terminated") or any(run.id == current for run in ended)
    return ContainerRuns(role, "" if is_over else current, number, ended)


def _ended(entry: Values, current: str, number: int) -> Iterable[EndedRun]:
    """Yield the previous run, then the present one, if they have ended."""
    if last := mapping(mapping(entry, "lastState"), "terminated"):
        # While the kubelet delays a restart, the status has no run but the last one.
        is_present = _bare_id(text(last, "containerID")) == current
        yield _run(last, number if is_present else max(0, number - 1))
    if now := mapping(mapping(entry, "state"), "terminated"):
        yield _run(now, number)


def _run(terminated: Values, number: int) -> EndedRun:
    return EndedRun(
        _bare_id(text(terminated, "containerID")),
        number,
        text(terminated, "reason"),
        _integer(terminated, "exitCode"),
        # 0 stands for none.
        _integer(terminated, "signal") or None,
        text(terminated, "startedAt"),
        text(terminated, "finishedAt"),
    )


def _bare_id(id: str) -> str:
    """Return the id of `containerd://ID`."""
    return id.rpartition("://")[2]


def _integer(values: Values, key: str) -> Optional[int]:
    value = values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
