"""Huge pages by size (https://docs.kernel.org/admin-guide/cgroup-v2.html#hugetlb, .../cgroup-v1/hugetlb.html).

Reservations count as used where the kernel (5.7 and newer) tells them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telegen.cadvisor.cgroups.parsing import keyed, number
from telegen.cadvisor.collector import Context, Raw, Reading, Source, value
from telegen.metrics.family import ALPHA, counter, gauge

FAMILIES = (
    gauge("container_hugetlb_usage_bytes", "Huge pages in use or reserved.", ALPHA, value("usage"), "pagesize"),
    gauge("container_hugetlb_max_usage_bytes", "Most huge pages ever in use.", ALPHA, value("max_usage"), "pagesize"),
    counter("container_hugetlb_failcnt", "Times that the limit of huge pages was hit.", ALPHA, value("failcnt"), "pagesize"),
)

V1 = (("usage_in_bytes", "rsvd.usage_in_bytes"), ("max_usage_in_bytes", "rsvd.max_usage_in_bytes"), ("failcnt", "rsvd.failcnt"))
V2 = (("current", "rsvd.current"), ("events", "events"))


def read(context: Context) -> Raw:
    """Per size of page a tuple: its name and the files of the version at hand."""
    version = context.version("hugetlb")
    if version is None:
        return None
    found = []
    for size in context.node.huge_page_sizes:
        contents = [
            _first(context, f"hugetlb.{size}.{reserved}", f"hugetlb.{size}.{plain}")
            for plain, reserved in (V1 if version == 1 else V2)
        ]
        if any(contents):
            found.append((size, *contents))
    return tuple(found) or None


def parse(raw: Sequence[tuple[Any, ...]], context: Context) -> Reading:
    """usage, max_usage: rows of size and bytes; failcnt: of size and count. v2 has no most."""
    if context.version("hugetlb") == 1:
        columns = zip(("usage", "max_usage", "failcnt"), range(1, 4))
        return {name: [(row[0], number(row[place])) for row in raw if row[place]] for name, place in columns}
    counts = [(size, keyed(events)) for size, _, events in raw if events]
    return {
        "usage": [(size, number(current)) for size, current, _ in raw if current],
        "failcnt": [(size, found[b"max"]) for size, found in counts if b"max" in found],
    }


SOURCE = Source("hugetlb", "hugetlb", FAMILIES, read, parse)


def _first(context: Context, *names: str) -> bytes | None:
    for name in names:
        content = context.read("hugetlb", name)
        if content is not None:
            return content
    return None
