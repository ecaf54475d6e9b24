"""Time that tasks waited for a resource (https://docs.kernel.org/accounting/psi.html). Only v2 accounts it to cgroups;
for the root /proc/pressure stands in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from telegen.cadvisor.collector import Context, Raw, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, FamilyGenerator, counter

RESOURCES = ("cpu", "memory", "io")

_totals = re.compile(rb"(some|full) .*?total=(\d+)").findall

WORDS = {
    "waiting": ("some", "Time for which a task at least waited for {}, in seconds."),
    "stalled": ("full", "Time for which all tasks waited for {}, in seconds."),
}


def _families(resource: str) -> tuple[FamilyGenerator, ...]:
    families = []
    for word, (line, help) in WORDS.items():
        name = f"container_pressure_{resource}_{word}_seconds_total"
        families.append(counter(name, help.format(resource), ALPHA, value(f"{resource} {line}")))
    return tuple(families)


def make(disk_io: bool) -> Source:
    """The source; what has to do with disks is shown when the group of disk I/O is on as well."""
    resources = RESOURCES if disk_io else RESOURCES[:2]

    read_files = control_files(v2=tuple(("pressure", f"{resource}.pressure") for resource in resources))

    def read(context: Context) -> Raw:
        if context.cgroup.kind != "root":
            return read_files(context)
        contents = read_files(context) or [None] * len(resources)
        contents = tuple([content or _of_node(context, resource) for content, resource in zip(contents, resources)])
        return contents if any(contents) else None

    def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
        """`cpu some`, `cpu full` and so on: seconds."""
        return {
            f"{resource} {line.decode()}": int(total) / 1e6
            for resource, content in zip(resources, raw)
            for line, total in _totals(content or b"")
        }

    families = tuple(family for resource in resources for family in _families(resource))
    return Source("pressure", "pressure", families, read, parse)


def _of_node(context: Context, resource: str) -> bytes | None:
    return context.read_path(f"{context.node.roots.proc}/pressure/{resource}")
