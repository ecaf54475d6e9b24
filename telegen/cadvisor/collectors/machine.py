"""Hardware of this node: CPUs, memory and memory modules. Read at an interval, since CPUs and memory can be hot-plugged."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from glob import glob
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.parsing import ranges
from telegen.cadvisor.collector import ROOT, AnyCollector, Collector, Families, already_parsed
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

TOPOLOGY = ("core_id", "thread_siblings_list", "cluster_id", "physical_package_id", "book_id", "drawer_id")
"""Files of a CPU's folder `topology` (https://docs.kernel.org/admin-guide/cputopology.html)."""


class Modules(NamedTuple):
    """Rows of memory type and number of modules, and of memory type and bytes; None without an EDAC driver."""

    number: Optional[list[tuple[str, int]]] = None
    capacity: Optional[list[tuple[str, int]]] = None


class MachineReading(NamedTuple):
    """Counts and bytes; `persistent` has rows of mode and bytes."""

    identity: MachineId
    cpus: Optional[int]
    cores: Optional[int]
    sockets: Optional[int]
    books: Optional[int]
    drawers: Optional[int]
    memory: Optional[int]
    swap: Optional[int]
    modules: Modules
    persistent: Optional[list[tuple[str, int]]]


family = MachineFamilies(MachineReading)

FAMILIES = (
    family.gauge("machine_cpu_cores", "Online logical CPUs (/sys/devices/system/cpu/online).", lambda reading: reading.cpus),
    family.gauge("machine_cpu_physical_cores", "Physical CPU cores (core id of /proc/cpuinfo).", lambda reading: reading.cores),
    family.gauge("machine_cpu_sockets", "CPU sockets (physical id of /proc/cpuinfo).", lambda reading: reading.sockets),
    family.gauge("machine_cpu_books", "CPU books of s390x (book_id in /sys), else 0.", lambda reading: reading.books),
    family.gauge("machine_cpu_drawers", "CPU drawers of s390x (drawer_id in /sys), else 0.", lambda reading: reading.drawers),
    family.gauge("machine_memory_bytes", "Usable memory in bytes (MemTotal of /proc/meminfo).", lambda reading: reading.memory),
    family.gauge("machine_swap_bytes", "Swap space in bytes (SwapTotal of /proc/meminfo).", lambda reading: reading.swap),
    family.gauge(
        "machine_dimm_count", "Memory modules by type (/sys/devices/system/edac).", lambda reading: reading.modules.number, "type"
    ),
    family.gauge(
        "machine_dimm_capacity_bytes",
        "Capacity of memory modules by type, in bytes (/sys/devices/system/edac).",
        lambda reading: reading.modules.capacity,
        "type",
    ),
    family.gauge(
        "machine_nvm_capacity",
        "Persistent memory by mode, in bytes (/sys/bus/nd/devices).",
        lambda reading: reading.persistent,
        "mode",
    ),
    Families(MachineReading).gauge(
        "machine_scrape_error",
        "1 if the number of CPUs or the size of memory is unknown, else 0.",
        lambda reading: int(reading.cpus is None or reading.memory is None),
    ),
)


def make(settings: Cadvisor, groups: frozenset[str]) -> AnyCollector:
    read = cached(settings.housekeeping_interval, read_machine)
    return Collector("machine", "machine", FAMILIES, read, already_parsed, ROOT, labelled=False)


def read_machine(node: Node) -> MachineReading:
    sys = f"{node.roots.sys}/devices/system"
    lines = text(f"{node.roots.proc}/cpuinfo").split("\n")
    memory = text(f"{node.roots.proc}/meminfo")
    online = ranges(text(f"{sys}/cpu/online"))
    topology = _topology(sys, online)
    return MachineReading(
        identity=identity(node),
        cpus=len(online) or sum(line.startswith("processor") for line in lines) or None,
        # cpuinfo has neither cores nor sockets on arm64 and some virtual machines.
        cores=len(set(_cores(lines))) or _physical_cores(topology),
        sockets=len(set(_values(lines, "physical id"))) or _distinct(topology, "physical_package_id") or None,
        books=_distinct(topology, "book_id", "drawer_id"),
        drawers=_distinct(topology, "drawer_id"),
        memory=kilobytes(memory, "MemTotal"),
        swap=kilobytes(memory, "SwapTotal"),
        modules=_modules(sys),
        persistent=_persistent(node),
    )


def _values(lines: list[str], name: str) -> Iterator[str]:
    """Values of a field of cpuinfo."""
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            yield value.strip()


def _cores(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(socket, core) of each CPU of cpuinfo. Core ids are unique only within a socket; cAdvisor ignores that."""
    socket = ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "physical id":
            socket = value.strip()
        elif key.strip() == "core id":
            yield socket, value.strip()


def _topology(sys: str, online: Collection[int]) -> list[dict[str, str]]:
    """Return the topology of each online CPU, "" for what the kernel does not know. Some kernels keep that of offline CPUs."""
    folders = [f"{sys}/cpu/cpu{cpu}/topology" for cpu in online] or glob(f"{sys}/cpu/cpu[0-9]*/topology")
    return [{name: text(f"{folder}/{name}").strip() for name in TOPOLOGY} for folder in folders if os.path.isdir(folder)]


def _physical_cores(topology: list[dict[str, str]]) -> Optional[int]:
    """Count the cores: sets of CPUs that share one, or where the kernel does not list them, ids within cluster and socket."""
    return _distinct(topology, "thread_siblings_list") or _distinct(topology, "core_id", "cluster_id", "physical_package_id") or None


def _distinct(topology: list[dict[str, str]], name: str, *outer: str) -> Optional[int]:
    """Count distinct ids, each within the ids of `outer`; 0 if the architecture has no such id, None without a topology.

    The id -1 (no device tree or ACPI table has it) is one like others: the CPUs have the level, but not its number.
    """
    found = {tuple(cpu[key] for key in (name, *outer)) for cpu in topology if cpu[name]}
    return len(found) if topology else None


def _modules(sys: str) -> Modules:
    """Memory modules of the EDAC driver (https://docs.kernel.org/driver-api/edac.html)."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for folder in glob(f"{sys}/edac/mc/mc[0-9]*/dimm[0-9]*"):
        size = _number(f"{folder}/size")
        if size is not None:
            kind = text(f"{folder}/dimm_mem_type").strip()
            counts[kind] += 1
            # The file is in MiB.
            sizes[kind] += size << 20
    return Modules(sorted(counts.items()), sorted(sizes.items())) if counts else Modules()


def _persistent(node: Node) -> Optional[list[tuple[str, int]]]:
    sizes = [_number(size) for size in glob(f"{node.roots.sys}/bus/nd/devices/region*/size")]
    return [("app_direct_mode", sum(filter(None, sizes)))] if sizes else None


def _number(path: str) -> Optional[int]:
    content = text(path).strip()
    return int(content) if content.isdigit() else None
