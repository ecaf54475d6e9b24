"""State of the node that all collectors share."""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Optional

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.control_files import ABSENT, ControlFiles
from telegen.cadvisor.cgroups.discovery import TOO_DEEP, TOO_MANY, BoundExceeded
from telegen.cadvisor.cgroups.hierarchy import Mount
from telegen.cadvisor.rooted import resolve_below

log = logging.getLogger(__name__)

BOUNDS = frozenset((TOO_DEEP, TOO_MANY, "EFBIG"))
"""Reasons of errors that stand for a bound of this agent. EFBIG: a file of more than `reading.MAX_BYTES`."""


@dataclass(frozen=True)
class Roots:
    """Paths at which this process sees the host's file systems."""

    cgroup: str = "/sys/fs/cgroup"
    proc: str = "/proc"
    sys: str = "/sys"
    host: str = "/"

    def host_path(self, path: str) -> str:
        """Path of a host's file as this process sees it; `path` begins with a slash."""
        return self.host.rstrip("/") + path

    def resolved_path(self, path: str) -> str:
        """Path as of `host_path`, with links resolved below the host's `/`; unresolved if there is no such file."""
        try:
            return resolve_below(self.host, path)
        except OSError:
            return self.host_path(path)


class RuntimeState(NamedTuple):
    """State of a container that its runtime keeps.

    Attributes:
        health: 1 healthy, 0 starting or unhealthy, -1 without a health check; None if unknown.
        restarts: restarts by the restart policy; None if unknown.
    """

    health: Optional[int]
    restarts: Optional[int]


class ContainerFacts:
    """Facts of containers that control files do not have. This source knows none; subclasses know some."""

    def is_sandbox(self, cgroup: Cgroup) -> bool:
        """True for a container that is known to be the sandbox (pause container) of its pod, which owns the pod's network."""
        return False

    def host_network(self, cgroup: Cgroup) -> bool:
        """True for a container or pod that is known to use the node's network."""
        return False

    def joins_network(self, cgroup: Cgroup) -> bool:
        """True for a container that is known to use the network of another container, or of the node."""
        return False

    def state(self, cgroup: Cgroup) -> Optional[RuntimeState]:
        """State of a container; None if its runtime keeps none."""
        return None

    def folder(self, cgroup: Cgroup) -> str:
        """Folder of the files of a container of Docker, with its log, as this process sees it; "" for any other."""
        return ""


@dataclass
class Node:
    """Files, errors and hardware facts of one node.

    Attributes:
        roots: mount points of the host's file systems.
        raw_cgroups: True if every cgroup is shown.
        files: control files that stay open between passes.
        device: maps a device number to a name: `8:0` to `/dev/sda`, or to `8:0` if it has no name.
        facts: facts of containers from their runtimes and the API.
        errors: errors since the start by reason: `malformed`, or the name of an errno.
        mounts: controller to its mount (see `hierarchy`), refreshed by each pass. Contexts are discarded when it changes.
        contexts: contexts of all cgroups that this pass shows.
        per_pass: values of `PerPass`, by their accessor; only `PerPass` uses it.
        now: Unix time of the pass.
        passes: number of completed passes.
        failed: True if this pass has counted an error.
    """

    roots: Roots = Roots()
    raw_cgroups: bool = False
    files: ControlFiles = field(default_factory=ControlFiles)
    device: Callable[[str], str] = str
    facts: ContainerFacts = field(default_factory=ContainerFacts)
    errors: Counter[str] = field(default_factory=Counter)
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    contexts: Collection[Any] = ()
    per_pass: dict[Any, Any] = field(default_factory=dict)
    now: float = 0.0
    passes: int = 0
    failed: bool = False
    _logged: set[str] = field(default_factory=set)

    @cached_property
    def boot_time(self) -> float:
        """Boot time in Unix seconds (btime of /proc/stat); 0 if unknown."""
        with suppress(OSError), open(f"{self.roots.proc}/stat", "rb") as file:
            for line in file:
                if line.startswith(b"btime "):
                    return float(line.split()[1])
        return 0.0

    @cached_property
    def fd_size_is_count(self) -> bool:
        """True if st_size of /proc/PID/fd is the number of open descriptors (Linux 6.2 and later; older kernels report 0)."""
        with suppress(OSError):
            folder = f"{self.roots.proc}/self/fd"
            size = os.stat(folder).st_size
            # Tested on this process itself. Listing needs a descriptor, and other threads may open files meanwhile.
            return size > 0 and abs(len(os.listdir(folder)) - size) <= 8
        return False

    @cached_property
    def huge_page_sizes(self) -> tuple[str, ...]:
        """Huge page sizes in the spelling of the control files: `2MB` (/sys spells it `hugepages-2048kB`)."""
        sizes = []
        with suppress(OSError):
            for name in sorted(os.listdir(f"{self.roots.sys}/kernel/mm/hugepages")):
                size = int(name[len("hugepages-") : -len("kB")])
                sizes.append(f"{size >> 20}GB" if size >= 1 << 20 else f"{size >> 10}MB" if size >= 1 << 10 else f"{size}KB")
        return tuple(sizes)

    def count_error(self, error: Exception) -> None:
        """Count a failed read and mark the pass as failed. A file that the kernel does not have is no error.

        A bound that is exceeded is logged as well, the first time.
        """
        if isinstance(error, BoundExceeded):
            reason = error.reason
        elif not isinstance(error, OSError):
            # Parsers raise ValueError and LookupError for malformed content; any other type is a fault of the agent.
            reason = "malformed" if isinstance(error, (ValueError, LookupError)) else type(error).__name__
        elif error.errno in ABSENT:
            return
        else:
            reason = errno.errorcode.get(error.errno or 0, "unknown")
        self.errors[reason] += 1
        self.failed = True
        if reason in BOUNDS and reason not in self._logged:
            self._logged.add(reason)
            log.warning("sampler: %s; counted by telegen_sample_errors_total{reason=\"%s\"}, logged once", error, reason)

    def count_denied(self, error: PermissionError) -> None:
        """Count a file of another user's process that this agent has no right to read.

        An agent without privileges meets such files in every pass, so the pass does not count as failed.
        """
        self.errors[errno.errorcode.get(error.errno or 0, "unknown")] += 1
