"""Files of the machine's hardware and identity, shared by the collectors `machine` and `topology`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, NamedTuple, Optional, Protocol, TypeVar

from telegen.cadvisor.cgroups.context import Context, PerCgroup
from telegen.cadvisor.collector import Families, Family
from telegen.cadvisor.node import Node
from telegen.metrics.family import Samples

LABELS = ("machine_id", "system_uuid", "boot_id")
_sizes = re.compile(r"\b(\w+):\s+(\d+) kB").findall


class MachineId(NamedTuple):
    """Values of LABELS, "" if unknown."""

    machine: str
    system: str
    boot: str


class _HasIdentity(Protocol):
    @property
    def identity(self) -> MachineId: ...


M = TypeVar("M", bound=_HasIdentity)
T = TypeVar("T")


class MachineFamilies(Generic[M]):
    """Constructor of the families that carry the labels of the machine."""

    def __init__(self, reading: type[M]) -> None:
        self._families = Families(reading)

    def gauge(self, name: str, help: str, generate: Callable[[M], Any], *labels: str) -> Family[M]:
        """A gauge of a number, or of rows; the values of LABELS are put in front of each row."""

        def with_identity(reading: M) -> Samples:
            found = generate(reading)
            if found is None:
                return None
            rows = found if isinstance(found, list) else [(found,)]
            return [(*reading.identity, *row) for row in rows]

        return self._families.gauge(name, help, with_identity, *LABELS, *labels)


def cached(interval: float, find: Callable[[Node], T]) -> Callable[[Context], T]:
    """Return a read function that caches the result of `find` for `interval` seconds."""
    results: PerCgroup[list[tuple[float, T]]] = PerCgroup(lambda context: [])

    def read(context: Context) -> T:
        now, known = time.monotonic(), results(context)
        if not known or now >= known[0][0]:
            known[:] = [(now + interval, find(context.node))]
        return known[0][1]

    return read


def identity(node: Node) -> MachineId:
    machine = text(node.roots.resolved_path("/etc/machine-id")) or text(node.roots.resolved_path("/var/lib/dbus/machine-id"))
    system = (
        text(f"{node.roots.sys}/class/dmi/id/product_uuid")
        or text(f"{node.roots.proc}/device-tree/system-id")
        or text(f"{node.roots.proc}/device-tree/vm,uuid")
        or machine
    )
    boot = text(f"{node.roots.proc}/sys/kernel/random/boot_id")
    # Strings of the device tree end with a NUL.
    return MachineId(machine.strip(), system.strip(" \n\0"), boot.strip())


def text(path: str) -> str:
    """Content of a file, "" if it is absent or unreadable: which of these files exist depends on the hardware."""
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def kilobytes(content: str, name: str) -> Optional[int]:
    """Find a line of meminfo (proc_meminfo(5)) and return its size in bytes."""
    sizes = dict(_sizes(content))
    return int(sizes[name]) * 1024 if name in sizes else None
