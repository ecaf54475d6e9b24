"""Huge pages by size (https://docs.kernel.org/admin-guide/cgroup-v2.html#hugetlb,
https://docs.kernel.org/admin-guide/cgroup-v1/hugetlb.html).

Reserved pages count as used where the kernel reports them (`rsvd` files, Linux 5.7 and later).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import keyed, number
from telegen.cadvisor.collector import Collector, Families


class PageFiles(NamedTuple):
    """Files of one page size. `failures` is the failcnt of v1, the events file of v2."""

    size: str
    usage: Optional[bytes]
    max_usage: Optional[bytes]
    failures: Optional[bytes]


class HugetlbReading(NamedTuple):
    """Rows of page size and bytes, or count."""

    usage: list[tuple[str, int]]
    max_usage: list[tuple[str, int]]
    failcnt: list[tuple[str, int]]


family = Families(HugetlbReading)

FAMILIES = (
    family.gauge(
        "container_hugetlb_usage_bytes",
        "Huge pages in use or reserved, in bytes (v2 hugetlb.*.current, v1 usage_in_bytes).",
        lambda reading: reading.usage,
        "pagesize",
    ),
    family.gauge(
        "container_hugetlb_max_usage_bytes",
        "Peak of huge pages in use or reserved, in bytes (v1 max_usage_in_bytes).",
        lambda reading: reading.max_usage,
        "pagesize",
    ),
    family.counter(
        "container_hugetlb_failcnt",
        "Allocations that failed at the limit of huge pages (v2 max of hugetlb.*.events, v1 failcnt).",
        lambda reading: reading.failcnt,
        "pagesize",
    ),
)


def read(context: Context) -> Optional[tuple[PageFiles, ...]]:
    """Read the files of each page size of the node."""
    version = context.version("hugetlb")
    if version is None:
        return None
    found = []
    for size in context.node.huge_page_sizes:
        if version == 1:
            names = ("usage_in_bytes", "max_usage_in_bytes", "failcnt")
            files = PageFiles(size, *[_first(context, f"hugetlb.{size}.rsvd.{name}", f"hugetlb.{size}.{name}") for name in names])
        else:
            usage = _first(context, f"hugetlb.{size}.rsvd.current", f"hugetlb.{size}.current")
            files = PageFiles(size, usage, None, context.read("hugetlb", f"hugetlb.{size}.events"))
        # Without the controller all files are absent.
        if any(files[1:]):
            found.append(files)
    return tuple(found) or None


def parse(raw: tuple[PageFiles, ...], context: Context) -> HugetlbReading:
    return HugetlbReading(
        usage=_rows((files.size, files.usage) for files in raw),
        max_usage=_rows((files.size, files.max_usage) for files in raw),
        failcnt=_rows((files.size, files.failures) for files in raw) if context.version("hugetlb") == 1 else _failures_v2(raw),
    )


COLLECTOR = Collector("hugetlb", "hugetlb", FAMILIES, read, parse, opt_in=True)


def _rows(contents: Iterable[tuple[str, Optional[bytes]]]) -> list[tuple[str, int]]:
    numbers = [(size, number(content)) for size, content in contents if content]
    return [(size, value) for size, value in numbers if value is not None]


def _failures_v2(raw: tuple[PageFiles, ...]) -> list[tuple[str, int]]:
    counts = [(files.size, keyed(files.failures)) for files in raw if files.failures]
    return [(size, events[b"max"]) for size, events in counts if b"max" in events]


def _first(context: Context, *names: str) -> bytes | None:
    for name in names:
        content = context.read("hugetlb", name)
        if content is not None:
            return content
    return None
