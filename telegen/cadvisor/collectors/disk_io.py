"""Reads and writes of block devices per cgroup.

v1 (https://docs.kernel.org/admin-guide/cgroup-v1/blkio-controller.html) has one set of files per I/O scheduler and one of
the throttling layer; only active ones count. v2: https://docs.kernel.org/admin-guide/cgroup-v2.html#io-interface-files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import count
from telegen.cadvisor.collector import Collector, Contents, Families, control_files

Counters = dict[str, dict[str, int]]
"""Device (`8:0`) to operation to number."""

Rows = Optional[list[tuple[str, float]]]
"""Rows of a device's name and a number."""

FIELDS = ("io_service_bytes", "io_serviced", "io_merged", "io_service_time", "io_queued")
SETS = ("blkio.bfq.{}_recursive", "blkio.{}_recursive", "blkio.throttle.{}_recursive", "blkio.throttle.{}")
"""Sets of files by priority: BFQ, CFQ (before Linux 5.0), throttling. The throttling layer has only the first two fields."""

V1 = tuple(
    ("blkio", pattern.format(name)) for number, name in enumerate(FIELDS) for pattern in (SETS if number < 2 else SETS[:2])
)
V1_SLICES = (slice(0, 4), slice(4, 8), slice(8, 10), slice(10, 12), slice(12, 14))
"""Positions in V1 of the files of each field."""

_device = re.compile(r"\d+:\d+").fullmatch


class DeviceReading(NamedTuple):
    """Rows of (device, number) for each counter; `usage` has rows of (device, major, minor, operation, bytes).

    The last three fields are those of /proc/diskstats alone.
    """

    reads_bytes: Rows = None
    reads: Rows = None
    reads_merged: Rows = None
    read_seconds: Rows = None
    writes_bytes: Rows = None
    writes: Rows = None
    writes_merged: Rows = None
    write_seconds: Rows = None
    io_current: Rows = None
    io_time: Rows = None
    cost_usage: Rows = None
    cost_wait: Rows = None
    cost_indebt: Rows = None
    cost_indelay: Rows = None
    usage: Optional[list[tuple[str, str, str, str, int]]] = None
    sector_reads: Rows = None
    sector_writes: Rows = None
    io_time_weighted: Rows = None


family = Families(DeviceReading)

OPERATIONS = (
    family.counter(
        "container_fs_reads_total",
        "Completed reads (v2 rios of io.stat, v1 io_serviced, root /proc/diskstats).",
        lambda reading: reading.reads,
        "device",
    ),
    family.counter(
        "container_fs_reads_merged_total",
        "Reads merged into other requests (v1 io_merged, root /proc/diskstats).",
        lambda reading: reading.reads_merged,
        "device",
    ),
    family.counter(
        "container_fs_read_seconds_total",
        "Time of all reads in seconds (v1 io_service_time, root /proc/diskstats).",
        lambda reading: reading.read_seconds,
        "device",
    ),
    family.counter(
        "container_fs_writes_total",
        "Completed writes (v2 wios of io.stat, v1 io_serviced, root /proc/diskstats).",
        lambda reading: reading.writes,
        "device",
    ),
    family.counter(
        "container_fs_writes_merged_total",
        "Writes merged into other requests (v1 io_merged, root /proc/diskstats).",
        lambda reading: reading.writes_merged,
        "device",
    ),
    family.counter(
        "container_fs_write_seconds_total",
        "Time of all writes in seconds (v1 io_service_time, root /proc/diskstats).",
        lambda reading: reading.write_seconds,
        "device",
    ),
    family.gauge(
        "container_fs_io_current",
        "Reads and writes in progress (v1 io_queued, root /proc/diskstats).",
        lambda reading: reading.io_current,
        "device",
    ),
    family.counter(
        "container_fs_io_time_seconds_total",
        "Time spent on I/O in seconds (v1 io_service_time, root /proc/diskstats).",
        lambda reading: reading.io_time,
        "device",
    ),
)
"""Families that the root takes from /proc/diskstats (see `diskstats`)."""

FAMILIES = (
    family.counter(
        "container_fs_reads_bytes_total",
        "Bytes read (v2 rbytes of io.stat, v1 io_service_bytes).",
        lambda reading: reading.reads_bytes,
        "device",
    ),
    family.counter(
        "container_fs_writes_bytes_total",
        "Bytes written (v2 wbytes of io.stat, v1 io_service_bytes).",
        lambda reading: reading.writes_bytes,
        "device",
    ),
    *OPERATIONS,
    family.counter(
        "container_fs_io_cost_usage_seconds_total",
        "Device time that blk-iocost has charged, in seconds (cost.usage of io.stat).",
        lambda reading: reading.cost_usage,
        "device",
    ),
    family.counter(
        "container_fs_io_cost_wait_seconds_total",
        "Time that I/O waited for blk-iocost, in seconds (cost.wait of io.stat).",
        lambda reading: reading.cost_wait,
        "device",
    ),
    family.counter(
        "container_fs_io_cost_indebt_seconds_total",
        "Time in debt to blk-iocost, in seconds (cost.indebt of io.stat).",
        lambda reading: reading.cost_indebt,
        "device",
    ),
    family.counter(
        "container_fs_io_cost_indelay_seconds_total",
        "Time that blk-iocost delayed tasks for their debt, in seconds (cost.indelay of io.stat).",
        lambda reading: reading.cost_indelay,
        "device",
    ),
    family.counter(
        "container_blkio_device_usage_total",
        "Bytes per operation (v2 io.stat, v1 io_service_bytes). v1 counts each byte in several operations.",
        lambda reading: reading.usage,
        "device",
        "major",
        "minor",
        "operation",
    ),
)


def parse(raw: Contents, context: Context) -> DeviceReading:
    """Parse the v1 files or io.stat of v2."""
    stat = raw[-1]
    reading = _parse_v1(raw, context.node.device) if stat is None else _parse_v2(stat, context.node.device)
    if context.cgroup.kind == "root":
        # /proc/diskstats reports these under the same names, for partitions as well: the series would collide.
        return reading._replace(
            reads=None,
            reads_merged=None,
            read_seconds=None,
            writes=None,
            writes_merged=None,
            write_seconds=None,
            io_current=None,
            io_time=None,
        )
    return reading


COLLECTOR = Collector("io", "diskIO", FAMILIES, control_files(V1, (("blkio", "io.stat"),)), parse)


def _parse_v1(raw: Contents, name: Callable[[str], str]) -> DeviceReading:
    size, operations, merged, time, queued = [_first_active(raw[files]) for files in V1_SLICES]
    return DeviceReading(
        usage=list(_usage(size, name)),
        reads_bytes=_rows(size, "Read", name),
        writes_bytes=_rows(size, "Write", name),
        reads=_rows(operations, "Read", name),
        writes=_rows(operations, "Write", name),
        reads_merged=_rows(merged, "Read", name),
        writes_merged=_rows(merged, "Write", name),
        read_seconds=_rows(time, "Read", name, 1e9),
        write_seconds=_rows(time, "Write", name, 1e9),
        io_time=_rows(time, "Total", name, 1e9),
        io_current=_rows(queued, "Total", name),
    )


def _first_active(contents: Sequence[Optional[bytes]]) -> Counters:
    """Counters of the first file in which any device has a number other than 0.

    Files of an inactive scheduler contain zeros, so a 0 does not mean "no I/O": devices with zeros only are left out.
    """
    for content in contents:
        devices: Counters = {}
        for line in (content or b"").decode("ascii", "replace").split("\n"):
            words = line.split()
            value = count(words[2]) if len(words) == 3 and _device(words[0]) else None
            if value is not None:
                devices.setdefault(words[0], {})[words[1]] = value
        active = {device: numbers for device, numbers in devices.items() if any(numbers.values())}
        if active:
            return active
    return {}


def _parse_v2(content: bytes, name: Callable[[str], str]) -> DeviceReading:
    devices = _io_stat(content)
    # Discards (dbytes) are left out, as in cAdvisor.
    size = {
        device: {operation: numbers[key] for operation, key in (("Read", "rbytes"), ("Write", "wbytes")) if key in numbers}
        for device, numbers in devices.items()
    }
    return DeviceReading(
        usage=list(_usage(size, name)),
        reads_bytes=_rows(devices, "rbytes", name),
        writes_bytes=_rows(devices, "wbytes", name),
        reads=_rows(devices, "rios", name),
        writes=_rows(devices, "wios", name),
        cost_usage=_rows(devices, "cost.usage", name, 1e6),
        cost_wait=_rows(devices, "cost.wait", name, 1e6),
        cost_indebt=_rows(devices, "cost.indebt", name, 1e6),
        cost_indelay=_rows(devices, "cost.indelay", name, 1e6),
    )


def _io_stat(content: bytes) -> Counters:
    """Parse lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.

    Linux 5.10 to 5.14 can print devices without numbers, and no newline behind them: `7:7 7:6 8:0 rbytes=1` are the numbers of 8:0.
    A device that is gone is `(unknown)`.
    """
    devices: Counters = {}
    for line in content.decode("ascii", "replace").split("\n"):
        device = ""
        for word in line.split():
            field, separator, number = word.partition("=")
            if not separator:
                device = word
                continue
            value = count(number)
            if value is not None and _device(device):
                devices.setdefault(device, {})[field] = value
    return devices


def _usage(devices: Counters, name: Callable[[str], str]) -> Iterator[tuple[str, str, str, str, int]]:
    for device, numbers in devices.items():
        major, _, minor = device.partition(":")
        for operation, number in numbers.items():
            yield name(device), major, minor, operation, number


def _rows(devices: Counters, field: str, name: Callable[[str], str], unit: float = 1) -> list[tuple[str, float]]:
    """Rows of each device that has the field; numbers are divided by `unit`."""
    return [
        (name(device), numbers[field] if unit == 1 else numbers[field] / unit)
        for device, numbers in devices.items()
        if field in numbers
    ]
