"""Readings of cgroup v1 (https://docs.kernel.org/admin-guide/cgroup-v1/): each file on its own, absent where the kernel
has none."""

from __future__ import annotations

from collections.abc import Callable

from telegen.cadvisor.parse import keyed, number

Read = Callable[[str], "bytes | None"]
"""The content of a control file by its name, None when there is none."""


def cpu(read: Read, is_root: bool) -> dict[str, float]:
    """usage: CPU seconds (cpuacct.usage, nanoseconds)."""
    usage = _number(read, "cpuacct.usage")
    return {} if usage is None else {"usage": usage / 1e9}


def memory(read: Read, is_root: bool) -> dict[str, float]:
    """usage, working_set: bytes (memory.usage_in_bytes; without total_inactive_file of memory.stat, not below 0)."""
    usage = _number(read, "memory.usage_in_bytes")
    if usage is None:
        return {}
    stat = read("memory.stat")
    inactive = keyed(stat).get(b"total_inactive_file") if stat is not None else None
    found: dict[str, float] = {"usage": usage}
    if inactive is not None:
        found["working_set"] = max(0, usage - inactive)
    return found


def _number(read: Read, name: str) -> int | None:
    content = read(name)
    return None if content is None else number(content)
