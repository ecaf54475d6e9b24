"""Naming of the page: one resource per origin, and names, labels and values as in a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telegen.otlp.families import MetricHead, has_starts, prometheus_head
from telegen.otlp.points import PointEncoder, last_points, series_of, start_times, time_bytes, with_time
from telegen.otlp.requests import OVERHEAD, Limits, Metric, Origin, Part, Request, cut
from telegen.otlp.wire import head, message, text
from telegen.shm.layout import FamilyEntry


@dataclass(frozen=True)
class PageFamily:
    """A family under the name it has on the page.

    Attributes:
        shared: encoded attributes that all of its points share.
        has_starts: True if its lines include the `_created` samples of OpenMetrics.
    """

    name: str
    head: MetricHead
    shared: bytes
    encoder: PointEncoder
    has_starts: bool

    def encode(self, lines: bytes) -> tuple[bytes, int]:
        """Encode the lines of a cell; see `telegen.otlp.points`."""
        name = self.name.encode()
        samples, starts = start_times(name, lines) if self.has_starts else (lines, [])
        return self.encoder.encode(name, samples, len(self.shared), starts)

    def series(self, points: bytes) -> list[bytes]:
        """Return the encoded attributes of each point."""
        return series_of(points)


class PrometheusNaming:
    """The naming of the page."""

    def __init__(self) -> None:
        self._encoder = PointEncoder()

    def family(self, entry: FamilyEntry, shared: bytes) -> PageFamily:
        """Return the encoder of a family."""
        return PageFamily(entry.name, prometheus_head(entry), shared, self._encoder, has_starts(entry))

    def part(self, origin: Origin, metrics: Sequence[Metric]) -> Part:
        """Return the metrics of an origin, which `family` has made the families of."""
        return PagePart(origin, metrics)

    def forget(self) -> None:
        """Free the memory that only encoding needs."""
        self._encoder.forget()


@dataclass
class PagePart:
    """The metrics of one origin under one resource."""

    origin: Origin
    metrics: Sequence[Metric]

    def requests(self, time: int, limits: Limits) -> Iterator[Request]:
        """Yield the requests."""
        batch, packed_time = _Batch(self.origin), time_bytes(time)
        for metric in self.metrics:
            family = metric.family
            assert isinstance(family, PageFamily)
            for blob, points in _blobs(metric, family, packed_time, limits):
                if batch.points and (batch.points + points > limits.points or batch.size + len(blob) + OVERHEAD > limits.size):
                    yield batch.take()
                batch.add(family.head, blob, points)
        if batch.points:
            yield batch.take()


def _blobs(metric: Metric, family: PageFamily, time: bytes, limits: Limits) -> Iterator[tuple[bytes, int]]:
    """Yield (encoded points, their number), within the limits unless one point alone is too large."""
    for cell in metric.cells:
        if metric.ended:
            yield from _last(series_of(cell.unpack()), family.shared, time, limits)
            continue
        for group, count in cut(cell.unpack(), cell.points, limits, len(family.shared)):
            yield with_time(group, family.shared, time), count
    yield from _last(metric.gone, family.shared, time, limits)


def _last(series: Sequence[bytes], shared: bytes, time: bytes, limits: Limits) -> Iterator[tuple[bytes, int]]:
    """Yield the last points of series."""
    for first in range(0, len(series), limits.points):
        some = series[first : first + limits.points]
        yield last_points(some, shared, time), len(some)


class _Batch:
    """A request that is being filled."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._metrics: list[tuple[MetricHead, list[bytes]]] = []
        self.points = self.size = 0

    def add(self, metric: MetricHead, blob: bytes, points: int) -> None:
        """Add points of a metric."""
        if not self._metrics or self._metrics[-1][0] is not metric:
            self._metrics.append((metric, []))
            self.size += OVERHEAD
        self._metrics[-1][1].append(blob)
        self.points += points
        self.size += len(blob)

    def take(self) -> Request:
        """Encode the request, ExportMetricsServiceRequest, with one resource and one scope, and begin another one.

        PERF: the points are copied once; a copy for each level of messages takes a fifth of the time of a push.
        """
        scope = message(1, text(1, self._origin.scope))
        parts = [scope]
        for metric, blobs in self._metrics:
            parts += metric.before(sum(map(len, blobs))), *blobs, metric.tail
        before = self._origin.resource + head(2, sum(map(len, parts)))
        length = sum(map(len, parts)) + len(before)
        points, self.points, self.size, self._metrics = self.points, 0, 0, []
        return Request(self._origin, b"".join((head(1, length), before, *parts)), points)
