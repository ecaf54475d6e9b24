"""Pages in the naming of the semantic conventions, as requests and as text that a person can compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from telegen.otlp.attributes import attributes
from telegen.otlp.columns import Cell
from telegen.otlp.requests import Limits, Metric, Origin, Part, Request
from telegen.otlp.semconv_naming import SemconvNaming
from telegen.shm.deflate import compress
from telegen.shm.layout import FamilyEntry

LARGE = Limits(10_000, 3 << 20)
NOW = 1_800_000_000
"""Unix time of the pushes in seconds."""
SENDER = {"service.name": "telegen", "service.instance.id": "node-1"}


@dataclass(frozen=True)
class Point:
    """A data point with all that identifies it.

    Attributes:
        kind: gauge, counter or updowncounter.
        value: None for the last point of a series.
    """

    resource: tuple[tuple[str, str], ...]
    metric: str
    kind: str
    unit: str
    attributes: tuple[tuple[str, str], ...]
    value: float | None

    @property
    def series(self) -> "tuple[object, ...]":
        """The identity of its series."""
        return self.resource, self.metric, self.attributes


def metrics_of(page: str, naming: SemconvNaming, blocks: int = 1, shared: bytes = b"") -> list[Metric]:
    """Encode the families of a page, each after a line `# TYPE name type`.

    Args:
        blocks: number of blocks that the lines of a family are dealt out to.
    """
    found = []
    for part in re.split(r"^# TYPE ", page, flags=re.MULTILINE)[1:]:
        header, _, body = part.partition("\n")
        name, kind = header.split(" ")
        text = f"# HELP {name} Help.\n# TYPE {header}\n".encode()
        family = naming.family(FamilyEntry(name, text, f"# TYPE {name} {kind}\n".encode()), shared)
        lines = body.splitlines(keepends=True)
        metric = Metric(family)
        for block in range(blocks):
            packed, number = family.encode("".join(lines[block::blocks]).encode())
            metric.cells += [Cell(compress(packed), number, block)] if number else []
        found.append(metric)
    return found


def part_of(page: str, naming: SemconvNaming, blocks: int = 1) -> Part:
    """Return a page as the part of a push."""
    return naming.part(Origin(b"", "telegen.kubestate", attributes(1, SENDER)), metrics_of(page, naming, blocks))


def points_of(requests: Iterable[Request]) -> list[Point]:
    """Decode requests, and check what all of them have in common."""
    found = []
    for request in requests:
        points = list(_decode(ExportMetricsServiceRequest.FromString(request.body)))
        assert len(points) == request.points
        found += points
    series = [point.series for point in found]
    assert len(set(series)) == len(series), "a series twice"
    return found


def _decode(message: ExportMetricsServiceRequest) -> Iterator[Point]:
    for resource in message.resource_metrics:
        assert resource.schema_url == "https://opentelemetry.io/schemas/1.44.0"
        values = _texts(resource.resource.attributes)
        assert dict(values).items() >= SENDER.items() and len(dict(values)) == len(values), "the sender is missing, or a key is twice"
        (scope,) = resource.scope_metrics
        names = [metric.name for metric in scope.metrics]
        assert len(set(names)) == len(names) and scope.scope.name == "telegen.kubestate" and not scope.scope.version
        for metric in scope.metrics:
            assert metric.gauge.data_points or metric.sum.data_points, "a metric without points"
            kind = "gauge" if metric.HasField("gauge") else "counter" if metric.sum.is_monotonic else "updowncounter"
            assert kind == "gauge" or metric.sum.aggregation_temporality == 2
            for point in (*metric.gauge.data_points, *metric.sum.data_points):
                assert point.time_unix_nano == NOW * 10**9
                identity = tuple(item for item in values if item[0] not in SENDER)
                value = None if point.flags & 1 else point.as_double
                yield Point(identity, metric.name, kind, metric.unit, _texts(point.attributes), value)


def _texts(values: Iterable[KeyValue]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((item.key, _text(item.value)) for item in values))


def _text(value: AnyValue) -> str:
    if value.HasField("array_value"):
        return f"[{', '.join(item.string_value for item in value.array_value.values)}]"
    return value.string_value


def report(points: Iterable[Point]) -> str:
    """Write points as lines: resource, then for each point metric, kind, unit, attributes and value."""
    lines: dict[str, list[str]] = {}
    for point in points:
        resource = " ".join(f"{key}={text}" for key, text in point.resource) or "(sender)"
        attributes_text = " ".join(f"{key}={text}" for key, text in point.attributes).replace("\n", "\\n")
        value = "ended" if point.value is None else f"{point.value:.15g}"
        words = (point.metric, point.kind, point.unit or "-", f"{{{attributes_text}}}", value)
        lines.setdefault(resource, []).append("  " + " ".join(words))
    return "".join(f"{resource}\n" + "".join(f"{line}\n" for line in sorted(lines[resource])) for resource in sorted(lines))
