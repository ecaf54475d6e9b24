"""Creation time of a cgroup and start time of its oldest process."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context, PerCgroup, start_ticks
from telegen.cadvisor.collector import Collector, Families, already_parsed


class StartReading(NamedTuple):
    """Unix times of the cgroup with this inode."""

    inode: int
    start: float
    creation: float


@dataclass
class _State:
    """The first result, valid as long as the cgroup's folder has the same inode."""

    known: Optional[StartReading] = None


_state = PerCgroup(lambda context: _State())

family = Families(StartReading)

FAMILIES = (
    family.gauge(
        "container_start_time_seconds",
        "Start of the container's oldest process (/proc/PID/stat), else creation of the cgroup, in Unix seconds.",
        lambda reading: reading.start,
    ),
    family.gauge(
        "container_creation_time_seconds",
        "Creation of the cgroup in Unix seconds (mtime of its folder).",
        lambda reading: min(reading.start, reading.creation),
    ),
)

_MARKS = ("", "/cgroup.events", "/cgroup.clone_children")
"""Files that are as old as the cgroup. The kernel assigns a file's time at its first lookup and may drop the inode and assign
a later one, so the oldest of these times is the most accurate."""


def read(context: Context) -> Optional[StartReading]:
    state = _state(context)
    folder = next(filter(None, map(context.folder, ("memory", "cpuacct"))), "")
    inode = _inode(folder)
    if inode is None:
        return None
    if state.known and state.known.inode == inode:
        return state.known
    creation = _creation(context, folder)
    start = _oldest_process(context) if context.cgroup.kind == "container" else creation
    if start is None:
        # No process yet: look again in the next pass.
        state.known = None
        return StartReading(inode, creation, creation)
    state.known = StartReading(inode, start, creation)
    return state.known


def created(context: Context) -> Optional[float]:
    """Return the Unix time at which the counters of a cgroup began; None if it has ended."""
    reading = read(context)
    return min(reading.start, reading.creation) if reading else None


COLLECTOR = Collector("start", "", FAMILIES, read, already_parsed)


def _inode(folder: str) -> int | None:
    try:
        return os.stat(folder).st_ino if folder else None
    except OSError:
        return None


def _creation(context: Context, folder: str) -> float:
    boot = context.node.boot_time
    if context.cgroup.kind == "root" and boot:
        return boot
    times = []
    for mark in _MARKS:
        try:
            times.append(os.stat(folder + mark).st_mtime)
        except FileNotFoundError:
            continue
    if not times:
        raise FileNotFoundError(errno.ENOENT, "the cgroup has ended", folder)
    return max(boot, min(times))


def _oldest_process(context: Context) -> float | None:
    # The oldest process is the container's init: the others end with it.
    starts = [start for pid in context.pids() if (start := _process_start(context, pid)) is not None]
    return min(starts, default=None)


def _process_start(context: Context, pid: int) -> float | None:
    ticks, boot = start_ticks(context.node.roots.proc, pid), context.node.boot_time
    return boot + ticks / os.sysconf("SC_CLK_TCK") if boot and ticks is not None else None
