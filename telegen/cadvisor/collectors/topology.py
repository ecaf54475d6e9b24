"""How the machine's CPUs, caches and memory lie: cAdvisor's group `cpu_topology`, off by default.

https://docs.kernel.org/admin-guide/cputopology.html, and ABI/stable/sysfs-devices-node.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from glob import glob
from typing import Any

from telegen.cadvisor.collector import Node, Reading, Source
from telegen.cadvisor.collectors.machine import ROOT, every, identity, kilobytes, numbers, of_machine, parse, text

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "": 1}

FAMILIES = (
    of_machine(
        "machine_cpu_cache_capacity_bytes",
        "Size of a cache; core_id is empty for one that all CPUs of a node share.",
        "caches",
        "node_id",
        "core_id",
        "type",
        "level",
    ),
    of_machine("machine_thread_siblings_count", "Threads of the core that runs this one.", "siblings", "node_id", "core_id", "thread_id"),
    of_machine("machine_node_memory_capacity_bytes", "Memory of a NUMA node.", "memory", "node_id"),
    of_machine("machine_node_hugepages_count", "Huge pages of a NUMA node, by size in kB.", "huge_pages", "node_id", "page_size"),
    of_machine(
        "machine_node_distance",
        "How far a NUMA node is from another; 10 is the node itself.",
        "distances",
        "node_id",
        "target_node_id",
    ),
)


def make(interval: float) -> Source:
    """The source; looked for again every `interval` seconds."""
    return Source("topology", "cpu_topology", FAMILIES, every(interval, look), parse, ROOT, labelled=False)


def look(node: Node) -> Reading:
    """Rows of each family."""
    sys = f"{node.roots.sys}/devices/system"
    nodes = dict(_nodes(sys))
    reading: Reading = {
        "machine": identity(node),
        "siblings": [row for id, cpus in nodes.items() for row in _siblings(sys, id, cpus)],
        "caches": sorted({row for id, cpus in nodes.items() for row in _caches(sys, id, cpus)}),
    }
    rows: dict[str, list[tuple[Any, ...]]] = {"memory": [], "huge_pages": [], "distances": []}
    for id in nodes:
        folder = f"{sys}/node/node{id}"
        size = kilobytes(text(f"{folder}/meminfo"), "MemTotal")
        if size is not None:
            rows["memory"].append((id, size))
        for pages in sorted(glob(f"{folder}/hugepages/hugepages-*kB")):
            count = text(f"{pages}/nr_hugepages").strip()
            if count.isdigit():
                rows["huge_pages"].append((id, pages.rpartition("-")[2][: -len("kB")], int(count)))
        # The list has a place per node that is online, in the order of their ids.
        for other, distance in zip(nodes, text(f"{folder}/distance").split()):
            rows["distances"].append((id, other, int(distance)))
    return {**reading, **rows}


def _nodes(sys: str) -> Iterator[tuple[str, list[int]]]:
    """NUMA nodes, by id, and the CPUs of each; one node with all CPUs where the kernel knows none."""
    online = numbers(text(f"{sys}/cpu/online"))
    ids = sorted(int(path.rpartition("node")[2]) for path in glob(f"{sys}/node/node[0-9]*"))
    for id in ids:
        own = numbers(text(f"{sys}/node/node{id}/cpulist"))
        yield str(id), [cpu for cpu in own if not online or cpu in online]
    if not ids:
        yield "0", online


def _siblings(sys: str, node: str, cpus: list[int]) -> Iterator[tuple[str, str, str, int]]:
    for cpu in cpus:
        folder = f"{sys}/cpu/cpu{cpu}/topology"
        threads = numbers(text(f"{folder}/thread_siblings_list"))
        if threads:
            yield node, text(f"{folder}/core_id").strip(), str(cpu), len(threads)


def _caches(sys: str, node: str, cpus: list[int]) -> Iterator[tuple[str, str, str, str, int]]:
    """(node, core, type, level, bytes) of the caches of each CPU."""
    for cpu in cpus:
        core = text(f"{sys}/cpu/cpu{cpu}/topology/core_id").strip()
        for folder in glob(f"{sys}/cpu/cpu{cpu}/cache/index[0-9]*"):
            size = re.fullmatch(r"(\d+)([KMG]?)", text(f"{folder}/size").strip())
            shared = numbers(text(f"{folder}/shared_cpu_list"))
            if size:
                kind, level = (text(os.path.join(folder, name)).strip() for name in ("type", "level"))
                whole = len(cpus) > 1 and set(cpus) <= set(shared)
                yield node, "" if whole else core, kind, level, int(size[1]) * UNITS[size[2]]
