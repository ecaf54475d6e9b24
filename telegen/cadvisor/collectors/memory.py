"""Memory in use, and what the kernel did to find more of it.

v1: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, v2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from telegen.cadvisor.cgroups.parsing import keyed, meminfo, number
from telegen.cadvisor.collector import Context, Raw, Reading, Source, control_files, value
from telegen.metrics.family import ALPHA, counter, gauge

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

V1_STAT = {
    "cache": b"total_cache",
    "rss": b"total_rss",
    "mapped_file": b"total_mapped_file",
    "swap": b"total_swap",
    "active_file": b"total_active_file",
    "inactive_file": b"total_inactive_file",
    "file_dirty": b"total_dirty",
    "file_writeback": b"total_writeback",
    "refault_file": b"workingset_refault_file",
    "refault_anon": b"workingset_refault_anon",
}
V2_STAT = {
    "cache": b"file",
    "rss": b"anon",
    "kernel": b"kernel",
    "mapped_file": b"file_mapped",
    "active_file": b"active_file",
    "inactive_file": b"inactive_file",
    "file_dirty": b"file_dirty",
    "file_writeback": b"file_writeback",
    "pgscan": b"pgscan",
    "pgsteal": b"pgsteal",
    "refault_file": b"workingset_refault_file",
    "refault_anon": b"workingset_refault_anon",
}

FAMILIES = (
    gauge("container_memory_usage_bytes", "Memory in use, page cache included.", ALPHA, value("usage")),
    gauge(
        "container_memory_working_set_bytes",
        "Memory in use without the page cache that can be given up at once.",
        ALPHA,
        value("working_set"),
    ),
    gauge("container_memory_max_usage_bytes", "Most memory that was ever in use.", ALPHA, value("max_usage")),
    gauge("container_memory_rss", "Anonymous memory, in bytes.", ALPHA, value("rss")),
    gauge("container_memory_cache", "Page cache, in bytes; files in memory (tmpfs) are part of it.", ALPHA, value("cache")),
    gauge("container_memory_mapped_file", "Page cache that is mapped by processes, in bytes.", ALPHA, value("mapped_file")),
    gauge("container_memory_swap", "Swap in use, in bytes.", ALPHA, value("swap")),
    gauge("container_memory_kernel_usage", "Memory that the kernel uses for the cgroup, in bytes.", ALPHA, value("kernel")),
    gauge(
        "container_memory_total_active_file_bytes",
        "Page cache that was used lately.",
        ALPHA,
        value("active_file"),
    ),
    gauge(
        "container_memory_total_inactive_file_bytes",
        "Page cache that was not used lately.",
        ALPHA,
        value("inactive_file"),
    ),
    gauge("container_memory_file_dirty_bytes", "Page cache still to be written.", ALPHA, value("file_dirty")),
    gauge("container_memory_file_writeback_bytes", "Page cache being written.", ALPHA, value("file_writeback")),
    counter("container_memory_failcnt", "Times that the memory limit was hit.", ALPHA, value("failcnt")),
    counter(
        "container_memory_failures_total",
        "Page faults; major ones had to wait for a disk.",
        ALPHA,
        value("failures"),
        "failure_type",
        "scope",
    ),
    counter(
        "container_memory_events_high_total",
        "Times that processes were slowed down since memory.high was exceeded.",
        ALPHA,
        value("events_high"),
    ),
    counter(
        "container_memory_events_max_total",
        "Times that memory was about to go over memory.max.",
        ALPHA,
        value("events_max"),
    ),
    counter("container_memory_pgscan_total", "Pages looked at in search of memory.", ALPHA, value("pgscan")),
    counter("container_memory_pgsteal_total", "Pages reclaimed.", ALPHA, value("pgsteal")),
    counter(
        "container_memory_workingset_refault_file_total",
        "Pages of files that were reclaimed and soon needed again.",
        ALPHA,
        value("refault_file"),
    ),
    counter(
        "container_memory_workingset_refault_anon_total",
        "Anonymous pages that were swapped out and soon needed again.",
        ALPHA,
        value("refault_anon"),
    ),
)

_read_files = control_files(V1, V2)


def read(context: Context) -> Raw:
    """The control files; behind them /proc/meminfo for the root of v2, whose swap nothing else tells."""
    raw = _read_files(context)
    if raw is None or context.cgroup.id != "/" or context.version("memory") != 2:
        return raw
    return (*raw, context.read_path(f"{context.node.roots.proc}/meminfo") or b"")


def parse(raw: Sequence[Optional[bytes]], context: Context) -> Reading:
    """Bytes and counts as the families name them; failures: rows of type, scope, count."""
    width = len(V1)
    if context.version("memory") == 1:
        return _parse_v1(raw[:width])
    return _parse_v2(raw[width : width + len(V2)], raw[-1] if len(raw) > width + len(V2) else None)


SOURCE = Source("memory", "memory", FAMILIES, read, parse)


def _parse_v1(raw: Sequence[Optional[bytes]]) -> Reading:
    content, *numbers = raw
    reading: Reading = {}
    for name, text in zip(("usage", "max_usage", "failcnt", "kernel"), numbers):
        if text is not None:
            reading[name] = number(text)
    if content is not None:
        reading |= _stat(keyed(content), V1_STAT)
    return _with_working_set(reading)


def _parse_v2(raw: Sequence[Optional[bytes]], host: Optional[bytes]) -> Reading:
    content, *numbers, events = raw
    reading: Reading = {}
    if content is not None:
        reading |= _stat(keyed(content), V2_STAT)
    for name, text in zip(("usage", "max_usage", "swap"), numbers):
        if text is not None:
            reading[name] = number(text)
    if events is not None:
        counts = keyed(events)
        found = (("events_high", b"high"), ("events_max", b"max"), ("failcnt", b"max"))
        reading |= {name: counts[key] for name, key in found if key in counts}
    if host is not None:
        reading |= _root(reading, meminfo(host))
    return _with_working_set(reading)


def _root(reading: Reading, host: dict[bytes, int]) -> Reading:
    """The v2 root has no memory.current: anon + file stand for it, which leaves out slab, page tables and kernel
    stacks."""
    more: Reading = {}
    if "rss" in reading and "cache" in reading:
        more["usage"] = reading["rss"] + reading["cache"]
    if b"SwapTotal" in host and b"SwapFree" in host:
        more["swap"] = host[b"SwapTotal"] - host[b"SwapFree"]
    return more


def _stat(stat: dict[bytes, int], names: dict[str, bytes]) -> Reading:
    """Numbers of memory.stat; the kernel's sums over CPUs may be negative for a moment, which means 0."""
    reading: Reading = {name: max(0, stat[key]) for name, key in names.items() if key in stat}
    faults = [(key.decode(), stat[key]) for key in (b"pgfault", b"pgmajfault") if key in stat]
    if faults:
        reading["failures"] = [(key, scope, count) for scope in ("container", "hierarchy") for key, count in faults]
    return reading


def _with_working_set(reading: Reading) -> Reading:
    usage, inactive = reading.get("usage"), reading.get("inactive_file")
    if usage is not None and inactive is not None:
        reading["working_set"] = max(0, usage - inactive)
    return reading
