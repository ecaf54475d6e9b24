"""Memory by NUMA node (memory.numa_stat).

v1 counts pages, of the cgroup alone and with nested cgroups. v2 counts bytes, with nested cgroups.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import count
from telegen.cadvisor.collector import Collector, Contents, Families, control_files

FILES = (("memory", "memory.numa_stat"),)
TYPES = ("file", "anon", "unevictable")


class NumaReading(NamedTuple):
    """Rows of (type, scope, node, pages)."""

    pages: list[tuple[str, str, str, int]]


family = Families(NumaReading)

FAMILIES = (
    family.gauge(
        "container_memory_numa_pages",
        "Pages in use per NUMA node (memory.numa_stat).",
        lambda reading: reading.pages,
        "type",
        "scope",
        "node",
    ),
)


def parse(raw: Contents, context: Context) -> NumaReading:
    v1, v2 = raw
    if v1 is not None:
        return NumaReading([*_rows(v1, "container", "", 1), *_rows(v1, "hierarchy", "hierarchical_", 1)])
    return NumaReading(list(_rows(v2 or b"", "hierarchy", "", os.sysconf("SC_PAGE_SIZE"))))


COLLECTOR = Collector("numa", "memory_numa", FAMILIES, control_files(FILES, FILES), parse, opt_in=True)


def _rows(content: bytes, scope: str, prefix: str, unit: int) -> Iterator[tuple[str, str, str, int]]:
    """Parse `file=3 N0=2 N1=1` (v1) or `file N0=8192 N1=4096` (v2); numbers are divided by `unit`."""
    for line in content.decode("ascii", "replace").split("\n"):
        first, *nodes = line.split() or [""]
        type = first.partition("=")[0].removeprefix(prefix)
        if type in TYPES and first.startswith(prefix + type):
            for node, _, word in (word.partition("=") for word in nodes):
                value = count(word)
                if value is not None:
                    yield type, scope, node.removeprefix("N"), value // unit
