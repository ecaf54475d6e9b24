"""CPU time and CFS throttling.

v1: https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html, v2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files, throttling:
https://docs.kernel.org/scheduler/sched-bwc.html#statistics.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import keyed, number
from telegen.cadvisor.collector import AnyCollector, Collector, Contents, Families, control_files
from telegen.config.model import Cadvisor

TICKS = 100
"""Unit of cpuacct.stat per second: USER_HZ, which is 100 on every architecture that Kubernetes supports."""

V1 = (("cpuacct", "cpuacct.usage"), ("cpuacct", "cpuacct.stat"), ("cpu", "cpu.stat"), ("cpu", "cpu.cfs_quota_us"))
V1_PER_CPU = ("cpuacct", "cpuacct.usage_percpu")
V2 = (("cpuacct", "cpu.stat"), ("cpu", "cpu.max"))


class Times(NamedTuple):
    """CPU time in seconds; `usage` has rows of (cpu, seconds)."""

    usage: Optional[list[tuple[str, float]]] = None
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
        times = _times_v1(usage, stat_v1, per_cpu[0] if per_cpu else None)
    else:
        times = _times_v2(keyed(stat_v2))
    if throttling_v1 is not None and quota is not None and int(quota) > 0:
        throttling = _throttling(keyed(throttling_v1), b"throttled_time", b"burst_time", 1e9)
    elif stat_v2 is not None and limit is not None and number(limit.split()[0]):
        throttling = _throttling(keyed(stat_v2), b"throttled_usec", b"burst_usec", 1e6)
    else:
        throttling = Throttling()
    return CpuReading(times, throttling)


def _times_v1(usage: Optional[bytes], stat: Optional[bytes], per_cpu: Optional[bytes]) -> Times:
    rows = None if usage is None else [("total", int(usage) / 1e9)]
    if per_cpu is not None:
        rows = [(f"cpu{cpu:02d}", int(used) / 1e9) for cpu, used in enumerate(per_cpu.split())]
    ticks = {} if stat is None else keyed(stat)
    return Times(rows, _seconds(ticks, b"user", TICKS), _seconds(ticks, b"system", TICKS))


def _times_v2(stat: dict[bytes, int]) -> Times:
    usage = _seconds(stat, b"usage_usec", 1e6)
    rows = None if usage is None else [("total", usage)]
    # The kernel computes both from a sampled ratio, which can be negative for a moment.
    user, system = _seconds(stat, b"user_usec", 1e6), _seconds(stat, b"system_usec", 1e6)
    return Times(rows, None if user is None or user < 0 else user, None if system is None or system < 0 else system)


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
