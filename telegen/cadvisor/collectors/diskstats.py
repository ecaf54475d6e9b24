"""Reads and writes of the node's disks and partitions, shown on the root (/proc/diskstats,
https://docs.kernel.org/admin-guide/iostats.html).

Times are milliseconds there and seconds here. cAdvisor takes them for nanoseconds, and shows only sd*, vd*, xvd* and dm-*.
"""

from __future__ import annotations

import re
from typing import Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import count
from telegen.cadvisor.cgroups.reading import read_file
from telegen.cadvisor.collector import ROOT, Collector
from telegen.cadvisor.collectors.disk_io import OPERATIONS, DeviceReading, family

FAMILIES = (
    *OPERATIONS,
    family.counter(
        "container_fs_sector_reads_total",
        "Sectors of 512 bytes read (/proc/diskstats).",
        lambda reading: reading.sector_reads,
        "device",
    ),
    family.counter(
        "container_fs_sector_writes_total",
        "Sectors of 512 bytes written (/proc/diskstats).",
        lambda reading: reading.sector_writes,
        "device",
    ),
    family.counter(
        "container_fs_io_time_weighted_seconds_total",
        "Time spent on I/O in seconds, multiplied by the number of requests in progress (/proc/diskstats).",
        lambda reading: reading.io_time_weighted,
        "device",
    ),
)

IN_PROGRESS = 8
FIRST, LAST = 3, 14
"""Columns with counters; newer kernels append discards and flushes."""

_virtual = re.compile(r"(loop|ram|fd|sr|zram|nbd)\d+").fullmatch
"""Devices that the kernel lists even if nothing is attached; shown only after the first I/O."""


def read(context: Context) -> Optional[bytes]:
    # Not kept open: only the root is read. The file comes in pieces.
    try:
        return read_file(f"{context.node.roots.proc}/diskstats") or None
    except FileNotFoundError:
        return None


def parse(content: bytes, context: Context) -> DeviceReading:
    """Parse the columns of each device. Lines that are truncated are skipped, and single numbers that are malformed or wrapped."""
    devices: list[tuple[str, list[Optional[int]]]] = []
    for line in content.decode("ascii", "replace").split("\n"):
        words = line.split()
        if len(words) < LAST or not (words[0].isdecimal() and words[1].isdecimal()):
            continue
        numbers = [count(word) for word in words[FIRST:LAST]]
        # Requests of a stacked device can be counted as finished before they are as started: -1 of 32 bits without a sign.
        in_progress = numbers[IN_PROGRESS]
        if in_progress is not None and in_progress >= 1 << 31:
            numbers[IN_PROGRESS] = None
        if any(numbers) or not _virtual(words[2]):
            devices.append((context.node.device(f"{words[0]}:{words[1]}"), numbers))

    def counts(column: int) -> list[tuple[str, float]]:
        return [(device, value) for device, numbers in devices if (value := numbers[column]) is not None]

    def seconds(column: int) -> list[tuple[str, float]]:
        return [(device, value / 1000) for device, value in counts(column)]

    return DeviceReading(
        reads=counts(0),
        reads_merged=counts(1),
        sector_reads=counts(2),
        read_seconds=seconds(3),
        writes=counts(4),
        writes_merged=counts(5),
        sector_writes=counts(6),
        write_seconds=seconds(7),
        io_current=counts(IN_PROGRESS),
        io_time=seconds(9),
        io_time_weighted=seconds(10),
    )


COLLECTOR = Collector("diskstats", "diskIO", FAMILIES, read, parse, ROOT)
