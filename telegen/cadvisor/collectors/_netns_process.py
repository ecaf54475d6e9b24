"""Process through which the network namespace of a cgroup is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.classification import Cgroup, Kind, classify
from telegen.cadvisor.cgroups.context import Context, PerCgroup
from telegen.cadvisor.cgroups.process import PROCESS_ENDED, Process

KINDS: frozenset[Kind] = frozenset(("root", "pod", "container"))
"""Kinds of cgroups that can show a network namespace."""

TRIES = 8
"""Maximum number of processes of a container that are tried in one pass."""


class ContainerFolder(NamedTuple):
    """A container of a pod, and its folder in the cgroup file system."""

    cgroup: Cgroup
    path: str


@dataclass
class _State:
    """The process in use, and the containers of a pod when they were last listed."""

    process: Optional[Process] = None
    containers: list[ContainerFolder] = field(default_factory=list)

    def drop_process(self) -> None:
        if self.process:
            self.process.close()
            self.process = None


_state = PerCgroup(lambda context: _State())


def read_network(context: Context, name: str, limit: int) -> bytes | None:
    """Read a file of the cgroup's network namespace, for example `net/dev`.

    Returns None if the file cannot be read, or if the namespace is shown on another cgroup. If the process in use has ended,
    another one is tried once.
    """
    # Twice: if the process has ended, another one is read in the same pass, and the series has no gap.
    for _ in range(2):
        process = _find_process(context)
        if process is None:
            return None
        try:
            return process.read(name, limit)
        except OSError as error:
            if error.errno not in PROCESS_ENDED:
                context.node.count_error(error)
                return None
            _state(context).drop_process()
    return None


def _find_process(context: Context) -> Process | None:
    """Return the process to read, chosen once and kept until it ends; None if the namespace is not shown on this cgroup.

    The node's network is read through process 1 and shown on the root. A pod's network is shown on its sandbox, or on the pod
    if no sandbox is known. A container outside pods has its own.
    """
    state = _state(context)
    if not _is_shown(context, state):
        state.drop_process()
        return None
    if state.process is None:
        state.process = next(_candidates(context, state), None)
    return state.process


def _is_shown(context: Context, state: _State) -> bool:
    """Decide anew in each pass: a container may be mistaken for the sandbox until the pod's status lists it.

    Pod and sandbox have the same namespace. Shown on both, a sum over the pod would count it twice.
    """
    cgroup = context.cgroup
    if cgroup.kind == "container":
        return not cgroup.pod_uid or context.node.is_sandbox(cgroup)
    if cgroup.kind == "pod":
        if state.process is None and not _has_running_sandbox(context, state):
            # Containers may have been created since they were last listed.
            state.containers = _containers(context)
        return not _has_running_sandbox(context, state)
    return True


def _candidates(context: Context, state: _State) -> Iterator[Process]:
    cgroup = context.cgroup
    if cgroup.kind == "root":
        yield from _open_processes(context, cgroup, [1])
    elif cgroup.kind == "container":
        yield from _open_processes(context, cgroup, context.pids())
    elif cgroup.kind == "pod":
        for container, folder in state.containers:
            yield from _open_processes(context, container, context.pids_below(folder, recursive=True))


def _has_running_sandbox(context: Context, state: _State) -> bool:
    """True if a container of the last list is the pod's sandbox and has a process. CRI-O may keep one without a process."""
    return any(
        context.pids_below(folder, False) or context.pids_below(folder, True)
        for container, folder in state.containers
        if context.node.is_sandbox(container)
    )


def _containers(context: Context) -> list[ContainerFolder]:
    folder = context.processes_folder()
    found = []
    for path in context.folders_in(folder) if folder else []:
        container = classify(os.path.basename(path), context.cgroup)
        if container and container.kind == "container":
            found.append(ContainerFolder(container, path))
    # Sorted, so that every pass prefers the same container.
    return sorted(found, key=lambda container: container.cgroup.id)


def _open_processes(context: Context, container: Cgroup, pids: list[int]) -> Iterator[Process]:
    """Yield the first processes of a container whose folders can be opened."""
    # The lowest ids first: they usually belong to the oldest processes, which live longest.
    for pid in sorted(pids)[:TRIES]:
        try:
            yield Process(f"{context.node.roots.proc}/{pid}", container)
        except ProcessLookupError:
            # Ended, or its id belongs to a process of another cgroup.
            continue
        except OSError as error:
            context.node.count_error(error)
