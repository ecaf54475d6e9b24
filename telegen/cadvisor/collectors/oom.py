"""Processes killed for want of memory, as the cgroup itself counts them: memory.events of v2, memory.oom_control of v1
(4.13 and newer). cAdvisor reads the kernel's log instead, and misses most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from telegen.cadvisor.cgroups.parsing import keyed
from telegen.cadvisor.collector import Context, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, counter

FAMILIES = (
    counter(
        "container_oom_events_total",
        "Processes killed since the cgroup, or on v2 one inside it, was out of memory.",
        ALPHA,
        value("kills"),
    ),
)


def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
    """kills: a count."""
    found = keyed(next(content for content in raw if content is not None)).get(b"oom_kill")
    return {} if found is None else {"kills": found}


SOURCE = Source(
    "oom",
    "oom_event",
    FAMILIES,
    control_files((("memory", "memory.oom_control"),), (("memory", "memory.events"),)),
    parse,
    lingers=True,
)
