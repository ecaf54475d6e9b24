"""Reads and writes of block devices, as the kernel accounts them to cgroups.

v1 (https://docs.kernel.org/admin-guide/cgroup-v1/blkio-controller.html) has a set of files per scheduler and one of
the throttling layer, and only those that are at work count: the first set with a number other than 0 is believed. A
device without any number is left out, since a 0 there does not mean that nothing was read. v2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#io-interface-files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Optional

from telegen.cadvisor.collector import Context, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, FamilyGenerator, counter, gauge

Rows = dict[str, dict[str, int]]
"""Device (`8:0`) to operation to number."""

FIELDS = ("io_service_bytes", "io_serviced", "io_merged", "io_service_time", "io_queued")
SETS = ("blkio.bfq.{}_recursive", "blkio.{}_recursive", "blkio.throttle.{}_recursive", "blkio.throttle.{}")
"""In the order of belief: BFQ, CFQ (kernels before 5.0), throttling. The throttling layer has only the first two
fields."""

V1 = tuple(
    ("blkio", pattern.format(name)) for number, name in enumerate(FIELDS) for pattern in (SETS if number < 2 else SETS[:2])
)
PLACES = ((0, 4), (4, 8), (8, 10), (10, 12), (12, 14))
"""Where each field's files are among them."""

_device = re.compile(r"\d+:\d+").fullmatch

BY_DEVICE: tuple[tuple[Callable[..., FamilyGenerator], str, str, str], ...] = (
    (counter, "container_fs_reads_bytes_total", "Bytes read.", "reads_bytes"),
    (counter, "container_fs_reads_total", "Reads that have ended.", "reads"),
    (counter, "container_fs_reads_merged_total", "Reads that were merged with others.", "reads_merged"),
    (counter, "container_fs_read_seconds_total", "Time spent reading, in seconds.", "read_seconds"),
    (counter, "container_fs_writes_bytes_total", "Bytes written.", "writes_bytes"),
    (counter, "container_fs_writes_total", "Writes that have ended.", "writes"),
    (counter, "container_fs_writes_merged_total", "Writes that were merged with others.", "writes_merged"),
    (counter, "container_fs_write_seconds_total", "Time spent writing, in seconds.", "write_seconds"),
    (gauge, "container_fs_io_current", "Reads and writes under way.", "io_current"),
    (counter, "container_fs_io_time_seconds_total", "Time spent reading and writing, in seconds.", "io_time"),
    (counter, "container_fs_io_cost_usage_seconds_total", "Device time used by blk-iocost's model.", "cost_usage"),
    (counter, "container_fs_io_cost_wait_seconds_total", "Time waited for blk-iocost's leave.", "cost_wait"),
    (counter, "container_fs_io_cost_indebt_seconds_total", "Time in debt of blk-iocost.", "cost_indebt"),
    (counter, "container_fs_io_cost_indelay_seconds_total", "Time held back for debts of blk-iocost.", "cost_indelay"),
)

FAMILIES = (
    *(make(name, help, ALPHA, value(key), "device") for make, name, help, key in BY_DEVICE),
    counter(
        "container_blkio_device_usage_total",
        "Bytes read and written. v1 counts each byte under several operations.",
        ALPHA,
        value("usage"),
        "device",
        "major",
        "minor",
        "operation",
    ),
)

OF_DISKSTATS = ("reads", "writes", "reads_merged", "writes_merged", "read_seconds", "write_seconds", "io_current", "io_time")
"""Left out for the root: /proc/diskstats says the same of whole devices and partitions, under the same names."""


def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
    """Rows of device and number; usage: of device, major, minor, operation and number."""
    name, stat = context.node.device, raw[-1]
    reading = _parse_v1(raw, name) if stat is None else _parse_v2(stat, name)
    if context.cgroup.kind == "root":
        for key in OF_DISKSTATS:
            reading.pop(key, None)
    return reading


SOURCE = Source("io", "diskIO", FAMILIES, control_files(V1, (("blkio", "io.stat"),)), parse)


def _parse_v1(raw: Sequence[Optional[bytes]], name: Callable[[str], str]) -> Reading:
    size, count, merged, time, queued = [_first_counted(raw[first:end]) for first, end in PLACES]
    return {
        "usage": list(_usage(size, name)),
        "reads_bytes": _column(size, "Read", name),
        "writes_bytes": _column(size, "Write", name),
        "reads": _column(count, "Read", name),
        "writes": _column(count, "Write", name),
        "reads_merged": _column(merged, "Read", name),
        "writes_merged": _column(merged, "Write", name),
        "read_seconds": _column(time, "Read", name, 1e9),
        "write_seconds": _column(time, "Write", name, 1e9),
        "io_time": _column(time, "Total", name, 1e9),
        "io_current": _column(queued, "Total", name),
    }


def _first_counted(contents: Sequence[Optional[bytes]]) -> Rows:
    """The rows of the first file in which a device has a number other than 0, without devices that have none."""
    for content in contents:
        rows: Rows = {}
        for line in (content or b"").decode("ascii", "replace").split("\n"):
            words = line.split()
            if len(words) == 3 and _device(words[0]) and words[2].isdigit():
                rows.setdefault(words[0], {})[words[1]] = int(words[2])
        counted = {device: numbers for device, numbers in rows.items() if any(numbers.values())}
        if counted:
            return counted
    return {}


def _parse_v2(content: bytes, name: Callable[[str], str]) -> Reading:
    rows = {}
    for line in content.decode("ascii", "replace").split("\n"):
        device, *words = line.split() or [""]
        if _device(device):
            pairs = [word.split("=") for word in words]
            numbers = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
            if numbers:
                rows[device] = numbers
    size = {
        device: {operation: numbers[key] for operation, key in (("Read", "rbytes"), ("Write", "wbytes")) if key in numbers}
        for device, numbers in rows.items()
    }
    found = {"reads_bytes": "rbytes", "writes_bytes": "wbytes", "reads": "rios", "writes": "wios"}
    costs = {f"cost_{key}": f"cost.{key}" for key in ("usage", "wait", "indebt", "indelay")}
    return {
        "usage": list(_usage(size, name)),
        **{key: _column(rows, field, name) for key, field in found.items()},
        **{key: _column(rows, field, name, 1e6) for key, field in costs.items()},
    }


def _usage(rows: Rows, name: Callable[[str], str]) -> Iterator[tuple[str, str, str, str, int]]:
    for device, numbers in rows.items():
        major, _, minor = device.partition(":")
        for operation, number in numbers.items():
            yield name(device), major, minor, operation, number


def _column(rows: Rows, field: str, name: Callable[[str], str], unit: float = 1) -> list[tuple[str, float]]:
    """One number of each device that has it, by the device's name, divided by `unit`."""
    return [
        (name(device), numbers[field] if unit == 1 else numbers[field] / unit)
        for device, numbers in rows.items()
        if field in numbers
    ]
