"""Tracker of the node's pods: reports each end of a container once.

The first state is the base line: the ends in it were there before this process, and are not reported. Ends are told apart by the id of
the run, so neither an update nor a new list reports one again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union

from telegen.cadvisor.identity.pods import PodIndex
from telegen.cadvisor.terminations.statuses import ContainerRuns, EndedRun, PodRuns, Role, read_pod_runs
from telegen.metrics.family import Object

REMEMBERED = 8
"""Ends of a container that are remembered; its status has two at most, an older copy of it may have earlier ones."""


@dataclass(frozen=True)
class PodStarted:
    """Containers of a pod have begun to run."""

    uid: str
    namespace: str
    pod: str
    containers: tuple[str, ...]


@dataclass(frozen=True)
class Termination:
    """The end of a container.

    Attributes:
        missed: earlier ends of the container that no status has shown.
        is_reported: False if the pod was deleted before its status had the end; nothing but `run.id` is known then.
        labels: of the pod, those that the index keeps.
    """

    uid: str
    namespace: str
    pod: str
    container: str
    role: Role
    run: EndedRun
    missed: int = 0
    is_reported: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PodDeleted:
    """A pod is deleted."""

    uid: str
    namespace: str
    pod: str


Report = Union[PodStarted, Termination, PodDeleted]


@dataclass
class _Container:
    """State of one container: keys of the ends that are known, and the number of runs that have ended."""

    known: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    ended: int = 0
    role: Role = "app"
    running: str = ""


@dataclass
class _Pod:
    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    containers: dict[str, _Container] = field(default_factory=dict)


class TerminationTracker:
    """Store of a reflector: passes everything on to the index of pods, and reports what begins and ends.

    Attributes:
        synced: set after the first complete list.
    """

    def __init__(self, index: PodIndex, report: Callable[[Report], None]) -> None:
        """Begin without a state.

        Args:
            report: called from the thread of the reflector.
        """
        self._index, self._report = index, report
        self._pods: dict[str, _Pod] = {}
        self._has_base = False

    @property
    def synced(self) -> threading.Event:
        return self._index.synced

    def __len__(self) -> int:
        """Return the number of pods."""
        return len(self._index)

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a whole new state. If the iterable raises, the state stays as it was."""
        fresh: dict[str, PodRuns] = {}

        def noted() -> Iterator[tuple[str, Object]]:
            for kind, obj in events:
                if kind == "DELETED":
                    fresh.pop(str(obj["metadata"]["uid"]), None)
                else:
                    fresh[str(obj["metadata"]["uid"])] = read_pod_runs(obj)
                yield kind, obj

        self._index.replace(noted())
        for uid in self._pods.keys() - fresh.keys():
            self._end_pod(uid)
        for runs in fresh.values():
            self._take(runs)
        self._has_base = True

    def upsert(self, obj: Object) -> None:
        self._index.upsert(obj)
        self._take(read_pod_runs(obj))

    def delete(self, obj: Object) -> None:
        runs = read_pod_runs(obj)
        if runs.uid in self._pods:
            # The last status may have ends that no update has shown.
            self._take(runs)
            self._end_pod(runs.uid)
        self._index.delete(obj)

    def bookmark(self, resource_version: str) -> None:
        """Nothing to do: a bookmark carries no object."""

    def _take(self, runs: PodRuns) -> None:
        """Report what is new in the status of a pod."""
        pod = self._pods.setdefault(runs.uid, _Pod(runs.namespace, runs.name))
        # Read here: the sampler may take a report when the index has forgotten the pod.
        pod.labels = self._index.labels_of(runs.uid)
        if fresh := tuple(name for name in runs.containers if name not in pod.containers):
            self._report(PodStarted(runs.uid, runs.namespace, runs.name, fresh))
        for name, found in runs.containers.items():
            container = pod.containers.setdefault(name, _Container())
            container.role, container.running = found.role, found.running
            for run, missed in _new_ends(container, found):
                if self._has_base:
                    self._report(Termination(runs.uid, runs.namespace, runs.name, name, found.role, run, missed, labels=pod.labels))
            if not self._has_base:
                container.ended = max(container.ended, found.number)

    def _end_pod(self, uid: str) -> None:
        """Report the end of a pod, and of its containers that still ran by its last status."""
        pod = self._pods.pop(uid)
        for name, one in pod.containers.items():
            if one.running:
                run = EndedRun(one.running, one.ended)
                self._report(Termination(uid, pod.namespace, pod.name, name, one.role, run, is_reported=False, labels=pod.labels))
        self._report(PodDeleted(uid, pod.namespace, pod.name))


def _new_ends(container: _Container, found: ContainerRuns) -> Iterator[tuple[EndedRun, int]]:
    """Yield each end that is not known yet, with the number of those before it that were missed."""
    for run in found.ended:
        if run.key not in container.known:
            container.known.append(run.key)
            yield run, max(0, run.number - container.ended)
            container.ended = run.number + 1
