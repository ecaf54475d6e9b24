"""Time of the last pass that found the cgroup."""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collector import Collector, Families, already_parsed


class LastSeenReading(NamedTuple):
    """Unix time in whole seconds."""

    seconds: int


family = Families(LastSeenReading)

FAMILIES = (
    family.gauge(
        "container_last_seen",
        "Last pass that read the cgroup, in Unix seconds.",
        lambda reading: reading.seconds,
    ),
)


def read(context: Context) -> Optional[LastSeenReading]:
    # Behind the collectors of control files in the registry, since they set `exists`.
    return LastSeenReading(int(context.node.now)) if context.exists else None


COLLECTOR = Collector("seen", "", FAMILIES, read, already_parsed)
