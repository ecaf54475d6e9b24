"""Pressure stall information (PSI, https://docs.kernel.org/accounting/psi.html).

Only v2 accounts it per cgroup. The root's comes from /proc/pressure where its own files are absent.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import known
from telegen.cadvisor.collector import AnyCollector, Collector, Contents, Families, control_files
from telegen.config.model import Cadvisor

RESOURCES = ("cpu", "memory", "io")

_totals = re.compile(rb"(some|full) .*?total=(\d+)").findall


class Stall(NamedTuple):
    """Seconds in which some tasks, and all tasks, were stalled."""

    some: Optional[float] = None
    full: Optional[float] = None


class PressureReading(NamedTuple):
    """Stall times for each resource."""

    cpu: Stall
    memory: Stall
    io: Stall = Stall()


family = Families(PressureReading)

FAMILIES = (
    family.counter(
        "container_pressure_cpu_waiting_seconds_total",
        "Time in which at least one task waited for a CPU, in seconds (some of cpu.pressure).",
        lambda reading: reading.cpu.some,
    ),
    family.counter(
        "container_pressure_cpu_stalled_seconds_total",
        "Time in which all tasks waited for a CPU, in seconds (full of cpu.pressure).",
        lambda reading: reading.cpu.full,
    ),
    family.counter(
        "container_pressure_memory_waiting_seconds_total",
        "Time in which at least one task waited for memory, in seconds (some of memory.pressure).",
        lambda reading: reading.memory.some,
    ),
    family.counter(
        "container_pressure_memory_stalled_seconds_total",
        "Time in which all tasks waited for memory, in seconds (full of memory.pressure).",
        lambda reading: reading.memory.full,
    ),
    family.counter(
        "container_pressure_io_waiting_seconds_total",
        "Time in which at least one task waited for I/O, in seconds (some of io.pressure).",
        lambda reading: reading.io.some,
    ),
    family.counter(
        "container_pressure_io_stalled_seconds_total",
        "Time in which all tasks waited for I/O, in seconds (full of io.pressure).",
        lambda reading: reading.io.full,
    ),
)


def make(settings: Cadvisor, groups: frozenset[str]) -> AnyCollector:
    """Return the collector; without the group `diskIO` it has no families of I/O."""
    shown = len(RESOURCES) if "diskIO" in groups else 2
    resources = RESOURCES[:shown]
    read_files = control_files(v2=tuple(("pressure", f"{resource}.pressure") for resource in resources))

    def read(context: Context) -> Optional[Contents]:
        raw = read_files(context)
        if context.cgroup.kind != "root":
            return raw
        own = raw or (None,) * shown
        contents = tuple([content or _of_node(context, resource) for content, resource in zip(own, resources)])
        return contents if any(contents) else None

    return Collector("pressure", "pressure", FAMILIES[: 2 * shown], read, parse)


def parse(raw: Contents, context: Context) -> PressureReading:
    return PressureReading(*[_stall(content or b"") for content in raw])


def _stall(content: bytes) -> Stall:
    """Parse `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234` and the line of `full`; totals are microseconds."""
    totals = {line: value / 1e6 for line, total in _totals(content) if (value := known(int(total))) is not None}
    return Stall(totals.get(b"some"), totals.get(b"full"))


def _of_node(context: Context, resource: str) -> bytes | None:
    return context.read_path(f"{context.node.roots.proc}/pressure/{resource}")
