"""When a cgroup came to be, and when it was seen last."""

from __future__ import annotations

import errno
import os

from telegen.cadvisor.collector import Context, Raw, Reading, Source, value
from telegen.metrics.family import ALPHA, gauge

STARTS = (
    gauge(
        "container_start_time_seconds",
        "Start of the container's oldest process, else creation of the cgroup, in Unix seconds.",
        ALPHA,
        value("start"),
    ),
    gauge("container_creation_time_seconds", "Creation of the cgroup, in Unix seconds.", ALPHA, value("creation")),
)
SEEN = (
    gauge("container_last_seen", "When the cgroup was last found, in Unix seconds.", ALPHA, value("seen")),
)

_MARKS = ("", "/cgroup.events", "/cgroup.clone_children")
"""What is as old as the cgroup. The kernel gives these times when it is asked first, and may forget and give later
ones: the oldest is the truest."""


def _read_start(context: Context) -> Raw:
    """(inode, start, creation). It stays what it was first found to be as long as the folder is the same one."""
    folder = next(filter(None, map(context.folder, ("memory", "cpuacct"))), "")
    inode = _inode(folder)
    if inode is None:
        return None
    known = context.memo.get("start")
    if known is None or known[0] != inode:
        creation = _creation(context, folder)
        start = _oldest_process(context) if context.cgroup.kind == "container" else creation
        known = (inode, start if start is not None else creation, creation)
        if start is not None:
            context.memo["start"] = known
    return known


def _parse_start(raw: tuple[int, float, float], context: Context) -> Reading:
    _, start, creation = raw
    return {"start": start, "creation": min(start, creation)}


def _read_seen(context: Context) -> Raw:
    return int(context.node.now) if context.alive else None


START = Source("start", "", STARTS, _read_start, _parse_start)
LAST_SEEN = Source("seen", "", SEEN, _read_seen, lambda raw, context: {"seen": raw})


def _inode(folder: str) -> int | None:
    try:
        return os.stat(folder).st_ino if folder else None
    except OSError:
        return None


def _creation(context: Context, folder: str) -> float:
    """Oldest time of the cgroup's folder, not before the boot; the root is as old as that."""
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
    """Start of the oldest process; it is the container's first, without which the others do not live."""
    starts = [start for pid in context.pids() if (start := _process_start(context, pid)) is not None]
    return min(starts, default=None)


def _process_start(context: Context, pid: int) -> float | None:
    """Field 22 of /proc/PID/stat (proc(5)), in ticks since the boot. The name before it may hold anything."""
    try:
        with open(f"{context.node.roots.proc}/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return context.node.boot_time + int(fields[19]) / os.sysconf("SC_CLK_TCK") if len(fields) > 19 else None
