"""memory_migrate of cpusets (https://docs.kernel.org/admin-guide/cgroup-v1/cpusets.html, 1.9). v2 always migrates and has
no such file."""

from __future__ import annotations

from typing import NamedTuple

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collector import Collector, Contents, Families, control_files


class CpusetReading(NamedTuple):
    """Content of cpuset.memory_migrate."""

    migrate: int


family = Families(CpusetReading)

FAMILIES = (
    family.gauge(
        "container_memory_migrate",
        "1 if pages move to the new NUMA nodes when the cpuset changes, else 0 (v1 cpuset.memory_migrate).",
        lambda reading: reading.migrate,
    ),
)


def parse(raw: Contents, context: Context) -> CpusetReading:
    return CpusetReading(int(raw[0] or b""))


COLLECTOR = Collector(
    "cpuset", "cpuset", FAMILIES, control_files(v1=(("cpuset", "cpuset.memory_migrate"),)), parse, opt_in=True
)
