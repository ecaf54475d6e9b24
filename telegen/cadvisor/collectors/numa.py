"""Memory by NUMA node. v1 counts in pages, for the cgroup alone and with its descendants; v2 in bytes, with
descendants."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Optional

from telegen.cadvisor.collector import Context, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, gauge

FILES = (("memory", "memory.numa_stat"),)
TYPES = ("file", "anon", "unevictable")

FAMILIES = (
    gauge("container_memory_numa_pages", "Pages in use, by NUMA node.", ALPHA, value("pages"), "type", "scope", "node"),
)


def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
    """pages: rows of type, scope, node and count."""
    v1, v2 = raw
    if v1 is not None:
        rows = list(_rows(v1, "container", "", 1)) + list(_rows(v1, "hierarchy", "hierarchical_", 1))
    else:
        rows = list(_rows(v2 or b"", "hierarchy", "", os.sysconf("SC_PAGE_SIZE")))
    return {"pages": rows}


SOURCE = Source("numa", "memory_numa", FAMILIES, control_files(FILES, FILES), parse)


def _rows(content: bytes, scope: str, prefix: str, unit: int) -> Iterator[tuple[str, str, str, int]]:
    """v1 has `file=3 N0=2 N1=1`, v2 `file N0=8192 N1=4096`."""
    for line in content.decode("ascii", "replace").split("\n"):
        first, *nodes = line.split() or [""]
        type = first.partition("=")[0].removeprefix(prefix)
        if type in TYPES and first.startswith(prefix + type):
            for node, _, count in (word.partition("=") for word in nodes):
                if count.isdigit():
                    yield type, scope, node.removeprefix("N"), int(count) // unit
