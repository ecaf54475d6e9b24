"""What a cgroup may use: limits and weights as they are set, in cAdvisor's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from telegen.cadvisor.cgroups.parsing import meminfo, number
from telegen.cadvisor.collector import Context, Raw, Reading, Source, control_files, seldom, value
from telegen.metrics.family import ALPHA, gauge

UNLIMITED = 1 << 62
"""v1 says some number above this where v2 says `max`."""

V1 = (
    ("cpu", "cpu.cfs_period_us"),
    ("cpu", "cpu.cfs_quota_us"),
    ("cpu", "cpu.shares"),
    ("memory", "memory.limit_in_bytes"),
    ("memory", "memory.memsw.limit_in_bytes"),
    ("memory", "memory.soft_limit_in_bytes"),
)
V2 = (
    ("cpu", "cpu.max"),
    ("cpu", "cpu.weight"),
    ("memory", "memory.max"),
    ("memory", "memory.swap.max"),
    ("memory", "memory.min"),
)
LIMITS = ("memory", "swap", "reservation")

FAMILIES = (
    gauge("container_spec_cpu_period", "Length of a period of the CPU quota, in microseconds.", ALPHA, value("period")),
    gauge("container_spec_cpu_quota", "CPU time allowed per period, in microseconds, where it is limited.", ALPHA, value("quota")),
    gauge("container_spec_cpu_shares", "Weight among its siblings when CPUs are scarce, in shares.", ALPHA, value("shares")),
    gauge("container_spec_memory_limit_bytes", "Most memory that may be in use; 0: no limit.", ALPHA, value("memory")),
    gauge(
        "container_spec_memory_swap_limit_bytes",
        "Most swap that may be in use, on v1 memory and swap together; 0: no limit.",
        ALPHA,
        value("swap"),
    ),
    gauge(
        "container_spec_memory_reservation_limit_bytes",
        "Memory that is reclaimed last; 0: none.",
        ALPHA,
        value("reservation"),
    ),
)

_read_files = control_files(V1, V2, keep=False)


def read(context: Context) -> Raw:
    """The control files; for the root the node's memory and swap behind them."""
    raw = _read_files(context)
    if context.cgroup.kind != "root":
        return raw
    host = meminfo(context.read_path(f"{context.node.roots.proc}/meminfo") or b"")
    return (*(raw or [None] * len(V1 + V2)), host.get(b"MemTotal"), host.get(b"SwapTotal"))


def parse(raw: Sequence[Any], context: Context) -> Reading:
    """period, quota: microseconds; shares; memory, swap, reservation: bytes, 0 for no limit."""
    one, two = raw[: len(V1)], raw[len(V1) : len(V1) + len(V2)]
    reading = {**_cpu_v1(*one[:3]), **_cpu_v2(*two[:2]), **_limits(one[3:]), **_limits(two[2:])}
    if context.cgroup.kind == "root":
        host = dict(zip(("memory", "swap"), raw[-2:]))
        reading |= {key: size for key, size in host.items() if size is not None}
    return reading


SOURCE = Source("spec", "", FAMILIES, seldom("spec", read), parse)


def _cpu_v1(period: Optional[bytes], quota: Optional[bytes], shares: Optional[bytes]) -> Reading:
    reading: Reading = {}
    if period is not None:
        reading["period"] = int(period)
    if quota is not None and int(quota) > 0:
        reading["quota"] = int(quota)
    if shares is not None:
        reading["shares"] = int(shares)
    return reading


def _cpu_v2(limit: Optional[bytes], weight: Optional[bytes]) -> Reading:
    reading: Reading = {}
    if limit is not None:
        quota, period = limit.split()
        reading["period"] = int(period)
        if number(quota):
            reading["quota"] = int(quota)
    if weight is not None and int(weight):
        # The inverse of the line along which shares 2 to 262144 became weights 1 to 10000. Newer runtimes (runc 1.3.2)
        # set weights along a curve; nothing tells which one did, and cAdvisor takes the line always.
        reading["shares"] = 2 + (int(weight) - 1) * 262142 // 9999
    return reading


def _limits(contents: Sequence[Optional[bytes]]) -> Reading:
    sizes = {key: number(content) or 0 for key, content in zip(LIMITS, contents) if content is not None}
    return {key: 0 if size > UNLIMITED else size for key, size in sizes.items()}
