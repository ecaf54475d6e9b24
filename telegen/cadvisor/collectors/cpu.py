"""CPU time and throttling.

v1: https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html, v2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from telegen.cadvisor.cgroups.parsing import keyed, number
from telegen.cadvisor.collector import Context, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, counter

TICKS = 100
"""cpuacct.stat counts in USER_HZ, which is 100 on every architecture that Kubernetes runs on."""

V1 = (("cpuacct", "cpuacct.usage"), ("cpuacct", "cpuacct.stat"), ("cpu", "cpu.stat"), ("cpu", "cpu.cfs_quota_us"))
V1_PER_CPU = (*V1, ("cpuacct", "cpuacct.usage_percpu"))
V2 = (("cpuacct", "cpu.stat"), ("cpu", "cpu.max"))

FAMILIES = (
    counter("container_cpu_usage_seconds_total", "CPU time used, in seconds.", ALPHA, value("usage"), "cpu"),
    counter("container_cpu_user_seconds_total", "CPU time used in user mode, in seconds.", ALPHA, value("user")),
    counter("container_cpu_system_seconds_total", "CPU time used in the kernel, in seconds.", ALPHA, value("system")),
    counter(
        "container_cpu_cfs_periods_total",
        "Periods of enforcement that have passed, where a CPU quota is set.",
        ALPHA,
        value("periods"),
    ),
    counter(
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which the quota was used up.",
        ALPHA,
        value("throttled_periods"),
    ),
    counter(
        "container_cpu_cfs_throttled_seconds_total",
        "Time for which threads had to wait for the next period, in seconds, summed over CPUs.",
        ALPHA,
        value("throttled"),
    ),
    counter(
        "container_cpu_cfs_burst_periods_total",
        "Periods in which more than the quota was used, out of what earlier ones had left.",
        ALPHA,
        value("burst_periods"),
    ),
    counter(
        "container_cpu_cfs_burst_seconds_total",
        "CPU time used beyond the quota of a period, in seconds.",
        ALPHA,
        value("burst"),
    ),
)


def make(per_cpu: bool) -> Source:
    """The source; `per_cpu` shows each CPU instead of their sum, which only v1 can tell."""
    v1 = V1_PER_CPU if per_cpu else V1
    width = len(v1)

    def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
        """usage: rows of CPU and seconds; user, system, throttled, burst: seconds; the periods: counts."""
        return {**_parse_v1(raw[:width]), **_parse_v2(raw[width:])}

    return Source("cpu", "cpu", FAMILIES, control_files(v1, V2), parse)


def _parse_v1(raw: Sequence[Optional[bytes]]) -> Reading:
    usage, stat, throttling, quota, *per_cpu = raw
    reading: Reading = {}
    if usage is not None:
        reading["usage"] = [("total", int(usage) / 1e9)]
    if per_cpu and per_cpu[0] is not None:
        reading["usage"] = [(f"cpu{cpu:02d}", int(used) / 1e9) for cpu, used in enumerate(per_cpu[0].split())]
    if stat is not None:
        times = keyed(stat)
        reading |= {mode: times[key] / TICKS for mode, key in (("user", b"user"), ("system", b"system")) if key in times}
    if throttling is not None and quota is not None and int(quota) > 0:
        reading |= _throttling(keyed(throttling), b"throttled_time", b"burst_time", 1e9)
    return reading


def _parse_v2(raw: Sequence[Optional[bytes]]) -> Reading:
    stat, limit = raw
    if stat is None:
        return {}
    values = keyed(stat)
    reading: Reading = {}
    if b"usage_usec" in values:
        reading["usage"] = [("total", values[b"usage_usec"] / 1e6)]
    for name, key in (("user", b"user_usec"), ("system", b"system_usec")):
        if values.get(key, -1) >= 0:
            reading[name] = values[key] / 1e6
    if limit is not None and number(limit.split()[0]):
        reading |= _throttling(values, b"throttled_usec", b"burst_usec", 1e6)
    return reading


def _throttling(values: dict[bytes, int], throttled: bytes, burst: bytes, unit: float) -> Reading:
    """What cpu.stat says where a quota is set. Kernels before 5.14 (v2) and 5.15 (v1) know no bursts."""
    reading: Reading = {}
    for name, key in (("periods", b"nr_periods"), ("throttled_periods", b"nr_throttled"), ("burst_periods", b"nr_bursts")):
        if key in values:
            reading[name] = values[key]
    for name, key in (("throttled", throttled), ("burst", burst)):
        if key in values:
            reading[name] = values[key] / unit
    return reading
