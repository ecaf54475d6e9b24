"""Memory usage and reclaim.

v1: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, v2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import keyed, meminfo, number_if_read
from telegen.cadvisor.collector import Collector, Contents, Families, control_files

V1 = (
    ("memory", "memory.stat"),
    ("memory", "memory.usage_in_bytes"),
    ("memory", "memory.max_usage_in_bytes"),
    ("memory", "memory.failcnt"),
    ("memory", "memory.kmem.usage_in_bytes"),
)
V2 = (
    ("memory", "memory.stat"),
    ("memory", "memory.current"),
    ("memory", "memory.peak"),
    ("memory", "memory.swap.current"),
    ("memory", "memory.events"),
)


class MemoryReading(NamedTuple):
    """Bytes and counts; `failures` has rows of (type, scope, count)."""

    usage: Optional[int] = None
    working_set: Optional[int] = None
    max_usage: Optional[int] = None
    rss: Optional[int] = None
    cache: Optional[int] = None
    mapped_file: Optional[int] = None
    swap: Optional[int] = None
    kernel: Optional[int] = None
    active_file: Optional[int] = None
    inactive_file: Optional[int] = None
    file_dirty: Optional[int] = None
    file_writeback: Optional[int] = None
    failcnt: Optional[int] = None
    failures: Optional[list[tuple[str, str, int]]] = None
    events_high: Optional[int] = None
    events_max: Optional[int] = None
    pgscan: Optional[int] = None
    pgsteal: Optional[int] = None
    refault_file: Optional[int] = None
    refault_anon: Optional[int] = None


family = Families(MemoryReading)

FAMILIES = (
    family.gauge(
        "container_memory_usage_bytes",
        "Memory in use with page cache, in bytes (v2 memory.current, v1 memory.usage_in_bytes).",
        lambda reading: reading.usage,
    ),
    family.gauge(
        "container_memory_working_set_bytes",
        "Memory in use without inactive page cache, in bytes: usage minus inactive_file of memory.stat.",
        lambda reading: reading.working_set,
    ),
    family.gauge(
        "container_memory_max_usage_bytes",
        "Peak of memory in use, in bytes (v2 memory.peak, v1 memory.max_usage_in_bytes).",
        lambda reading: reading.max_usage,
    ),
    family.gauge(
        "container_memory_rss",
        "Anonymous memory in bytes (v2 anon, v1 total_rss of memory.stat).",
        lambda reading: reading.rss,
    ),
    family.gauge(
        "container_memory_cache",
        "Page cache in bytes, including tmpfs (v2 file, v1 total_cache of memory.stat).",
        lambda reading: reading.cache,
    ),
    family.gauge(
        "container_memory_mapped_file",
        "Page cache mapped by processes, in bytes (v2 file_mapped, v1 total_mapped_file of memory.stat).",
        lambda reading: reading.mapped_file,
    ),
    family.gauge(
        "container_memory_swap",
        "Swap in use, in bytes (v2 memory.swap.current, v1 total_swap of memory.stat).",
        lambda reading: reading.swap,
    ),
    family.gauge(
        "container_memory_kernel_usage",
        "Kernel memory charged to the cgroup, in bytes (v2 kernel of memory.stat, v1 memory.kmem.usage_in_bytes).",
        lambda reading: reading.kernel,
    ),
    family.gauge(
        "container_memory_total_active_file_bytes",
        "Page cache on the active LRU list, in bytes (v2 active_file, v1 total_active_file of memory.stat).",
        lambda reading: reading.active_file,
    ),
    family.gauge(
        "container_memory_total_inactive_file_bytes",
        "Page cache on the inactive LRU list, in bytes (v2 inactive_file, v1 total_inactive_file of memory.stat).",
        lambda reading: reading.inactive_file,
    ),
    family.gauge(
        "container_memory_file_dirty_bytes",
        "Page cache not yet written to disk, in bytes (v2 file_dirty, v1 total_dirty of memory.stat).",
        lambda reading: reading.file_dirty,
    ),
    family.gauge(
        "container_memory_file_writeback_bytes",
        "Page cache being written to disk, in bytes (v2 file_writeback, v1 total_writeback of memory.stat).",
        lambda reading: reading.file_writeback,
    ),
    family.counter(
        "container_memory_failcnt",
        "Allocations that hit the memory limit (v2 max of memory.events, v1 memory.failcnt).",
        lambda reading: reading.failcnt,
    ),
    family.counter(
        "container_memory_failures_total",
        "Page faults (pgfault) and those that read from disk (pgmajfault), from memory.stat.",
        lambda reading: reading.failures,
        "failure_type",
        "scope",
    ),
    family.counter(
        "container_memory_events_high_total",
        "Times that processes were throttled for exceeding memory.high (high of memory.events).",
        lambda reading: reading.events_high,
    ),
    family.counter(
        "container_memory_events_max_total",
        "Times that usage was about to exceed memory.max (max of memory.events).",
        lambda reading: reading.events_max,
    ),
    family.counter(
        "container_memory_pgscan_total", "Pages scanned by reclaim (pgscan of memory.stat).", lambda reading: reading.pgscan
    ),
    family.counter("container_memory_pgsteal_total", "Pages reclaimed (pgsteal of memory.stat).", lambda reading: reading.pgsteal),
    family.counter(
        "container_memory_workingset_refault_file_total",
        "Reclaimed file pages that were faulted in again (workingset_refault_file of memory.stat).",
        lambda reading: reading.refault_file,
    ),
    family.counter(
        "container_memory_workingset_refault_anon_total",
        "Swapped out anonymous pages that were faulted in again (workingset_refault_anon of memory.stat).",
        lambda reading: reading.refault_anon,
    ),
)

_read_files = control_files(V1, V2)


def read(context: Context) -> Optional[Contents]:
    """Read the control files; for the root of v2, /proc/meminfo as well, which alone has its swap."""
    raw = _read_files(context)
    if raw is None or context.cgroup.id != "/" or context.version("memory") != 2:
        return raw
    return (*raw, context.read_path(f"{context.node.roots.proc}/meminfo") or b"")


def parse(raw: Contents, context: Context) -> MemoryReading:
    width = len(V1)
    if context.version("memory") == 1:
        return _parse_v1(*raw[:width])
    return _parse_v2(*raw[width:])


COLLECTOR = Collector("memory", "memory", FAMILIES, read, parse)


def _parse_v1(
    content: Optional[bytes],
    current: Optional[bytes],
    peak: Optional[bytes],
    failcnt: Optional[bytes],
    kernel: Optional[bytes],
) -> MemoryReading:
    # The total_* keys include nested cgroups, as all of v2 does.
    stat, usage = _keyed_if_read(content), number_if_read(current)
    inactive_file = stat.get(b"total_inactive_file")
    return MemoryReading(
        usage=usage,
        working_set=_working_set(usage, inactive_file),
        max_usage=number_if_read(peak),
        rss=stat.get(b"total_rss"),
        cache=stat.get(b"total_cache"),
        mapped_file=stat.get(b"total_mapped_file"),
        swap=stat.get(b"total_swap"),
        kernel=number_if_read(kernel),
        active_file=stat.get(b"total_active_file"),
        inactive_file=inactive_file,
        file_dirty=stat.get(b"total_dirty"),
        file_writeback=stat.get(b"total_writeback"),
        failcnt=number_if_read(failcnt),
        failures=_failures(stat),
        refault_file=stat.get(b"workingset_refault_file"),
        refault_anon=stat.get(b"workingset_refault_anon"),
    )


def _parse_v2(
    content: Optional[bytes],
    current: Optional[bytes],
    peak: Optional[bytes],
    swap_current: Optional[bytes],
    events: Optional[bytes],
    host: Optional[bytes] = None,
) -> MemoryReading:
    stat, counts = _keyed_if_read(content), _keyed_if_read(events)
    rss, cache, inactive_file = stat.get(b"anon"), stat.get(b"file"), stat.get(b"inactive_file")
    usage, swap = number_if_read(current), number_if_read(swap_current)
    if host is not None:
        # The v2 root has no memory.current. anon + file is the closest sum; it lacks slab, page tables and kernel stacks.
        if usage is None and rss is not None and cache is not None:
            usage = rss + cache
        swap = _host_swap(meminfo(host), swap)
    return MemoryReading(
        usage=usage,
        working_set=_working_set(usage, inactive_file),
        max_usage=number_if_read(peak),
        rss=rss,
        cache=cache,
        mapped_file=stat.get(b"file_mapped"),
        swap=swap,
        kernel=stat.get(b"kernel"),
        active_file=stat.get(b"active_file"),
        inactive_file=inactive_file,
        file_dirty=stat.get(b"file_dirty"),
        file_writeback=stat.get(b"file_writeback"),
        failcnt=counts.get(b"max"),
        failures=_failures(stat),
        events_high=counts.get(b"high"),
        events_max=counts.get(b"max"),
        pgscan=stat.get(b"pgscan"),
        pgsteal=stat.get(b"pgsteal"),
        refault_file=stat.get(b"workingset_refault_file"),
        refault_anon=stat.get(b"workingset_refault_anon"),
    )


def _host_swap(host: dict[bytes, int], unknown: Optional[int]) -> Optional[int]:
    total, free = host.get(b"SwapTotal"), host.get(b"SwapFree")
    return unknown if total is None or free is None else total - free


def _keyed_if_read(content: Optional[bytes]) -> dict[bytes, int]:
    return {} if content is None else keyed(content)


def _failures(stat: dict[bytes, int]) -> Optional[list[tuple[str, str, int]]]:
    faults = [(key.decode(), stat[key]) for key in (b"pgfault", b"pgmajfault") if key in stat]
    return [(key, scope, count) for scope in ("container", "hierarchy") for key, count in faults] or None


def _working_set(usage: Optional[int], inactive_file: Optional[int]) -> Optional[int]:
    # The two files are read one after the other, so the difference can be negative.
    return None if usage is None or inactive_file is None else max(0, usage - inactive_file)
