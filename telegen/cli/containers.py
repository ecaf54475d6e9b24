"""Rows of `telegen top`: usage of each container between two scrapes, with its requests and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families

_CPU, _MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
_THROTTLED, _PERIODS = "container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total"
_OOM = "container_oom_events_total"
_PRESSURE = {kind: f"container_pressure_{kind}_waiting_seconds_total" for kind in ("cpu", "memory", "io")}
_REQUESTS, _LIMITS = "kube_pod_container_resource_requests", "kube_pod_container_resource_limits"
FAMILIES = (_CPU, _MEMORY, _THROTTLED, _PERIODS, _OOM, *_PRESSURE.values(), _REQUESTS, _LIMITS)
QUERY = "?" + urlencode({"families": ",".join(FAMILIES)})
"""Query of a page with these families only."""

Key = tuple[str, str, str]
"""(namespace, pod, container)."""
Values = Mapping[str, Mapping[Key, float]]
"""Value by family (for requests and limits: family and resource) and container."""


@dataclass(frozen=True)
class Row:
    """Usage of a container.

    Attributes:
        cpu, cpu_request, cpu_limit: cores.
        memory, memory_request, memory_limit: bytes; `memory` is the working set.
        throttled: fraction of the CFS periods in which it was throttled.
        oom: OOM kills since the container began.
        cpu_pressure, memory_pressure, io_pressure: fraction of time in which a task waited (PSI some).

    None where the agent has no such value, or before the second scrape.
    """

    namespace: str
    pod: str
    container: str
    cpu: float | None = None
    cpu_request: float | None = None
    cpu_limit: float | None = None
    memory: float | None = None
    memory_request: float | None = None
    memory_limit: float | None = None
    throttled: float | None = None
    oom: float | None = None
    cpu_pressure: float | None = None
    memory_pressure: float | None = None
    io_pressure: float | None = None


COLUMNS = tuple(field.name for field in fields(Row))
SORTS = {"cpu": "cpu", "memory": "memory", "throttled": "throttled", "oom": "oom", "psi": "cpu_pressure", "name": "namespace"}
"""Field by name of an order."""


def read_values(page: str) -> Values:
    """Read a page. Series of pods as a whole and of cgroups outside pods have no container and are left out."""
    found: dict[str, dict[Key, float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = sample.labels
            if not labels.get("container") or not labels.get("pod"):
                continue
            resource = f"/{labels['resource']}" if sample.name in (_REQUESTS, _LIMITS) else ""
            key = labels.get("namespace", ""), labels["pod"], labels["container"]
            values = found.setdefault(sample.name + resource, {})
            # Several series of a container, such as one per CPU, add up.
            values[key] = values.get(key, 0.0) + sample.value
    return found


def rows(before: Values, now: Values, seconds: float) -> Iterator[Row]:
    """Yield a row per container that uses CPU or memory.

    Args:
        seconds: time between the two pages.
    """

    def rate(family: str, key: Key) -> float | None:
        first, second = before.get(family, {}).get(key), now.get(family, {}).get(key)
        # A counter that has become smaller belongs to a new container.
        return (second - first) / seconds if first is not None and second is not None and second >= first and seconds > 0 else None

    def value(family: str, key: Key) -> float | None:
        return now.get(family, {}).get(key)

    for key in sorted({*now.get(_CPU, {}), *now.get(_MEMORY, {})}):
        throttled, periods = rate(_THROTTLED, key), rate(_PERIODS, key)
        yield Row(
            *key,
            cpu=rate(_CPU, key),
            cpu_request=value(f"{_REQUESTS}/cpu", key),
            cpu_limit=value(f"{_LIMITS}/cpu", key),
            memory=value(_MEMORY, key),
            memory_request=value(f"{_REQUESTS}/memory", key),
            memory_limit=value(f"{_LIMITS}/memory", key),
            throttled=throttled / periods if throttled is not None and periods else None,
            oom=value(_OOM, key),
            cpu_pressure=rate(_PRESSURE["cpu"], key),
            memory_pressure=rate(_PRESSURE["memory"], key),
            io_pressure=rate(_PRESSURE["io"], key),
        )


def selected(found: list[Row], order: str, words: str) -> list[Row]:
    """Return the rows whose names contain the words, in an order: largest first, names ascending."""
    kept = [row for row in found if words.lower() in f"{row.namespace}/{row.pod}/{row.container}".lower()]
    field = SORTS[order]
    if field == "namespace":
        return sorted(kept, key=lambda row: (row.namespace, row.pod, row.container))
    return sorted(kept, key=lambda row: -(getattr(row, field) or 0.0))
