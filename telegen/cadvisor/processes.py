"""Processes of a cgroup and what they have open: the rest of cAdvisor's group `process` (threads are in `pids`)."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any, Optional

from telegen.cadvisor.source import Context, Raw, Reading, Source, value
from telegen.metrics.family import ALPHA, gauge

ENDED = frozenset((errno.ENOENT, errno.ESRCH))

AGE = 60.0
"""Seconds, up to twice as many, after which a process's sockets are counted anew although it has as many descriptors as
before. PERF: 5 us per descriptor, where their number takes 3 us per process (from Linux 6.2 on)."""

MANY = 1000
"""Descriptors of a process whose sockets are counted only so often, whether their number has changed or not."""

OPEN_FILES = b"Max open files"
UNLIMITED = -1

FAMILIES = (
    gauge("container_processes", "Processes of the cgroup; of a container also those of its inner cgroups.", ALPHA, value("processes")),
    gauge("container_file_descriptors", "Open file descriptors of its processes.", ALPHA, value("descriptors")),
    gauge("container_sockets", "Open file descriptors of its processes that are sockets.", ALPHA, value("sockets")),
    gauge("container_ulimits_soft", "Soft limit of the first process; -1: none.", ALPHA, value("limits"), "ulimit"),
)


def read(context: Context) -> Raw:
    """(processes, descriptors, sockets, limit of open files): counts, None for what may not be known.

    None for a cgroup without processes of its own, as pods are: a 0 would say that its containers have none either.
    """
    pids, kind = context.pids(), context.cgroup.kind
    if not pids:
        return None
    descriptors, sockets = _count_open(context, pids)
    # The oldest process of a container has its lowest number, until numbers start again from the beginning.
    first = {"root": 1, "container": min(pids)}.get(kind)
    limit = None if first is None else _limit(context, first)
    return len(pids), descriptors, sockets, limit


def parse(raw: Sequence[Optional[int]], context: Context) -> Reading:
    """processes, descriptors, sockets: counts; limits: rows of a limit's name and the limit."""
    processes, descriptors, sockets, limit = raw
    reading: Reading = {"processes": processes, "descriptors": descriptors, "sockets": sockets}
    if limit is not None:
        reading["limits"] = [("max_open_files", limit)]
    return reading


SOURCE = Source("processes", "process", FAMILIES, read, parse)


def _count_open(context: Context, pids: Sequence[int]) -> tuple[Optional[int], Optional[int]]:
    """Descriptors and sockets of all these processes; a process that has ended meanwhile has none.

    Both are None when one of them may not be looked at: what is left would pass for the whole.
    """
    known: dict[int, tuple[int, int, float]] = context.memo.get("open", {})
    counted = {}
    try:
        for pid in pids:
            counts = _of_process(context, pid, known.get(pid))
            if counts:
                counted[pid] = counts
    except OSError as error:
        context.node.count(error)
        return None, None
    context.memo["open"] = counted
    return sum(counts[0] for counts in counted.values()), sum(counts[1] for counts in counted.values())


def _of_process(context: Context, pid: int, known: tuple[int, int, float] | None) -> tuple[int, int, float] | None:
    """Descriptors, sockets and when these were counted; None when the process has ended.

    Raises:
        OSError: it may not be looked at.
    """
    node, folder = context.node, f"{context.node.roots.proc}/{pid}/fd"
    try:
        number = os.stat(folder).st_size if node.sizes_count_descriptors else len(os.listdir(folder))
        if known and (known[0] == number or number > MANY) and node.now < known[2] + AGE + pid % AGE:
            return number, known[1], known[2]
        return number, _sockets(folder), node.now
    except OSError as error:
        if error.errno in ENDED:
            return None
        raise


def _sockets(folder: str) -> int:
    """How many links of /proc/PID/fd lead to sockets (proc(5))."""
    count = 0
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in os.listdir(opened):
            try:
                count += os.readlink(name, dir_fd=opened).startswith("socket:")
            except FileNotFoundError:
                # Closed meanwhile.
                continue
    finally:
        os.close(opened)
    return count


def _limit(context: Context, pid: int) -> Optional[int]:
    """Soft limit of open files of /proc/PID/limits, -1 for none; asked for as seldom as sockets are counted."""
    now = context.node.now
    known: Any = context.memo.get("limit")
    if known and known[0] == pid and now < known[2] + AGE + pid % AGE:
        return known[1]  # type: ignore[no-any-return]
    try:
        with open(f"{context.node.roots.proc}/{pid}/limits", "rb") as file:
            limit = _soft(file.read())
    except OSError as error:
        if error.errno not in ENDED:
            context.node.count(error)
        return None
    context.memo["limit"] = (pid, limit, now)
    return limit


def _soft(content: bytes) -> Optional[int]:
    for line in content.split(b"\n"):
        if line.startswith(OPEN_FILES):
            word = line[len(OPEN_FILES) :].split()[0]
            return UNLIMITED if word == b"unlimited" else int(word)
    return None
