"""Threads and their limit (https://docs.kernel.org/admin-guide/cgroup-v2.html#pid; v1 has the same files).

The root has no such files. Its threads are those of the node (proc_loadavg(5)).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import number, number_if_read
from telegen.cadvisor.collector import Collector, Families, control_files

FILES = (("pids", "pids.current"), ("pids", "pids.max"))
_threads = re.compile(rb"(?:\S+ ){3}\d+/(\d+) ").match


class PidsFiles(NamedTuple):
    """Contents of the control files."""

    current: Optional[bytes]
    max: Optional[bytes]


class PidsReading(NamedTuple):
    """Number of threads and its limit, 0 for none."""

    threads: Optional[int]
    max: Optional[int]


family = Families(PidsReading)

FAMILIES = (
    family.gauge(
        "container_threads", "Threads, including nested cgroups (pids.current).", lambda reading: reading.threads
    ),
    family.gauge(
        "container_threads_max", "Limit of the number of threads, 0 without a limit (pids.max).", lambda reading: reading.max
    ),
)


_read_files = control_files(FILES, FILES)


def read(context: Context) -> Optional[PidsFiles]:
    """Read the control files; for the root without them, the number of threads alone."""
    raw = _read_files(context)
    if raw is None:
        threads = _threads_of_node(context) if context.cgroup.kind == "root" else None
        return PidsFiles(threads, None) if threads else None
    return PidsFiles(*(raw[:2] if context.version("pids") == 1 else raw[2:]))


def parse(raw: PidsFiles, context: Context) -> PidsReading:
    return PidsReading(number_if_read(raw.current), None if raw.max is None else number(raw.max) or 0)


COLLECTOR = Collector("pids", "process", FAMILIES, read, parse)


def _threads_of_node(context: Context) -> Optional[bytes]:
    """Second number of the fourth field, `1/234`."""
    content = context.read_path(f"{context.node.roots.proc}/loadavg") or b""
    found = _threads(content)
    return found[1] if found else None
