"""Processes of a cgroup and what they have open: the rest of cAdvisor's group `process` (threads are in `pids`)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from telegen.cadvisor.collector import Context, Raw, Reading, Source, value
from telegen.metrics.family import ALPHA, gauge

ENDED = frozenset((errno.ENOENT, errno.ESRCH))

AGE = 60.0
"""Seconds, up to twice as many, after which a process's sockets are counted anew although it has as many descriptors as
before. PERF: 5 us per descriptor, where their number takes 3 us per process (from Linux 6.2 on)."""

MANY = 1000
"""Descriptors of a process whose sockets are counted only so often, whether their number has changed or not."""

OPEN_FILES = b"Max open files"
UNLIMITED = -1


class Open(NamedTuple):
    """What a process has open, None for what may not be known, and when its sockets were counted."""

    descriptors: Optional[int]
    sockets: Optional[int]
    counted: float


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

    What may not be known of one process is None of all: what is left would pass for the whole.
    """
    known: dict[int, Open] = context.memo.get("open", {})
    context.memo["open"] = counted = {
        pid: counts for pid in pids if (counts := _of_process(context, pid, known.get(pid))) is not None
    }
    return _total(counts.descriptors for counts in counted.values()), _total(counts.sockets for counts in counted.values())


def _total(numbers: Iterable[Optional[int]]) -> Optional[int]:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _of_process(context: Context, pid: int, known: Optional[Open]) -> Optional[Open]:
    """What a process has open; None when it has ended."""
    node, folder = context.node, f"{context.node.roots.proc}/{pid}/fd"
    number = None
    try:
        # The size is told to everyone, the list only to who may trace the process.
        number = os.stat(folder).st_size if node.sizes_count_descriptors else len(os.listdir(folder))
        if known and (known.descriptors == number or number > MANY) and node.now < known.counted + AGE + pid % AGE:
            return Open(number, known.sockets, known.counted)
        return Open(number, _sockets(folder), node.now)
    except PermissionError as error:
        node.refuse(error)
        return Open(number, None, node.now)
    except OSError as error:
        if error.errno in ENDED:
            return None
        node.count(error)
        return Open(number, None, node.now)


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
