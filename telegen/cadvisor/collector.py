"""What one family of files of a cgroup is: how it is read, how it is parsed, and the table of what is said of it."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Optional, Union

from telegen.cadvisor.cgroups.control_files import GONE, ControlFiles
from telegen.cadvisor.cgroups.discovery import Cgroup, Kind
from telegen.cadvisor.cgroups.hierarchy import Mount
from telegen.metrics.family import FamilyGenerator, Object

Reading = dict[str, Any]
"""What was read from one cgroup, in base units. What the kernel does not say has no key."""

Raw = Any
"""The bytes that a source read, or a tuple of them: anything that compares equal as long as nothing has changed."""

Entry = tuple[str, str]
"""Controller and name of a control file."""

ALL_KINDS: frozenset[Kind] = frozenset(("root", "slice", "pod", "container"))


@dataclass(frozen=True)
class Roots:
    """Where the host's filesystems are, as this process sees them."""

    cgroup: str = "/sys/fs/cgroup"
    proc: str = "/proc"
    sys: str = "/sys"
    host: str = "/"


@dataclass
class Node:
    """What all cgroups of this node share.

    Attributes:
        roots: where the host's filesystems are.
        files: the open files.
        device: names a block device: `8:0` to `/dev/sda`, or to itself when it is unknown.
        is_sandbox: whether a container is known to be its pod's sandbox, which holds the pod's network.
        errors: what went wrong so far, by reason: `malformed`, or the name of a system error.
        mounts: controller to its mount (see `hierarchy`), looked for at each pass. Contexts last as long as it does.
        now: Unix time of the pass.
        passes: how many passes there were before this one.
        failed: whether something went wrong in this pass.
    """

    roots: Roots = Roots()
    files: ControlFiles = field(default_factory=ControlFiles)
    device: Callable[[str], str] = str
    is_sandbox: Callable[[Cgroup], bool] = lambda cgroup: False
    errors: Counter[str] = field(default_factory=Counter)
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    now: float = 0.0
    passes: int = 0
    failed: bool = False

    @cached_property
    def boot_time(self) -> float:
        """When the node was started, Unix seconds (btime of /proc/stat); 0 when it is unknown."""
        with suppress(OSError), open(f"{self.roots.proc}/stat", "rb") as file:
            for line in file:
                if line.startswith(b"btime "):
                    return float(line.split()[1])
        return 0.0

    @cached_property
    def sizes_count_descriptors(self) -> bool:
        """Whether the size of /proc/PID/fd is the number of descriptors: Linux 6.2 and later; before it is 0.

        A process finds it out by itself. Threads may open files meanwhile, and listing takes one too.
        """
        with suppress(OSError):
            folder = f"{self.roots.proc}/self/fd"
            size = os.stat(folder).st_size
            return size > 0 and abs(len(os.listdir(folder)) - size) <= 8
        return False

    @cached_property
    def huge_page_sizes(self) -> tuple[str, ...]:
        """Sizes of huge pages as control files are called by them: `2MB`. (`hugepages-2048kB` in /sys.)"""
        sizes = []
        with suppress(OSError):
            for name in sorted(os.listdir(f"{self.roots.sys}/kernel/mm/hugepages")):
                size = int(name[len("hugepages-") : -len("kB")])
                sizes.append(f"{size >> 20}GB" if size >= 1 << 20 else f"{size >> 10}MB" if size >= 1 << 10 else f"{size}KB")
        return tuple(sizes)

    def count(self, error: Exception) -> None:
        """Count what could not be read; what the kernel does not have is no error."""
        if not isinstance(error, OSError):
            reason = "malformed" if isinstance(error, (ValueError, LookupError)) else type(error).__name__
        elif error.errno in GONE:
            return
        else:
            reason = errno.errorcode.get(error.errno or 0, "unknown")
        self.errors[reason] += 1
        self.failed = True

    def refuse(self, error: PermissionError) -> None:
        """Count what this agent may not read of other users' processes and folders. It never may, for want of privileges,
        so no pass has failed for it."""
        self.errors[errno.errorcode.get(error.errno or 0, "unknown")] += 1


class Context:
    """One cgroup as the sources see it. It lives from pass to pass, as long as the cgroup does."""

    __slots__ = ("cgroup", "node", "alive", "memo", "paths", "_pids")

    def __init__(self, cgroup: Cgroup, node: Node) -> None:
        self.cgroup, self.node = cgroup, node
        self.memo: dict[str, Any] = {}
        """What sources want to remember of this cgroup from pass to pass, each under its name."""
        self.paths: dict[object, tuple[str, ...]] = {}
        """Paths of the files of a `control_files`."""
        self.begin()

    def begin(self) -> None:
        """A new pass: what was found out for the last one is forgotten."""
        self.alive = False
        """Whether a source has found something in this pass: the cgroup is still there."""
        self._pids: Optional[list[int]] = None

    def version(self, controller: str) -> Literal[1, 2, None]:
        """The version of the controller's hierarchy, None when the node has none."""
        mount = self.node.mounts.get(controller)
        return mount.version if mount else None

    def folder(self, controller: str) -> str:
        """The cgroup's folder in the controller's hierarchy, "" when the node has none. It need not exist."""
        mount, id = self.node.mounts.get(controller), self.cgroup.id
        return "" if mount is None else mount.path if id == "/" else mount.path + id

    def read(self, controller: str, name: str) -> bytes | None:
        """The content of a control file, None when the kernel has none or it cannot be read; the latter is counted."""
        folder = self.folder(controller)
        return self.read_path(f"{folder}/{name}") if folder else None

    def read_path(self, path: str) -> bytes | None:
        """The content of any small file, kept open between passes; None as for `read`."""
        try:
            return self.node.files.read(path)
        except OSError as error:
            self.node.count(error)
            return None

    def pids(self) -> list[int]:
        """Processes of the cgroup as the agent's own pid namespace numbers them, without those that it cannot see.

        A container's inner cgroups belong to it: crun and systemd put processes there. Pods and slices have only what
        is in them directly, which is nothing as a rule. Read once per pass.
        """
        if self._pids is None:
            self._pids = self.pids_below(self.processes_folder(), self.cgroup.kind == "container")
        return self._pids

    def processes_folder(self) -> str:
        """The cgroup's folder in a hierarchy whose cgroup.procs is believed, "" when there is none."""
        return next(filter(None, map(self.folder, ("pids", "cpuacct", "memory"))), "")

    def pids_below(self, folder: str, recursive: bool) -> list[int]:
        """Processes of the cgroup of this folder ("": none), and of the ones inside it."""
        pids: list[int] = []
        waiting = [folder] if folder else []
        while waiting:
            path = waiting.pop()
            content = self.read_path(f"{path}/cgroup.procs")
            pids += [int(word) for word in (content or b"").split() if word.isdigit() and word != b"0"]
            if recursive:
                waiting += self.folders_in(path)
        return pids

    def folders_in(self, path: str) -> list[str]:
        """The folders of the cgroups inside that of a folder."""
        try:
            # PERF: two links say "no folders inside" (7 us less than listing); other filesystems than the kernel's
            # own may count otherwise, which only costs the listing.
            if os.stat(path).st_nlink == 2:
                return []
            with os.scandir(path) as entries:
                return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            self.node.count(error)
            return []


@dataclass(frozen=True)
class Source:
    """One family of files.

    Attributes:
        name: unique, also the name of its store behind `containers/`: `memory`.
        group: cAdvisor's name of the group that switches it on and off (see `groups`), "" for what cannot be switched.
        families: the table. A generate function is given the reading.
        read: the bytes now, or a tuple of them; None when there is nothing, and nothing is shown. Called for every
            cgroup at every pass: it only reads, parsing waits until something has changed.
        parse: what the bytes say. What it (or `read`) raises is counted and costs this source of this cgroup only; a
            ValueError or LookupError counts as `malformed`. `id` and `labels` are no names for what was read.
        kinds: cgroups that have it.
        labelled: whether samples carry the labels of a container. If not, families bring all their labels, and the
            source is read once per pass, behind all others, with the context of the root.
        lingers: whether what is not 0 stays for `LINGER` when the cgroup has ended, or until its pod's has: how it ended
            is what it is about.
    """

    name: str
    group: str
    families: tuple[FamilyGenerator, ...]
    read: Callable[[Context], Raw]
    parse: Callable[[Any, Context], Reading]
    kinds: frozenset[Kind] = ALL_KINDS
    labelled: bool = True
    lingers: bool = False


SELDOM = 6
"""Passes between two looks at what hardly ever changes."""


def seldom(name: str, read: Callable[[Context], Raw]) -> Callable[[Context], Raw]:
    """A read function for what hardly ever changes: it reads when the cgroup is new, then every SELDOM passes, other
    cgroups in other passes. `name` is where the cgroup's memo keeps it meanwhile."""

    def read_or_remember(context: Context) -> Raw:
        turn = (context.node.passes + hash(context.cgroup.id)) % SELDOM
        if turn == 0 or name not in context.memo:
            context.memo[name] = read(context)
        return context.memo[name]

    return read_or_remember


def control_files(
    v1: tuple[Entry, ...] = (), v2: tuple[Entry, ...] = (), keep: bool = True
) -> Callable[[Context], Raw]:
    """A read function for control files: a tuple with the content of each, None for one that is not there.

    Each file is looked for in its own controller's hierarchy; those of `v1` when that is a v1 hierarchy, those of `v2`
    when it is the unified one: a host may have both. The tuple has the places of `v1`, then those of `v2`. None when
    there is no file at all. With `keep` the files stay open between passes.
    """
    entries = [(1, *entry) for entry in v1] + [(2, *entry) for entry in v2]
    token = object()

    def paths(context: Context) -> tuple[str, ...]:
        found = tuple(
            f"{context.folder(controller)}/{name}" if context.version(controller) == version else ""
            for version, controller, name in entries
        )
        context.paths[token] = found
        return found

    def read(context: Context) -> Optional[tuple[Union[bytes, None], ...]]:
        # PERF: most of a pass is spent here: 2.3 us in the kernel per file, 0.9 around it.
        read_file = context.node.files.read if keep else context.node.files.glance
        try:
            contents = tuple([read_file(path) if path else None for path in context.paths.get(token) or paths(context)])
        except OSError:
            contents = tuple([context.read_path(path) if path else None for path in paths(context)])
        return contents if contents.count(None) < len(contents) else None

    return read


def value(name: str) -> Callable[[Object], Any]:
    """A generate function: this number, or these rows, of the reading; None when the kernel does not have it."""

    def generate(reading: Object) -> Any:
        return reading.get(name)

    return generate
