"""Access of collectors to one cgroup: its control files, its processes, and the state they keep for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Generic, Literal, Optional, TypeVar

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.node import Node

T = TypeVar("T")

_STARTTIME = 22 - 3
"""Index of the field starttime behind the name."""

ENDED = frozenset((errno.ENOENT, errno.ESRCH))
"""errno of a file of a process that has ended."""


def start_ticks(proc: str, pid: int) -> int | None:
    """Start of a process in ticks since the boot (starttime of proc_pid_stat(5)); None if it cannot be read."""
    try:
        with open(f"{proc}/{pid}/stat", "rb") as file:
            return parse_start(file.read())
    except OSError:
        return None


def parse_start(stat: bytes) -> int | None:
    """Parse the field starttime of /proc/PID/stat; None if it is absent."""
    # Field 2, the name in parentheses, may contain blanks and parentheses.
    fields = stat.rpartition(b")")[2].split()
    return int(fields[_STARTTIME]) if len(fields) > _STARTTIME else None


class Context:
    """One cgroup as collectors see it, kept from the first pass that finds the cgroup until it ends.

    Attributes:
        exists: True once a collector has read something in this pass.
        read_at: begin of the last reading in seconds since the boot (CLOCK_BOOTTIME).
        labels: values of the cgroup's labels in this pass.
        state: values of `PerCgroup`, by their accessor; only `PerCgroup` uses it.
    """

    __slots__ = ("cgroup", "node", "exists", "read_at", "labels", "state", "_pids")

    def __init__(self, cgroup: Cgroup, node: Node) -> None:
        self.cgroup, self.node = cgroup, node
        self.state: dict[PerCgroup[Any], Any] = {}
        self.read_at = 0.0
        self.begin_pass()

    def begin_pass(self, labels: tuple[str, ...] = ()) -> None:
        """Discard the results of the previous pass."""
        self.labels = labels
        self.exists = False
        self._pids: Optional[list[int]] = None

    def version(self, controller: str) -> Literal[1, 2, None]:
        """The cgroup version of the controller's hierarchy; None if the node does not have the controller."""
        mount = self.node.mounts.get(controller)
        return mount.version if mount else None

    def folder(self, controller: str) -> str:
        """Path of the cgroup in the controller's hierarchy; "" without the controller. The folder need not exist."""
        mount, id = self.node.mounts.get(controller), self.cgroup.id
        return "" if mount is None else mount.path if id == "/" else mount.path + id

    def has_ended(self) -> bool:
        """True if the cgroup has been removed since the pass began."""
        return not os.path.isdir(self.processes_folder())

    def read(self, controller: str, name: str) -> bytes | None:
        """Content of a control file; None if it is absent or unreadable. The latter is counted."""
        folder = self.folder(controller)
        return self.read_path(f"{folder}/{name}") if folder else None

    def read_path(self, path: str) -> bytes | None:
        """Content of a small file, kept open between passes; None as for `read`."""
        return self._counted(self.node.files.read, path)

    def read_list(self, path: str) -> bytes | None:
        """Content of a list that the kernel returns in pieces, kept open between passes; None as for `read`."""
        return self._counted(self.node.files.read_list, path)

    def pids(self) -> list[int]:
        """Process ids of the cgroup in the agent's pid namespace, read once per pass.

        Includes nested cgroups for a container (crun and systemd create some), but not for pods and slices, whose own
        cgroup is usually empty.
        """
        if self._pids is None:
            self._pids = self.pids_below(self.processes_folder(), self.cgroup.kind == "container")
        return self._pids

    def first_pids(self) -> list[int]:
        """Process ids as `pids`, those of the cgroup itself before those of nested ones, the oldest first.

        The first process of a container decides its mounts and its network: processes in nested cgroups may belong to
        containers inside it (Docker in Docker).
        """
        folder = self.processes_folder()
        return self.oldest_first(folder, self.pids())

    def oldest_first(self, folder: str, pids: list[int]) -> list[int]:
        """Sort process ids: those in the cgroup's folder itself before all others, then by start time."""
        # PERF: 10 us for each process; called only when a process is chosen, which is then kept.
        own, proc = set(self.pids_below(folder, recursive=False)), self.node.roots.proc
        return sorted(pids, key=lambda pid: (pid not in own, start_ticks(proc, pid) or 0, pid))

    def processes_folder(self) -> str:
        """The cgroup's folder in the first hierarchy that is mounted of those with a usable cgroup.procs; "" if none is."""
        # A v1 host may lack one of these controllers; each of their hierarchies has all processes of a container.
        return next(filter(None, map(self.folder, ("pids", "cpuacct", "memory"))), "")

    def pids_below(self, folder: str, recursive: bool) -> list[int]:
        """Process ids in a cgroup's folder ("": none), with nested cgroups if `recursive`."""
        pids: list[int] = []
        pending = [folder] if folder else []
        while pending:
            path = pending.pop()
            content = self.read_list(f"{path}/cgroup.procs")
            # The kernel writes 0 for a process that is outside the reader's pid namespace (pid_namespaces(7)).
            pids += [int(word) for word in (content or b"").split() if word.isdigit() and word != b"0"]
            if recursive:
                # The supervisor of systemd-nspawn runs outside the container's namespaces, beside `payload`.
                pending += [inner for inner in self.folders_in(path) if not inner.endswith("/supervisor")]
        return pids

    def folders_in(self, path: str) -> list[str]:
        """Paths of the cgroups directly inside a cgroup's folder."""
        try:
            # PERF: a link count of 2 means "no folders inside" (7 us less than listing). Where a file system counts
            # links otherwise, the folder is listed.
            if os.stat(path).st_nlink == 2:
                return []
            with os.scandir(path) as entries:
                return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            self.node.count_error(error)
            return []

    def _counted(self, read: Callable[[str], Optional[bytes]], path: str) -> bytes | None:
        try:
            return read(path)
        except OSError as error:
            self.node.count_error(error)
            return None


class PerCgroup(Generic[T]):
    """Typed accessor of a value that a collector keeps for each cgroup: `state = _state(context)`.

    The first access creates the value with `create`. It lives as long as the cgroup's context.
    """

    def __init__(self, create: Callable[[Context], T]) -> None:
        self._create = create

    def __call__(self, context: Context) -> T:
        # PERF: called for every collector that reads control files: 0.1 us.
        try:
            value: T = context.state[self]
        except KeyError:
            value = context.state[self] = self._create(context)
        return value


class PerPass(Generic[T]):
    """Typed accessor of a value that is computed once per pass, from all cgroups: `owners = _owners(node)`."""

    def __init__(self, create: Callable[[Node], T]) -> None:
        self._create = create

    def __call__(self, node: Node) -> T:
        try:
            value: T = node.per_pass[self]
        except KeyError:
            value = node.per_pass[self] = self._create(node)
        return value
