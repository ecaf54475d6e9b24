"""This node's hardware, as cAdvisor's machine_* families have it. Read anew every so often: memory and CPUs come and go."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from glob import glob
from pathlib import Path
from typing import Any, Callable, Optional

from telegen.cadvisor.cgroups.discovery import Kind
from telegen.cadvisor.collector import Context, Node, Reading, Source
from telegen.metrics.family import ALPHA, FamilyGenerator, Object, gauge

LABELS = ("machine_id", "system_uuid", "boot_id")

ROOT: frozenset[Kind] = frozenset(("root",))


def of_machine(name: str, help: str, key: str, *labels: str) -> FamilyGenerator:
    """A gauge with the labels of the machine, of a number or of rows of the reading."""

    def generate(reading: Object) -> Any:
        found = reading.get(key)
        if found is None:
            return None
        rows = found if isinstance(found, list) else [(found,)]
        return [(*reading["machine"], *row) for row in rows]

    return gauge(name, help, ALPHA, generate, *LABELS, *labels)


FAMILIES = (
    of_machine("machine_cpu_cores", "CPUs that the kernel runs threads on.", "cpus"),
    of_machine("machine_cpu_physical_cores", "Cores, however many threads each runs at a time.", "cores"),
    of_machine("machine_cpu_sockets", "Processors.", "sockets"),
    of_machine("machine_cpu_books", "Books of processors (s390x).", "books"),
    of_machine("machine_cpu_drawers", "Drawers of books (s390x).", "drawers"),
    of_machine("machine_memory_bytes", "Memory that the kernel can use.", "memory"),
    of_machine("machine_swap_bytes", "Swap space.", "swap"),
    of_machine("machine_dimm_count", "Memory modules, by type (EDAC).", "dimms", "type"),
    of_machine("machine_dimm_capacity_bytes", "Memory of all modules of a type (EDAC).", "dimm_bytes", "type"),
    of_machine("machine_nvm_capacity", "Persistent memory in bytes, by how it is used.", "persistent", "mode"),
    gauge("machine_scrape_error", "Whether something of the machine could not be read.", ALPHA, lambda reading: reading["error"]),
)


def make(interval: float) -> Source:
    """The source; what the machine is made of is looked for again every `interval` seconds."""
    return Source("machine", "machine", FAMILIES, every(interval, look), parse, ROOT, labelled=False)


def parse(raw: Reading, context: Context) -> Reading:
    """What was read, as it is."""
    return raw


def every(interval: float, find: Callable[[Node], Reading]) -> Callable[[Context], Reading]:
    """A read function that finds something out, and knows it for so many seconds."""

    def read(context: Context) -> Reading:
        now, key = time.monotonic(), f"{find.__module__}.{find.__qualname__}"
        known = context.memo.get(key)
        if known is None or now >= known[0]:
            known = context.memo[key] = (now + interval, find(context.node))
        found: Reading = known[1]
        return found

    return read


def look(node: Node) -> Reading:
    """What the machine is: counts and bytes; absent what the kernel does not say."""
    sys = f"{node.roots.sys}/devices/system"
    lines = text(f"{node.roots.proc}/cpuinfo").split("\n")
    memory = text(f"{node.roots.proc}/meminfo")
    reading: Reading = {
        "machine": identity(node),
        "cpus": len(numbers(text(f"{sys}/cpu/online"))) or sum(line.startswith("processor") for line in lines) or None,
        "cores": len(set(_cores(lines))) or _distinct(sys, "core_id", "physical_package_id"),
        "sockets": len(set(_field(lines, "physical id"))) or _distinct(sys, "physical_package_id"),
        "books": _distinct(sys, "book_id", "drawer_id"),
        "drawers": _distinct(sys, "drawer_id"),
        "memory": kilobytes(memory, "MemTotal"),
        "swap": kilobytes(memory, "SwapTotal"),
        **_modules(sys),
    }
    persistent = [_number(size) for size in glob(f"{node.roots.sys}/bus/nd/devices/region*/size")]
    if persistent:
        reading["persistent"] = [("app_direct_mode", sum(filter(None, persistent)))]
    reading["error"] = int(reading["cpus"] is None or reading["memory"] is None)
    return reading


def identity(node: Node) -> tuple[str, str, str]:
    """Values of `LABELS`, "" for what is unknown."""
    host = node.roots.host.rstrip("/")
    machine = text(f"{host}/etc/machine-id") or text(f"{host}/var/lib/dbus/machine-id")
    system = (
        text(f"{node.roots.sys}/class/dmi/id/product_uuid")
        or text(f"{node.roots.proc}/device-tree/system-id")
        or text(f"{node.roots.proc}/device-tree/vm,uuid")
        or machine
    )
    boot = text(f"{node.roots.proc}/sys/kernel/random/boot_id")
    return machine.strip(), system.strip(" \n\0"), boot.strip()


def text(path: str) -> str:
    """A file that may not be there or may be refused: "" then."""
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def numbers(ranges: str) -> list[int]:
    """A list as the kernel writes it: `0-2,8` is 0, 1, 2, 8."""
    found: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", ranges):
        found += range(int(first), int(last or first) + 1)
    return found


def kilobytes(content: str, name: str) -> Optional[int]:
    """A line of meminfo (proc(5)), in bytes."""
    found = re.search(rf"\b{name}:\s+(\d+) kB", content)
    return int(found[1]) * 1024 if found else None


def _field(lines: list[str], name: str) -> Iterator[str]:
    """The values of a field of cpuinfo."""
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            yield value.strip()


def _cores(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(socket, core) of each CPU of cpuinfo. (cAdvisor forgets the socket: two of them have cores of the same ids.)"""
    socket = ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "physical id":
            socket = value.strip()
        elif key.strip() == "core id":
            yield socket, value.strip()


def _distinct(sys: str, *files: str) -> Optional[int]:
    """How many different ids, or tuples of them, the topology of the CPUs has: 0 where this architecture has no such
    thing. None without a topology."""
    folders = glob(f"{sys}/cpu/cpu[0-9]*/topology")
    found = {tuple(text(f"{folder}/{name}").strip() for name in files) for folder in folders}
    return sum(all(id not in ("", "-1") for id in ids) for ids in found) if folders else None


def _modules(sys: str) -> Reading:
    """Memory modules by type, and their bytes, as EDAC knows them; nothing where no driver does."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for folder in glob(f"{sys}/edac/mc/mc[0-9]*/dimm[0-9]*"):
        size = _number(f"{folder}/size")
        if size is not None:
            kind = text(f"{folder}/dimm_mem_type").strip()
            counts[kind] += 1
            sizes[kind] += size << 20
    return {"dimms": sorted(counts.items()), "dimm_bytes": sorted(sizes.items())} if counts else {}


def _number(path: str) -> Optional[int]:
    content = text(path).strip()
    return int(content) if content.isdigit() else None
