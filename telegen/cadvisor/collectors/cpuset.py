"""Whether memory moves along when a cpuset changes: a knob of v1 alone; on v2 it always does."""

from __future__ import annotations

from collections.abc import Sequence

from telegen.cadvisor.collector import Context, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    gauge("container_memory_migrate", "Whether memory follows to other nodes when the cpuset changes.", ALPHA, value("migrate")),
)


def parse(raw: Sequence[bytes], context: Context) -> Reading:
    """migrate: 0 or 1."""
    return {"migrate": int(raw[0])}


SOURCE = Source("cpuset", "cpuset", FAMILIES, control_files(v1=(("cpuset", "cpuset.memory_migrate"),)), parse)
