"""What is said of each cgroup."""

from __future__ import annotations

from collections.abc import Callable

from telegen.metrics.family import STABLE, Generate, Object, counter, gauge


def reading(source: str, name: str) -> Callable[[Object], float | None]:
    """A number of a reading; None when the kernel does not have it."""

    def read(obj: Object) -> float | None:
        return (obj.get(source) or {}).get(name)

    return read


def total_cpu(read: Callable[[Object], float | None]) -> Generate:
    """One row for all CPUs together."""

    def generate(obj: Object) -> list[tuple[str, float]] | None:
        value = read(obj)
        return None if value is None else [("total", value)]

    return generate


IDENTITY = tuple((name, lambda obj, name=name: obj[name]) for name in ("id", "pod_uid", "container_id"))

FAMILIES = (
    counter(
        "container_cpu_usage_seconds_total",
        "CPU time used, in seconds.",
        STABLE,
        total_cpu(reading("cpu", "usage")),
        "cpu",
    ),
    gauge("container_memory_usage_bytes", "Memory in use, page cache included.", STABLE, reading("memory", "usage")),
    gauge(
        "container_memory_working_set_bytes",
        "Memory in use without the page cache that can be given up at once.",
        STABLE,
        reading("memory", "working_set"),
    ),
)
