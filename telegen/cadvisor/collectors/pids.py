"""Threads and their limit (https://docs.kernel.org/admin-guide/cgroup-v2.html#pid; the files of v1 are the same)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from telegen.cadvisor.cgroups.parsing import number
from telegen.cadvisor.collector import Context, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, gauge

FILES = (("pids", "pids.current"), ("pids", "pids.max"))

FAMILIES = (
    gauge("container_threads", "Threads, those of inner cgroups included.", ALPHA, value("threads")),
    gauge("container_threads_max", "Most threads that there may be; 0: as many as the node has room for.", ALPHA, value("max")),
)


def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
    """threads, max: counts."""
    current, limit = raw[:2] if context.version("pids") == 1 else raw[2:]
    reading: Reading = {}
    if current is not None:
        reading["threads"] = number(current)
    if limit is not None:
        reading["max"] = number(limit) or 0
    return reading


SOURCE = Source("pids", "process", FAMILIES, control_files(FILES, FILES), parse)
