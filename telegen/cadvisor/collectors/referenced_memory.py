"""Memory that processes have accessed (https://docs.kernel.org/filesystems/proc.html, smaps).

cAdvisor can clear the kernel's referenced bits at an interval, which changes what the kernel reclaims. They are never cleared
here, which is cAdvisor's default as well. Opt-in: the kernel walks the page tables of each process.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import ENDED, Context
from telegen.cadvisor.collector import CONTAINERS, Collector, Families, already_parsed


class ReferencedReading(NamedTuple):
    """Sum over the processes in kB; memory shared by processes counts for each."""

    kilobytes: int


family = Families(ReferencedReading)

FAMILIES = (
    family.gauge(
        "container_referenced_bytes",
        "Memory marked as referenced, in bytes (Referenced of /proc/PID/smaps).",
        lambda reading: reading.kilobytes * 1024,
    ),
)


def read(context: Context) -> Optional[ReferencedReading]:
    try:
        sizes = [_of_process(f"{context.node.roots.proc}/{pid}") for pid in context.pids()]
    except PermissionError as error:
        context.node.count_denied(error)
        return None
    found = [size for size in sizes if size is not None]
    return ReferencedReading(sum(found)) if found else None


COLLECTOR = Collector("referenced", "referenced_memory", FAMILIES, read, already_parsed, CONTAINERS, opt_in=True)


def _of_process(folder: str) -> Optional[int]:
    """Sum the Referenced lines of a process in kB; None if it has ended.

    Raises:
        OSError: the process may not be inspected.
    """
    # smaps_rollup, one sum per process, exists since Linux 4.14.
    for name in ("smaps_rollup", "smaps"):
        try:
            with open(f"{folder}/{name}", "rb") as file:
                return sum(int(line.split()[1]) for line in file if line.startswith(b"Referenced:"))
        except OSError as error:
            if error.errno not in ENDED:
                raise
    return None
