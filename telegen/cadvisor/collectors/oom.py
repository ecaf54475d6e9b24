"""Processes killed by the OOM killer: oom_kill of memory.events (v2) or memory.oom_control (v1, Linux 4.13 and later).

The root of v2 has no memory.events; its kills are those of the node, with the global ones (oom_kill of /proc/vmstat, Linux 4.13 and
later). cAdvisor parses the kernel log instead, which misses most kills.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import keyed
from telegen.cadvisor.collector import Collector, Contents, Families, control_files


class OomReading(NamedTuple):
    """Number of killed processes."""

    kills: Optional[int]


family = Families(OomReading)
_kills_of_node = re.compile(rb"^oom_kill \d+\n", re.MULTILINE).search

FAMILIES = (
    family.counter(
        "container_oom_events_total",
        "Processes killed by the OOM killer (oom_kill of v2 memory.events, with nested cgroups, or v1 memory.oom_control).",
        lambda reading: reading.kills,
    ),
)


_read_files = control_files((("memory", "memory.oom_control"),), (("memory", "memory.events"),))


def read(context: Context) -> Optional[Contents]:
    raw = _read_files(context)
    return _of_node(context) if raw is None and context.cgroup.kind == "root" and context.version("memory") == 2 else raw


def parse(raw: Contents, context: Context) -> OomReading:
    content = next(content for content in raw if content is not None)
    return OomReading(keyed(content).get(b"oom_kill"))


COLLECTOR = Collector(
    "oom",
    "oom_event",
    FAMILIES,
    read,
    parse,
    # A container that is killed usually ends before the next scrape.
    keep_after_exit=lambda reading: bool(reading.kills),
)


def _of_node(context: Context) -> Optional[Contents]:
    """The line `oom_kill 0` of /proc/vmstat alone: all others change in every pass."""
    content = context.read_list(f"{context.node.roots.proc}/vmstat") or b""
    found = _kills_of_node(content)
    return (found[0],) if found else None
