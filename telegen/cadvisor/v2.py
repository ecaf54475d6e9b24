"""Readings of cgroup v2 (https://docs.kernel.org/admin-guide/cgroup-v2.html): each file on its own, absent where the
kernel has none."""

from __future__ import annotations

from telegen.cadvisor.parse import keyed, number
from telegen.cadvisor.v1 import Read


def cpu(read: Read, is_root: bool) -> dict[str, float]:
    """usage: CPU seconds (cpu.stat usage_usec, microseconds)."""
    stat = read("cpu.stat")
    usage = keyed(stat).get(b"usage_usec") if stat is not None else None
    return {} if usage is None else {"usage": usage / 1e6}


def memory(read: Read, is_root: bool) -> dict[str, float]:
    """usage, working_set: bytes (memory.current; without inactive_file of memory.stat, not below 0).

    The root has no memory.current: there anon + file stand for it, which leaves out slab, page tables and kernel
    stacks.
    """
    content = read("memory.stat")
    stat = keyed(content) if content is not None else {}
    if is_root:
        usage = stat[b"anon"] + stat[b"file"] if b"anon" in stat and b"file" in stat else None
    else:
        current = read("memory.current")
        usage = None if current is None else number(current)
    if usage is None:
        return {}
    found: dict[str, float] = {"usage": usage}
    if b"inactive_file" in stat:
        found["working_set"] = max(0, usage - stat[b"inactive_file"])
    return found
