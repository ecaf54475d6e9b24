"""The process that stands for a cgroup's network: whose namespace is read, and that it still is the one that was chosen.

Numbers of processes are used again. Here a number is used once, to open the folder of the process; a folder of /proc
that is held open belongs to that one process and answers ESRCH when it has ended, whoever has its number by then. What
is checked behind the open folder (the process's cgroup, its network namespace) is checked of the very process whose
counters are read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from telegen.cadvisor.cgroups.discovery import Cgroup, classify
from telegen.cadvisor.collector import Context

TRIES = 8
"""Processes of a container that are tried, per pass."""

CHUNK = 1 << 16

ENDED = frozenset((errno.ESRCH, errno.ENOENT, errno.EINVAL, None))
"""What the folder of a process that has ended answers; None: it has left its network namespace."""


class Standin:
    """One process, held by its folder until this is dropped or closed."""

    def __init__(self, folder: str, container: Cgroup) -> None:
        """Open the folder.

        Args:
            folder: `/proc/PID`.
            container: the process's cgroup must be this, or one inside it; the root's may be any.

        Raises:
            OSError: there is no such process, or it may not be looked at.
            ProcessLookupError: it is in another cgroup.
        """
        self.container = container
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if container.kind != "root" and not self._belongs():
                raise ProcessLookupError(f"{folder} is in another cgroup than {container.id}")
            self._namespace = self._inode()
        except BaseException:
            self.close()
            raise

    def read(self, name: str, limit: int) -> bytes:
        """A file of the process, `net/dev`.

        Args:
            limit: bytes that are read at most.

        Raises:
            OSError: the process has ended, or the file cannot be read.
            ProcessLookupError: the process has gone to another network namespace.
        """
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            content = _all(file, limit)
        finally:
            os.close(file)
        # A process that went elsewhere meanwhile may have shown another namespace's counters: they are not used.
        if self._inode() != self._namespace:
            raise ProcessLookupError(f"{name}: another network namespace")
        return content

    def close(self) -> None:
        """Let the process go."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __del__(self) -> None:
        """Its cgroup has ended, and was forgotten with all that was remembered of it."""
        if hasattr(self, "_folder"):
            self.close()

    def _belongs(self) -> bool:
        """Whether one of the process's cgroups is the container's, or inside it.

        The path is written as the reader's cgroup namespace sees it, so the container's name is looked for, not the path.
        """
        name = self.container.id.rpartition("/")[2]
        file = os.open("cgroup", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            lines = os.read(file, 65536).decode("utf-8", "surrogateescape").split("\n")
        finally:
            os.close(file)
        return any(name in line.split("/") for line in lines)

    def _inode(self) -> int | None:
        """The network namespace; None where it may not be known (that takes CAP_SYS_PTRACE)."""
        try:
            return os.stat("ns/net", dir_fd=self._folder).st_ino
        except (PermissionError, FileNotFoundError):
            return None


def _all(file: int, limit: int) -> bytes:
    """What is in a file of /proc, which gives a page or so at a time."""
    parts, size = [], 0
    while size < limit and (part := os.read(file, min(CHUNK, limit - size))):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def standin(context: Context) -> Standin | None:
    """Who stands for this cgroup's network, None when it is not shown here.

    The root's is the node's first process. A pod's network is one: it is shown on its sandbox, or on the pod as long
    as no sandbox is known or the runtime has none. A container outside pods has its own. Chosen once and kept, until it
    ends.
    """
    kept: Standin | None = context.memo.get("standin")
    if context.cgroup.kind == "pod":
        if kept is None and not _sandbox_lives(context):
            # Containers may have come since it was last looked.
            context.memo["containers"] = _containers(context)
        if _sandbox_lives(context):
            _let_go(context)
            return None
    if kept is None:
        kept = context.memo["standin"] = next(_candidates(context), None)
    return kept


def read_network(context: Context, name: str, limit: int) -> bytes | None:
    """A file below the network namespace of this cgroup, `net/dev`; None when it is not shown here or cannot be read.

    When the stand-in has ended, another one is looked for, once.
    """
    for _ in range(2):
        chosen = standin(context)
        if chosen is None:
            return None
        try:
            return chosen.read(name, limit)
        except OSError as error:
            if error.errno not in ENDED:
                context.node.count(error)
                return None
            _let_go(context)
    return None


def _let_go(context: Context) -> None:
    kept = context.memo.pop("standin", None)
    if kept is not None:
        kept.close()


def _candidates(context: Context) -> Iterator[Standin]:
    cgroup, node = context.cgroup, context.node
    if cgroup.kind == "root":
        yield from _opened(context, cgroup, [1])
    elif cgroup.kind == "container":
        if not cgroup.pod_uid or node.is_sandbox(cgroup):
            yield from _opened(context, cgroup, context.pids())
    elif cgroup.kind == "pod":
        for container, folder in context.memo["containers"]:
            yield from _opened(context, container, context.pids_below(folder, recursive=True))


def _sandbox_lives(context: Context) -> bool:
    """Whether one of the pod's containers, as they were when it was last looked, is known to be its sandbox and has a
    process: CRI-O may keep a sandbox that has none."""
    known: list[tuple[Cgroup, str]] = context.memo.get("containers", [])
    return any(
        context.pids_below(folder, False) or context.pids_below(folder, True)
        for container, folder in known
        if context.node.is_sandbox(container)
    )


def _containers(context: Context) -> list[tuple[Cgroup, str]]:
    """A pod's containers and their folders."""
    folder = context.processes_folder()
    found = []
    for path in context.folders_in(folder) if folder else []:
        container = classify(os.path.basename(path), context.cgroup)
        if container and container.kind == "container":
            found.append((container, path))
    return sorted(found, key=lambda pair: pair[0].id)


def _opened(context: Context, container: Cgroup, pids: list[int]) -> Iterator[Standin]:
    """The first processes of a container that can be held."""
    for pid in sorted(pids)[:TRIES]:
        try:
            yield Standin(f"{context.node.roots.proc}/{pid}", container)
        except ProcessLookupError:
            # Ended, or its number belongs to another one by now.
            continue
        except OSError as error:
            context.node.count(error)
