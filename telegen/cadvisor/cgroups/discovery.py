"""Search for cgroups below a mount. `classification` decides which of them are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.classification import (
    Cgroup,
    classify,
    container_id,
    is_group,
    is_managed,
    is_monitor,
    is_of_podman,
    may_be_pod,
)

MAX_DEPTH = 32
MAX_CGROUPS = 50_000
"""Bounds of the search. A node has some thousand cgroups, nested a few levels deep."""

TOO_DEEP, TOO_MANY = "too_deep", "too_many_cgroups"

CountError = Callable[[Exception], None]

GROUP_DEPTH = 3
"""Levels below a folder of an unknown manager that are searched for containers."""


class BoundExceeded(Exception):
    """A hierarchy larger than a bound of the search.

    Attributes:
        reason: TOO_DEEP or TOO_MANY.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Visit(NamedTuple):
    """Result for one folder: the cgroup that is shown, and the parent for the cgroups inside; None if these are not searched."""

    shown: Optional[Cgroup]
    parent: Optional[Cgroup]


def find_cgroups(mount: str, raw: bool, count_error: CountError) -> Iterator[Cgroup]:
    """Yield the root and every shown cgroup below a mount, a parent before its children.

    A folder that disappears during the search is skipped: its cgroup has ended.

    Args:
        raw: find every cgroup but those of mount units; those that are not shown otherwise have the kind `raw`.
        count_error: receives each folder that cannot be listed, and a `BoundExceeded` for cgroups that are left out.
    """
    root = Cgroup("/", "root")
    yield root
    pending = [(mount, root, 0)]
    seen = 0
    while pending:
        path, parent, depth = pending.pop()
        names = _folders(path, count_error)
        if names and depth >= MAX_DEPTH:
            count_error(BoundExceeded(TOO_DEEP, f"{path}: cgroups below {MAX_DEPTH} levels are not shown"))
            continue
        for name in names:
            seen += 1
            # A runaway tree must not block the sampler; the cgroups found so far are served.
            if seen > MAX_CGROUPS:
                count_error(BoundExceeded(TOO_MANY, f"{mount}: {MAX_CGROUPS} cgroups are shown, the others are not"))
                return
            folder = f"{path}/{name}"
            visit = _visit(folder, name, parent, raw, count_error)
            if visit.shown:
                yield visit.shown
            if visit.parent:
                pending.append((folder, visit.parent, depth + 1))


def _visit(folder: str, name: str, parent: Cgroup, raw: bool, count_error: CountError) -> _Visit:
    if name.endswith(".mount"):
        return _Visit(None, None)
    found = classify(name, parent)
    if found and may_be_pod(name, found) and _holds_podman(folder, count_error):
        found = Cgroup(found.id, "raw")
    if found is None and is_managed(name, parent):
        found = _managed(folder, name, parent, count_error)
    if found is None:
        id = parent.child_id(name)
        # A cgroup that is not shown passes kind and pod of its parent on to its children. Nothing below a monitor is a container.
        inner = Cgroup(id, "container" if is_monitor(name) else parent.kind, parent.pod_uid)
        return _Visit(Cgroup(id, "raw") if raw else None, inner if raw or inner.kind != "container" else None)
    return _Visit(found, found if raw or found.kind != "container" else None)


def _managed(folder: str, name: str, parent: Cgroup, count_error: CountError) -> Cgroup:
    """Return a container, or a raw cgroup for a folder that only groups containers."""
    id = parent.child_id(name)
    if is_group(id) or _holds_containers(folder, Cgroup(id, "raw"), GROUP_DEPTH, count_error):
        return Cgroup(id, "raw")
    return Cgroup(id, "container", "", container_id(name))


def _holds_containers(folder: str, parent: Cgroup, depth: int, count_error: CountError) -> bool:
    for name in _folders(folder, count_error):
        found = classify(name, parent)
        if found and found.kind != "raw":
            return True
        if depth > 1 and _holds_containers(f"{folder}/{name}", Cgroup(parent.child_id(name), "raw"), depth - 1, count_error):
            return True
    return False


def _holds_podman(folder: str, count_error: CountError) -> bool:
    """True for a pod of podman: containers of podman are directly in it."""
    try:
        # PERF: a link count of 2 means "no folders inside" (see `Context.folders_in`): 2 us for each of Docker's containers.
        if os.stat(folder).st_nlink == 2:
            return False
    except OSError as error:
        count_error(error)
        return False
    return any(map(is_of_podman, _folders(folder, count_error)))


def _folders(path: str, count_error: CountError) -> list[str]:
    try:
        with os.scandir(path) as entries:
            # Links are not followed: v1 mounts have some (cpu -> cpu,cpuacct), and one could form a loop.
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        count_error(error)
        return []
