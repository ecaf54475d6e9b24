"""Limits and weights of a cgroup, in cAdvisor's terms."""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import meminfo, number
from telegen.cadvisor.collector import Collector, Contents, Families, control_files, every_nth_pass

UNLIMITED = 1 << 62
"""v1 reports "no limit" as a number above this; v2 as `max`."""

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


class Cpu(NamedTuple):
    """Quota and period in microseconds, and the weight in shares."""

    period: Optional[int] = None
    quota: Optional[int] = None
    shares: Optional[int] = None


class Memory(NamedTuple):
    """Limits in bytes, 0 for no limit."""

    limit: Optional[int] = None
    swap: Optional[int] = None
    reservation: Optional[int] = None


class SpecReading(NamedTuple):
    """Limits of the cgroup."""

    cpu: Cpu
    memory: Memory


class SpecFiles(NamedTuple):
    """Control files, and for the root the node's memory and swap in bytes."""

    contents: Contents
    host_memory: Optional[int] = None
    host_swap: Optional[int] = None


family = Families(SpecReading)

FAMILIES = (
    family.gauge(
        "container_spec_cpu_period",
        "Period of the CPU quota in microseconds (v2 cpu.max, v1 cpu.cfs_period_us).",
        lambda reading: reading.cpu.period,
    ),
    family.gauge(
        "container_spec_cpu_quota",
        "CPU quota per period in microseconds (v2 cpu.max, v1 cpu.cfs_quota_us). Absent without a quota.",
        lambda reading: reading.cpu.quota,
    ),
    family.gauge(
        "container_spec_cpu_shares",
        "CPU weight in shares (v1 cpu.shares, v2 computed from cpu.weight).",
        lambda reading: reading.cpu.shares,
    ),
    family.gauge(
        "container_spec_memory_limit_bytes",
        "Memory limit in bytes, 0 without a limit (v2 memory.max, v1 memory.limit_in_bytes).",
        lambda reading: reading.memory.limit,
    ),
    family.gauge(
        "container_spec_memory_swap_limit_bytes",
        "Swap limit in bytes, 0 without a limit (v2 memory.swap.max, v1 memory.memsw.limit_in_bytes, which includes memory).",
        lambda reading: reading.memory.swap,
    ),
    family.gauge(
        "container_spec_memory_reservation_limit_bytes",
        "Memory protected from reclaim, in bytes, 0 for none (v2 memory.min, v1 memory.soft_limit_in_bytes).",
        lambda reading: reading.memory.reservation,
    ),
)

_read_files = control_files(V1, V2, keep_open=False)


def read(context: Context) -> Optional[SpecFiles]:
    """Read the control files. The root has no limits of its own: its memory and swap are the node's."""
    contents = _read_files(context)
    if context.cgroup.kind != "root":
        return None if contents is None else SpecFiles(contents)
    host = meminfo(context.read_path(f"{context.node.roots.proc}/meminfo") or b"")
    return SpecFiles(contents or (None,) * len(V1 + V2), host.get(b"MemTotal"), host.get(b"SwapTotal"))


def parse(raw: SpecFiles, context: Context) -> SpecReading:
    """Parse v1 or v2 files; on a hybrid host `cpu` and `memory` may be of different versions."""
    period, quota, shares, limit, swap, reservation, cpu_max, weight, limit_v2, swap_v2, reservation_v2 = raw.contents
    cpu = _cpu_v1(period, quota, shares) if cpu_max is None and weight is None else _cpu_v2(cpu_max, weight)
    memory = Memory(_bytes(limit, limit_v2), _bytes(swap, swap_v2), _bytes(reservation, reservation_v2))
    if raw.host_memory is not None:
        memory = memory._replace(limit=raw.host_memory)
    if raw.host_swap is not None:
        memory = memory._replace(swap=raw.host_swap)
    return SpecReading(cpu, memory)


COLLECTOR = Collector("spec", "", FAMILIES, every_nth_pass(read), parse)


def _cpu_v1(period: Optional[bytes], quota: Optional[bytes], shares: Optional[bytes]) -> Cpu:
    return Cpu(
        None if period is None else int(period),
        # -1 is "no quota".
        int(quota) if quota is not None and int(quota) > 0 else None,
        None if shares is None else int(shares),
    )


def _cpu_v2(limit: Optional[bytes], weight: Optional[bytes]) -> Cpu:
    shares = None if weight is None else _shares(int(weight))
    if limit is None:
        return Cpu(shares=shares)
    quota, period = limit.split()
    return Cpu(int(period), number(quota) or None, shares)


def _shares(weight: int) -> Optional[int]:
    # Inverse of the linear mapping of shares 2..262144 to weights 1..10000 that runtimes used until runc 1.3.2. Newer ones
    # map along a curve; the cgroup does not reveal which one was used, and cAdvisor always inverts the linear mapping.
    return 2 + (weight - 1) * 262142 // 9999 if weight else None


def _bytes(v1: Optional[bytes], v2: Optional[bytes]) -> Optional[int]:
    content = v1 if v2 is None else v2
    if content is None:
        return None
    size = number(content) or 0
    return 0 if size > UNLIMITED else size
