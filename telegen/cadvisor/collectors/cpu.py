"""CPU time and CFS throttling.

v1: https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html, v2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files, throttling:
https://docs.kernel.org/scheduler/sched-bwc.html#statistics.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import keyed, known, number, number_if_read, ranges
from telegen.cadvisor.collector import AnyCollector, Collector, Contents, Families, control_files
from telegen.config.model import Cadvisor

TICKS = 100
"""Unit of cpuacct.stat per second: USER_HZ, which is 100 on every architecture that Kubernetes supports."""

V1 = (("cpuacct", "cpuacct.usage"), ("cpuacct", "cpuacct.stat"), ("cpu", "cpu.stat"), ("cpu", "cpu.cfs_quota_us"))
V1_PER_CPU = ("cpuacct", "cpuacct.usage_percpu")
V2 = (("cpuacct", "cpu.stat"), ("cpu", "cpu.max"))


Rows = Optional[list[tuple[str, float]]]
"""Rows of (cpu, seconds)."""


class Times(NamedTuple):
    """CPU time in seconds."""

    usage: Rows = None
    user: Optional[float] = None
    system: Optional[float] = None


class Throttling(NamedTuple):
    """Counters of the CPU quota; times are in seconds."""

    periods: Optional[int] = None
    throttled_periods: Optional[int] = None
    throttled: Optional[float] = None
    burst_periods: Optional[int] = None
    burst: Optional[float] = None


class CpuReading(NamedTuple):
    """Contents of the CPU control files."""

    times: Times
    throttling: Throttling


family = Families(CpuReading)

FAMILIES = (
    family.counter(
        "container_cpu_usage_seconds_total",
        "CPU time in seconds (v2 usage_usec of cpu.stat, v1 cpuacct.usage or cpuacct.usage_percpu).",
        lambda reading: reading.times.usage,
        "cpu",
    ),
    family.counter(
        "container_cpu_user_seconds_total",
        "CPU time in user mode in seconds (v2 user_usec of cpu.stat, v1 cpuacct.stat).",
        lambda reading: reading.times.user,
    ),
    family.counter(
        "container_cpu_system_seconds_total",
        "CPU time in kernel mode in seconds (v2 system_usec of cpu.stat, v1 cpuacct.stat).",
        lambda reading: reading.times.system,
    ),
    family.counter(
        "container_cpu_cfs_periods_total",
        "Elapsed enforcement periods of the CPU quota (nr_periods of cpu.stat). Absent without a quota.",
        lambda reading: reading.throttling.periods,
    ),
    family.counter(
        "container_cpu_cfs_throttled_periods_total",
        "Enforcement periods in which the CPU quota was exhausted (nr_throttled of cpu.stat).",
        lambda reading: reading.throttling.throttled_periods,
    ),
    family.counter(
        "container_cpu_cfs_throttled_seconds_total",
        "Throttled time in seconds, summed over CPUs (v2 throttled_usec, v1 throttled_time of cpu.stat).",
        lambda reading: reading.throttling.throttled,
    ),
    family.counter(
        "container_cpu_cfs_burst_periods_total",
        "Enforcement periods with CPU time beyond the quota, taken from unused earlier quota (nr_bursts of cpu.stat).",
        lambda reading: reading.throttling.burst_periods,
    ),
    family.counter(
        "container_cpu_cfs_burst_seconds_total",
        "CPU time beyond the quota in seconds, taken from unused earlier quota (v2 burst_usec, v1 burst_time of cpu.stat).",
        lambda reading: reading.throttling.burst,
    ),
)


def make(settings: Cadvisor, groups: frozenset[str]) -> AnyCollector:
    """Return the collector. The group `percpu` replaces the total by one row per CPU, which only v1 reports."""
    per_cpu = "percpu" in groups
    return Collector("cpu", "cpu", FAMILIES, control_files((*V1, V1_PER_CPU) if per_cpu else V1, V2), parse)


def parse(raw: Contents, context: Context) -> CpuReading:
    """Parse v1 or v2 files; on a hybrid host `cpuacct` and `cpu` may be of different versions."""
    usage, stat_v1, throttling_v1, quota, *per_cpu, stat_v2, limit = raw
    if stat_v2 is None:
        rows = _per_cpu(per_cpu[0], _online(context)) if per_cpu and per_cpu[0] is not None else _total(number_if_read(usage), 1e9)
        times = _times_v1(rows, {} if stat_v1 is None else keyed(stat_v1))
    else:
        times = _times_v2(keyed(stat_v2))
    if throttling_v1 is not None and quota is not None and int(quota) > 0:
        throttling = _throttling(keyed(throttling_v1), b"throttled_time", b"burst_time", 1e9)
    elif stat_v2 is not None and limit is not None and number(limit.split()[0]):
        throttling = _throttling(keyed(stat_v2), b"throttled_usec", b"burst_usec", 1e6)
    else:
        throttling = Throttling()
    return CpuReading(times, throttling)


def _total(usage: Optional[int], unit: float) -> Rows:
    return None if usage is None else [("total", usage / unit)]


def _per_cpu(content: bytes, online: frozenset[int]) -> Rows:
    """Rows of each CPU. The file lists every possible CPU (Linux 4.7 and later); one that is offline and never ran is left out."""
    times = [(cpu, known(int(used))) for cpu, used in enumerate(content.split())]
    return [(f"cpu{cpu:02d}", used / 1e9) for cpu, used in times if used or (used == 0 and (cpu in online or not online))]


def _online(context: Context) -> frozenset[int]:
    """Online CPUs; empty if unknown."""
    content = context.read_path(f"{context.node.roots.sys}/devices/system/cpu/online") or b""
    return frozenset(ranges(content.decode("ascii", "replace")))


def _times_v1(rows: Rows, ticks: dict[bytes, int]) -> Times:
    return Times(rows, _seconds(ticks, b"user", TICKS), _seconds(ticks, b"system", TICKS))


def _times_v2(stat: dict[bytes, int]) -> Times:
    return Times(_total(stat.get(b"usage_usec"), 1e6), _seconds(stat, b"user_usec", 1e6), _seconds(stat, b"system_usec", 1e6))


def _throttling(stat: dict[bytes, int], throttled: bytes, burst: bytes, unit: float) -> Throttling:
    # Bursts exist since Linux 5.14 (v2) and 5.15 (v1).
    return Throttling(
        stat.get(b"nr_periods"),
        stat.get(b"nr_throttled"),
        _seconds(stat, throttled, unit),
        stat.get(b"nr_bursts"),
        _seconds(stat, burst, unit),
    )


def _seconds(values: dict[bytes, int], key: bytes, unit: float) -> Optional[float]:
    return values[key] / unit if key in values else None
