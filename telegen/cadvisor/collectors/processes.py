"""Processes of a cgroup and their open file descriptors. Threads are in `pids`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import ENDED, Context, PerCgroup
from telegen.cadvisor.collector import Collector, Families, already_parsed

RECOUNT_SECONDS = 60.0
"""Minimum age of a count of sockets whose process still has as many descriptors; up to twice as long, spread by process id.

PERF: counting sockets takes 5 us per descriptor, the number of descriptors 3 us per process (Linux 6.2 and later).
"""

MANY = 1000
"""Number of descriptors from which sockets are recounted by age only, even if the number has changed."""

OPEN_FILES = b"Max open files"
UNLIMITED = -1


class OpenFiles(NamedTuple):
    """Open descriptors and sockets of a process, None if unknown, and the Unix time of the count of sockets."""

    descriptors: Optional[int]
    sockets: Optional[int]
    counted_at: float


class FileLimit(NamedTuple):
    """Soft limit of open files of a process, and the Unix time at which it was read."""

    pid: int
    limit: Optional[int]
    read_at: float


class ProcessesReading(NamedTuple):
    """Counts of the cgroup; `open_files_limit` is -1 for "unlimited"."""

    processes: int
    descriptors: Optional[int]
    sockets: Optional[int]
    open_files_limit: Optional[int]


@dataclass
class _State:
    """Results of the last pass, by process id."""

    open_files: dict[int, OpenFiles] = field(default_factory=dict)
    limit: Optional[FileLimit] = None


_state = PerCgroup(lambda context: _State())

family = Families(ProcessesReading)

FAMILIES = (
    family.gauge(
        "container_processes",
        "Processes of the cgroup; of a container including nested cgroups (cgroup.procs).",
        lambda reading: reading.processes,
    ),
    family.gauge(
        "container_file_descriptors",
        "Open file descriptors of all processes (/proc/PID/fd).",
        lambda reading: reading.descriptors,
    ),
    family.gauge(
        "container_sockets",
        "Open file descriptors of all processes that are sockets (/proc/PID/fd).",
        lambda reading: reading.sockets,
    ),
    family.gauge(
        "container_ulimits_soft",
        "Soft resource limit of the first process, -1 without a limit (/proc/PID/limits).",
        lambda reading: None if reading.open_files_limit is None else [("max_open_files", reading.open_files_limit)],
        "ulimit",
    ),
)


def read(context: Context) -> Optional[ProcessesReading]:
    pids, kind = context.pids(), context.cgroup.kind
    if not pids:
        # Absent rather than 0: a pod's own cgroup has no processes, but its containers have.
        return None
    descriptors, sockets = _count_open(context, pids)
    # The first process of a container has the lowest id, unless ids have wrapped around.
    first = {"root": 1, "container": min(pids)}.get(kind)
    limit = None if first is None else _limit(context, first)
    return ProcessesReading(len(pids), descriptors, sockets, limit)


COLLECTOR = Collector("processes", "process", FAMILIES, read, already_parsed)


def _count_open(context: Context, pids: Sequence[int]) -> tuple[Optional[int], Optional[int]]:
    """Sum descriptors and sockets of the processes. A sum is None if one process may not be inspected."""
    state = _state(context)
    known, state.open_files = state.open_files, {}
    for pid in pids:
        counts = _of_process(context, pid, known.get(pid))
        if counts is not None:
            state.open_files[pid] = counts
    counted = state.open_files.values()
    return _total(counts.descriptors for counts in counted), _total(counts.sockets for counts in counted)


def _total(numbers: Iterable[Optional[int]]) -> Optional[int]:
    total = 0
    for number in numbers:
        # A sum over a part of the processes would be mistaken for the whole.
        if number is None:
            return None
        total += number
    return total


def _of_process(context: Context, pid: int, known: Optional[OpenFiles]) -> Optional[OpenFiles]:
    """Count the open files of a process; None if it has ended."""
    node, folder = context.node, f"{context.node.roots.proc}/{pid}/fd"
    number = None
    try:
        # Every user may stat the folder; listing it needs the right to trace the process (ptrace(2), PTRACE_MODE_READ).
        number = os.stat(folder).st_size if node.fd_size_is_count else len(os.listdir(folder))
        is_recent = known is not None and node.now < known.counted_at + RECOUNT_SECONDS + pid % RECOUNT_SECONDS
        # The cheap number of descriptors decides whether the expensive count of sockets is repeated.
        if known and is_recent and (known.descriptors == number or number > MANY):
            return OpenFiles(number, known.sockets, known.counted_at)
        return OpenFiles(number, _sockets(folder), node.now)
    except PermissionError as error:
        node.count_denied(error)
        return OpenFiles(number, None, node.now)
    except OSError as error:
        if error.errno in ENDED:
            return None
        node.count_error(error)
        return OpenFiles(number, None, node.now)


def _sockets(folder: str) -> int:
    """Count the links of /proc/PID/fd to sockets (proc_pid_fd(5))."""
    count = 0
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in os.listdir(opened):
            try:
                count += os.readlink(name, dir_fd=opened).startswith("socket:")
            except FileNotFoundError:
                # Closed since the folder was listed.
                continue
    finally:
        os.close(opened)
    return count


def _limit(context: Context, pid: int) -> Optional[int]:
    """Soft limit of open files of a process, read as rarely as sockets are counted."""
    state, now = _state(context), context.node.now
    known = state.limit
    if known and known.pid == pid and now < known.read_at + RECOUNT_SECONDS + pid % RECOUNT_SECONDS:
        return known.limit
    try:
        with open(f"{context.node.roots.proc}/{pid}/limits", "rb") as file:
            limit = _soft_limit(file.read())
    except OSError as error:
        if error.errno not in ENDED:
            context.node.count_error(error)
        return None
    state.limit = FileLimit(pid, limit, now)
    return limit


def _soft_limit(content: bytes) -> Optional[int]:
    for line in content.split(b"\n"):
        if line.startswith(OPEN_FILES):
            word = line[len(OPEN_FILES) :].split()[0]
            return UNLIMITED if word == b"unlimited" else int(word)
    return None
