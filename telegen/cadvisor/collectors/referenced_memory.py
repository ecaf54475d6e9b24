"""Memory that processes have touched: cAdvisor's group `referenced_memory`.

The kernel marks a page when it is used. cAdvisor can clear the marks every so often, which changes what the kernel takes
for idle when memory is short; here they are never cleared, as by cAdvisor's default. Off by default: the kernel walks the
page tables of each process.
"""

from __future__ import annotations

import errno
from typing import Optional

from telegen.cadvisor.collector import Context, Reading, Source, value
from telegen.metrics.family import ALPHA, gauge

ENDED = frozenset((errno.ENOENT, errno.ESRCH))

FAMILIES = (
    gauge("container_referenced_bytes", "Memory that its processes have marked as used, in bytes.", ALPHA, value("bytes")),
)


def read(context: Context) -> Optional[int]:
    """kB of all processes together; what processes share counts for each. None when there are none."""
    try:
        found = [size for pid in context.pids() if (size := _of_process(f"{context.node.roots.proc}/{pid}")) is not None]
    except PermissionError as error:
        context.node.refuse(error)
        return None
    return sum(found) if found else None


def parse(raw: int, context: Context) -> Reading:
    """bytes."""
    return {"bytes": raw * 1024}


SOURCE = Source("referenced", "referenced_memory", FAMILIES, read, parse, kinds=frozenset(("container",)))


def _of_process(folder: str) -> Optional[int]:
    """Sum of the Referenced lines of smaps_rollup, or of smaps on kernels before 4.14, in kB; None: it has ended.

    Raises:
        OSError: it may not be looked at.
    """
    for name in ("smaps_rollup", "smaps"):
        try:
            with open(f"{folder}/{name}", "rb") as file:
                return sum(int(line.split()[1]) for line in file if line.startswith(b"Referenced:"))
        except OSError as error:
            if error.errno not in ENDED:
                raise
    return None
