"""Process through which the network namespace of a cgroup is read, and the cgroup that shows the namespace.

A namespace is shown once, on its owner: the node's on the root, a pod's on its sandbox, or on the pod if no sandbox is known. Of
the containers outside pods that share one (`--network container:NAME`), the owner is the one that did not join, and if that
is unknown the one whose first process is the oldest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.classification import Cgroup, Kind, classify
from telegen.cadvisor.cgroups.context import Context, PerCgroup, PerPass
from telegen.cadvisor.cgroups.process import PROCESS_ENDED, Process
from telegen.cadvisor.node import Node

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


def is_node_network(context: Context) -> bool:
    """True if the namespace that the cgroup shows is the node's."""
    if context.cgroup.kind == "root":
        return True
    process, node = _state(context).process, _node_namespace(context.node)
    if process and process.namespace is not None and node is not None:
        return process.namespace == node
    return context.node.facts.host_network(context.cgroup)


def _find_process(context: Context) -> Process | None:
    """Return the process to read, chosen once and kept until it ends; None if the namespace is not shown on this cgroup."""
    state = _state(context)
    if _is_outside_pods(context.cgroup):
        owners, id = _owners(context.node), context.cgroup.id
        process = None if id in owners.without_process else _choose_process(context, state)
        if process is None or process.namespace is None:
            return None if context.node.facts.joins_network(context.cgroup) else process
        return process if owners.of_namespace.setdefault(process.namespace, id) == id else None
    if not _is_shown(context, state):
        state.drop_process()
        return None
    return _choose_process(context, state)


def _choose_process(context: Context, state: _State) -> Process | None:
    if state.process is None:
        state.process = next(_candidates(context, state), None)
    return state.process


def _is_outside_pods(cgroup: Cgroup) -> bool:
    return cgroup.kind == "container" and not cgroup.pod_uid


def _find_node_namespace(node: Node) -> int | None:
    """Inode of the node's network namespace; None without the right to read it."""
    try:
        return os.stat(f"{node.roots.proc}/1/ns/net").st_ino
    except OSError:
        return None


_node_namespace = PerPass(_find_node_namespace)


@dataclass
class _Owners:
    """Owners of the namespaces of containers outside pods.

    Attributes:
        of_namespace: id of the cgroup that shows a namespace, by inode; "" for one that a pod or the root shows.
        without_process: ids of containers of which no process can be read in this pass.
    """

    of_namespace: dict[int, str] = field(default_factory=dict)
    without_process: set[str] = field(default_factory=set)


def _find_owners(node: Node) -> _Owners:
    outside = [context for context in node.contexts if _is_outside_pods(context.cgroup)]
    # PERF: 4 us for each container outside pods; nothing on a node that has none.
    if not outside:
        return _Owners()
    without: set[str] = set()
    claims: dict[int, list[tuple[bool, int, str]]] = {}
    for context in outside:
        state = _state(context)
        if state.process and not state.process.is_current():
            state.drop_process()
        process = _choose_process(context, state)
        if process is None:
            without.add(context.cgroup.id)
        elif process.namespace is not None:
            joins = node.facts.joins_network(context.cgroup)
            claims.setdefault(process.namespace, []).append((joins, process.start, context.cgroup.id))
    owners = {namespace: min(claimants)[-1] for namespace, claimants in claims.items()}
    pods = [_find_process(context) for context in node.contexts if context.cgroup.pod_uid and context.cgroup.kind in KINDS]
    shown = [_node_namespace(node), *[process.namespace for process in pods if process]]
    return _Owners(owners | {namespace: "" for namespace in shown if namespace is not None}, without)


_owners = PerPass(_find_owners)


def _is_shown(context: Context, state: _State) -> bool:
    """Decide for the root and for cgroups of pods; anew in each pass, since a container may be mistaken for the sandbox until
    the pod's status lists it.

    Pod and sandbox have the same namespace. Shown on both, a sum over the pod would count it twice.
    """
    cgroup = context.cgroup
    if cgroup.kind == "container":
        return context.node.facts.is_sandbox(cgroup)
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
        yield from _open_processes(context, cgroup, context.first_pids())
    elif cgroup.kind == "pod":
        for container, folder in state.containers:
            yield from _open_processes(context, container, context.oldest_first(folder, context.pids_below(folder, recursive=True)))


def _has_running_sandbox(context: Context, state: _State) -> bool:
    """True if a container of the last list is the pod's sandbox and has a process. CRI-O may keep one without a process."""
    return any(
        context.pids_below(folder, False) or context.pids_below(folder, True)
        for container, folder in state.containers
        if context.node.facts.is_sandbox(container)
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
    for pid in pids[:TRIES]:
        try:
            yield Process(f"{context.node.roots.proc}/{pid}", container)
        except ProcessLookupError:
            # Ended, or its id belongs to a process of another cgroup.
            continue
        except OSError as error:
            context.node.count_error(error)
