"""NUMA nodes, CPU caches and threads of this machine (https://docs.kernel.org/admin-guide/cputopology.html,
https://docs.kernel.org/admin-guide/abi-stable.html, /sys/devices/system/node). Opt-in, as in the kubelet."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from glob import glob
from typing import NamedTuple

from telegen.cadvisor.cgroups.parsing import ranges
from telegen.cadvisor.collector import ROOT, AnyCollector, Collector, already_parsed
from telegen.cadvisor.collectors._machine_files import (
    MachineFamilies,
    MachineId,
    cached,
    identity,
    kilobytes,
    text,
)
from telegen.cadvisor.node import Node
from telegen.config.model import Cadvisor

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "": 1}


class TopologyReading(NamedTuple):
    """Rows of label values and a number."""

    identity: MachineId
    caches: list[tuple[str, str, str, str, int]]
    siblings: list[tuple[str, str, str, int]]
    memory: list[tuple[str, int]]
    huge_pages: list[tuple[str, str, int]]
    distances: list[tuple[str, str, int]]


family = MachineFamilies(TopologyReading)

FAMILIES = (
    family.gauge(
        "machine_cpu_cache_capacity_bytes",
        "Size of a CPU cache in bytes (cpu*/cache/index*/size in /sys). core_id is empty if all CPUs of the node share it.",
        lambda reading: reading.caches,
        "node_id",
        "core_id",
        "type",
        "level",
    ),
    family.gauge(
        "machine_thread_siblings_count",
        "Hardware threads of a thread's core (thread_siblings_list in /sys).",
        lambda reading: reading.siblings,
        "node_id",
        "core_id",
        "thread_id",
    ),
    family.gauge(
        "machine_node_memory_capacity_bytes",
        "Memory of a NUMA node in bytes (node*/meminfo in /sys).",
        lambda reading: reading.memory,
        "node_id",
    ),
    family.gauge(
        "machine_node_hugepages_count",
        "Huge pages of a NUMA node by page size in kB (node*/hugepages in /sys).",
        lambda reading: reading.huge_pages,
        "node_id",
        "page_size",
    ),
    family.gauge(
        "machine_node_distance",
        "Distance between two NUMA nodes, 10 for a node to itself (node*/distance in /sys).",
        lambda reading: reading.distances,
        "node_id",
        "target_node_id",
    ),
)


def make(settings: Cadvisor, groups: frozenset[str]) -> AnyCollector:
    read = cached(settings.housekeeping_interval, read_topology)
    return Collector("topology", "cpu_topology", FAMILIES, read, already_parsed, ROOT, opt_in=True, labelled=False)


def read_topology(node: Node) -> TopologyReading:
    sys = f"{node.roots.sys}/devices/system"
    nodes = dict(_nodes(sys))
    folders = {id: f"{sys}/node/node{id}" for id in nodes}
    sizes = [(id, kilobytes(text(f"{folder}/meminfo"), "MemTotal")) for id, folder in folders.items()]
    return TopologyReading(
        identity=identity(node),
        caches=sorted({row for id, cpus in nodes.items() for row in _caches(sys, id, cpus)}),
        siblings=[row for id, cpus in nodes.items() for row in _siblings(sys, id, cpus)],
        memory=[(id, size) for id, size in sizes if size is not None],
        huge_pages=[row for id, folder in folders.items() for row in _huge_pages(id, folder)],
        # The list has one item for each online node, ordered by id.
        distances=[
            (id, other, int(distance))
            for id, folder in folders.items()
            for other, distance in zip(nodes, text(f"{folder}/distance").split())
        ],
    )


def _nodes(sys: str) -> Iterator[tuple[str, list[int]]]:
    """Yield each NUMA node's id and CPUs; one node with all CPUs on a kernel without NUMA."""
    online = ranges(text(f"{sys}/cpu/online"))
    ids = sorted(int(path.rpartition("node")[2]) for path in glob(f"{sys}/node/node[0-9]*"))
    for id in ids:
        cpus = ranges(text(f"{sys}/node/node{id}/cpulist"))
        yield str(id), [cpu for cpu in cpus if not online or cpu in online]
    if not ids:
        yield "0", online


def _huge_pages(node: str, folder: str) -> Iterator[tuple[str, str, int]]:
    for pages in sorted(glob(f"{folder}/hugepages/hugepages-*kB")):
        count = text(f"{pages}/nr_hugepages").strip()
        if count.isdigit():
            yield node, pages.rpartition("-")[2][: -len("kB")], int(count)


def _siblings(sys: str, node: str, cpus: list[int]) -> Iterator[tuple[str, str, str, int]]:
    for cpu in cpus:
        folder = f"{sys}/cpu/cpu{cpu}/topology"
        threads = ranges(text(f"{folder}/thread_siblings_list"))
        if threads:
            yield node, text(f"{folder}/core_id").strip(), str(cpu), len(threads)


def _caches(sys: str, node: str, cpus: list[int]) -> Iterator[tuple[str, str, str, str, int]]:
    """Yield (node, core, type, level, bytes) of each CPU's caches."""
    for cpu in cpus:
        core = text(f"{sys}/cpu/cpu{cpu}/topology/core_id").strip()
        for folder in glob(f"{sys}/cpu/cpu{cpu}/cache/index[0-9]*"):
            size = re.fullmatch(r"(\d+)([KMG]?)", text(f"{folder}/size").strip())
            shared = ranges(text(f"{folder}/shared_cpu_list"))
            if size:
                kind, level = (text(os.path.join(folder, name)).strip() for name in ("type", "level"))
                is_shared_by_node = len(cpus) > 1 and set(cpus) <= set(shared)
                yield node, "" if is_shared_by_node else core, kind, level, int(size[1]) * UNITS[size[2]]
