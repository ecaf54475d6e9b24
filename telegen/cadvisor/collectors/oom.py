"""Processes killed by the OOM killer: oom_kill of memory.events (v2) or memory.oom_control (v1, Linux 4.13 and later).

cAdvisor parses the kernel log instead, which misses most kills.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import keyed
from telegen.cadvisor.collector import Collector, Contents, Families, control_files


class OomReading(NamedTuple):
    """Number of killed processes."""

    kills: Optional[int]


family = Families(OomReading)

FAMILIES = (
    family.counter(
        "container_oom_events_total",
        "Processes killed by the OOM killer (oom_kill of v2 memory.events, which includes nested cgroups, or v1 memory.oom_control).",
        lambda reading: reading.kills,
    ),
)


def parse(raw: Contents, context: Context) -> OomReading:
    content = next(content for content in raw if content is not None)
    return OomReading(keyed(content).get(b"oom_kill"))


COLLECTOR = Collector(
    "oom",
    "oom_event",
    FAMILIES,
    control_files((("memory", "memory.oom_control"),), (("memory", "memory.events"),)),
    parse,
    # A container that is killed usually ends before the next scrape.
    keep_after_exit=lambda reading: bool(reading.kills),
)
