"""The values of usage: one table each for containers, pods and the node.

A column takes a number out of a collector's reading. Its `between` computes the value from the numbers of two passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Optional, Union

from telegen.cadvisor.collectors.cpu import CpuReading
from telegen.cadvisor.collectors.disk_io import DeviceReading
from telegen.cadvisor.collectors.memory import MemoryReading
from telegen.cadvisor.collectors.network import NetworkReading
from telegen.cadvisor.collectors.oom import OomReading
from telegen.cadvisor.collectors.pressure import PressureReading

Number = Optional[float]
Raw = Union[None, float, tuple[float, float]]
"""A number of a reading, or a part and its whole; None if the kernel does not have it."""


class Column(NamedTuple):
    """One value.

    Attributes:
        name: in the document.
        collector: name of the collector whose readings have it.
        read: takes the number out of a reading.
        between: computes the value from the numbers at the begin and the end of the window, and its seconds.
        start: the number at the start of a container.
    """

    name: str
    collector: str
    read: Callable[[Any], Raw]
    between: Callable[[Any, Any, float], Number]
    start: Raw = 0


def latest(before: Number, now: Number, window: float) -> Number:
    """Value of a gauge: its last number."""
    return now


def rate(before: Number, now: Number, window: float) -> Number:
    """Increase per second; None for a counter that has decreased, as after a restart."""
    return None if before is None or now is None or now < before else (now - before) / window


def time_share(before: Number, now: Number, window: float) -> Number:
    """Share of the window, from a counter of seconds. The files are not read at one instant, so it is cut at 1."""
    value = rate(before, now, window)
    return None if value is None else min(1.0, value)


def part(before: Optional[tuple[float, float]], now: Optional[tuple[float, float]], window: float) -> Number:
    """Part of the increase of a whole; 0 if the whole has not increased."""
    if before is None or now is None or now[0] < before[0] or now[1] < before[1]:
        return None
    whole = now[1] - before[1]
    return min(1.0, (now[0] - before[0]) / whole) if whole else 0.0


def _total(rows: Optional[Iterable[tuple[str, float]]]) -> Number:
    return None if rows is None else sum(value for _, value in rows)


def _cpu(reading: CpuReading) -> Number:
    return _total(reading.times.usage)


def _node_cpu(reading: CpuReading) -> Number:
    # A node that runs has used CPU time: 0 is a kernel without the number.
    return _cpu(reading) or None


def _throttled(reading: CpuReading) -> Optional[tuple[float, float]]:
    periods, throttled = reading.throttling.periods, reading.throttling.throttled_periods
    return None if periods is None or throttled is None else (throttled, periods)


def _working_set(reading: MemoryReading) -> Number:
    return reading.working_set


def _swap(reading: MemoryReading) -> Number:
    return reading.swap


def _kills(reading: OomReading) -> Number:
    return reading.kills


_PRESSURE = (
    Column("cpu_pressure", "pressure", lambda reading: _stalled(reading, "cpu"), time_share),
    Column("memory_pressure", "pressure", lambda reading: _stalled(reading, "memory"), time_share),
    Column("io_pressure", "pressure", lambda reading: _stalled(reading, "io"), time_share),
)


def _stalled(reading: PressureReading, resource: str) -> Number:
    """Seconds in which at least one task waited."""
    some: Number = getattr(reading, resource).some
    return some


def _device(field: str) -> Callable[[DeviceReading], Number]:
    return lambda reading: _total(getattr(reading, field))


def _received(reading: NetworkReading) -> Number:
    return _total(reading.receive_bytes)


def _sent(reading: NetworkReading) -> Number:
    return _total(reading.transmit_bytes)


NETWORK = (
    Column("receive_bytes", "network", _received, rate),
    Column("transmit_bytes", "network", _sent, rate),
)
"""Sums over the interfaces of a network namespace."""

CONTAINER = (
    Column("cpu", "cpu", _cpu, rate),
    Column("memory", "memory", _working_set, latest),
    Column("swap", "memory", _swap, latest),
    Column("cpu_throttled_ratio", "cpu", _throttled, part, (0, 0)),
    Column("oom_kills", "oom", _kills, rate),
    Column("fs_read_bytes", "io", _device("reads_bytes"), rate),
    Column("fs_write_bytes", "io", _device("writes_bytes"), rate),
    Column("fs_reads", "io", _device("reads"), rate),
    Column("fs_writes", "io", _device("writes"), rate),
)
"""Values of a container: cores, bytes, ratios, numbers per second."""
POD = (*_PRESSURE, *NETWORK)
"""Values of a pod as a whole: shares of time, bytes per second."""
NODE = (
    Column("cpu", "cpu", _node_cpu, rate),
    Column("memory", "memory", _working_set, latest),
    Column("swap", "memory", _swap, latest),
    *_PRESSURE,
    *NETWORK,
)
"""Values of the node."""
REQUIRED = 2
"""The first columns of CONTAINER and NODE, CPU and memory, without which there is no usage."""
RESTARTS = "restarts"
"""Name of the last value of a container: its restarts, which the API has."""


def valid(raw: Raw) -> Raw:
    """Return a number as it is; None for one that is no number, infinite, or negative."""
    if isinstance(raw, tuple):
        return raw if all(valid(one) is not None for one in raw) else None
    return raw if raw is not None and math.isfinite(raw) and raw >= 0 else None
