"""Threads and their limit (https://docs.kernel.org/admin-guide/cgroup-v2.html#pid; v1 has the same files)."""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import number, number_if_read
from telegen.cadvisor.collector import Collector, Contents, Families, control_files

FILES = (("pids", "pids.current"), ("pids", "pids.max"))


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


def parse(raw: Contents, context: Context) -> PidsReading:
    current, limit = raw[:2] if context.version("pids") == 1 else raw[2:]
    return PidsReading(number_if_read(current), None if limit is None else number(limit) or 0)


COLLECTOR = Collector("pids", "process", FAMILIES, control_files(FILES, FILES), parse)
