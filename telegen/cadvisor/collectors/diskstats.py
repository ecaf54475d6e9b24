"""Reads and writes of the node's disks and partitions (/proc/diskstats,
https://docs.kernel.org/admin-guide/iostats.html), shown on the root under the names that containers' have.

Times are milliseconds and become seconds. (cAdvisor takes them for nanoseconds, and knows only sd*, vd*, xvd* and dm-*.)
"""

from __future__ import annotations

import re
from typing import Optional

from telegen.cadvisor.cgroups.discovery import Kind
from telegen.cadvisor.collector import Context, Reading, Source, value
from telegen.cadvisor.collectors.disk_io import BY_DEVICE
from telegen.metrics.family import ALPHA, counter

FIELDS = (
    ("reads", 3, 1),
    ("reads_merged", 4, 1),
    ("sector_reads", 5, 1),
    ("read_seconds", 6, 1000),
    ("writes", 7, 1),
    ("writes_merged", 8, 1),
    ("sector_writes", 9, 1),
    ("write_seconds", 10, 1000),
    ("io_current", 11, 1),
    ("io_time", 12, 1000),
    ("io_time_weighted", 13, 1000),
)
"""Name, column of the line, what it is divided by."""

FAMILIES = (
    *(make(name, help, ALPHA, value(key), "device") for make, name, help, key in BY_DEVICE if key in {field[0] for field in FIELDS}),
    counter("container_fs_sector_reads_total", "Sectors of 512 bytes read.", ALPHA, value("sector_reads"), "device"),
    counter("container_fs_sector_writes_total", "Sectors of 512 bytes written.", ALPHA, value("sector_writes"), "device"),
    counter(
        "container_fs_io_time_weighted_seconds_total",
        "Time spent reading and writing, times how much was under way, in seconds.",
        ALPHA,
        value("io_time_weighted"),
        "device",
    ),
)

ROOT: frozenset[Kind] = frozenset(("root",))

_unused = re.compile(r"(loop|ram|fd|sr|zram|nbd)\d+").fullmatch
"""Devices that are there whether something is behind them or not: left out while they have done nothing."""


def read(context: Context) -> Optional[bytes]:
    """The file. It may be longer than control files are."""
    try:
        with open(f"{context.node.roots.proc}/diskstats", "rb") as file:
            return file.read() or None
    except FileNotFoundError:
        return None


def parse(content: bytes, context: Context) -> Reading:
    """Rows of device and number. A line that was cut short, or is of another form, is passed over."""
    rows: dict[str, list[tuple[str, float]]] = {name: [] for name, _, _ in FIELDS}
    for line in content.decode("ascii", "replace").split("\n"):
        words = line.split()
        if len(words) < 14 or not all(word.isdigit() for word in (*words[:2], *words[3:14])):
            continue
        if _unused(words[2]) and not any(int(word) for word in words[3:14]):
            continue
        device = context.node.device(f"{words[0]}:{words[1]}")
        for name, column, unit in FIELDS:
            rows[name].append((device, int(words[column]) / unit if unit > 1 else int(words[column])))
    return dict(rows)


SOURCE = Source("diskstats", "diskIO", FAMILIES, read, parse, ROOT)
