"""Requests of a push: encoded cells with the time of the push, joined to messages of a limited size.

A push holds only references to encoded cells, so it costs little until its requests are made, and makes the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from telegen.otlp.columns import Cell
from telegen.otlp.families import MetricHead
from telegen.otlp.points import last_points, series_of, split, time_bytes, with_time
from telegen.otlp.wire import message, text

OVERHEAD = 1024
"""Bytes that a metric adds to its points at most: name, help text, lengths."""


@dataclass(frozen=True)
class Origin:
    """The source of series: its resource, and whether this agent may still send them.

    Attributes:
        resource: encoded ResourceMetrics.resource.
        scope: name of the instrumentation scope.
        schema: URL of the semantic conventions that the names follow, "" for none.
        is_served: return False once another agent serves these series.
        leased: True if the series belong to the holder of a Lease: another agent goes on with them.
    """

    resource: bytes
    scope: str
    schema: str = ""
    is_served: Callable[[], bool] = lambda: True
    leased: bool = False

    def encode(self, metrics: Sequence[bytes]) -> bytes:
        """Encode a request, ExportMetricsServiceRequest, with one resource and one scope."""
        schema = text(3, self.schema) if self.schema else b""
        scope = message(2, message(1, text(1, self.scope)), *metrics)
        return message(1, self.resource, scope, schema)


@dataclass(frozen=True)
class Limits:
    """Largest request.

    Attributes:
        points: data points.
        size: bytes before compression; receivers measure them after decompression.
    """

    points: int
    size: int


@dataclass
class Metric:
    """One metric of a push.

    Attributes:
        family: its name on the page.
        shared: encoded attributes that all of its points share.
        cells: its points.
        gone: series that have vanished since the push before, as encoded attributes.
        ended: True if all series end with this push: their last points are sent instead of `cells`.
    """

    family: str
    head: MetricHead
    shared: bytes
    cells: list[Cell] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    ended: bool = False

    def __len__(self) -> int:
        """Return the number of points."""
        return sum(cell.points for cell in self.cells) + len(self.gone)

    def blobs(self, time: bytes, limits: Limits) -> Iterator[tuple[bytes, int]]:
        """Yield (encoded points, their number), within the limits unless one point alone is too large."""
        for cell in self.cells:
            if self.ended:
                yield from self._last(series_of(cell.unpack()), time, limits)
                continue
            for group, count in _cut(cell.unpack(), cell.points, limits, len(self.shared)):
                yield with_time(group, self.shared, time), count
        yield from self._last(self.gone, time, limits)

    def _last(self, series: Sequence[bytes], time: bytes, limits: Limits) -> Iterator[tuple[bytes, int]]:
        """Yield the last points of series."""
        for first in range(0, len(series), limits.points):
            some = series[first : first + limits.points]
            yield last_points(some, self.shared, time), len(some)


def _cut(points: bytes, count: int, limits: Limits, shared: int) -> Iterator[tuple[bytes, int]]:
    """Cut points in halves until each group is within the limits."""
    if count == 1 or count <= limits.points and len(points) + count * shared + OVERHEAD <= limits.size:
        yield points, count
        return
    half = min(limits.points, (count + 1) // 2)
    for number, group in enumerate(split(points, half)):
        yield from _cut(group, min(half, count - number * half), limits, shared)


@dataclass
class Part:
    """The metrics of one origin."""

    origin: Origin
    metrics: list[Metric]


@dataclass
class Push:
    """All series at one time.

    Attributes:
        time: Unix time in nanoseconds; that of every point.
    """

    time: int
    parts: list[Part]

    def __len__(self) -> int:
        """Return the number of points."""
        return sum(len(metric) for part in self.parts for metric in part.metrics)


@dataclass(frozen=True)
class Request:
    """One message to the receiver.

    Attributes:
        body: encoded ExportMetricsServiceRequest, not compressed.
    """

    origin: Origin
    body: bytes
    points: int


def requests(push: Push, limits: Limits) -> Iterator[Request]:
    """Yield the requests of a push, each made when it is wanted. A metric without points is never sent: Prometheus refuses the
    whole request then."""
    time = time_bytes(push.time)
    for part in push.parts:
        batch = _Batch(part.origin)
        for metric in part.metrics:
            for blob, points in metric.blobs(time, limits):
                if batch.points and (batch.points + points > limits.points or batch.size + len(blob) + OVERHEAD > limits.size):
                    yield batch.finish()
                    batch = _Batch(part.origin)
                batch.add(metric.head, blob, points)
        if batch.points:
            yield batch.finish()


class _Batch:
    """A request that is being filled."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._metrics: list[tuple[MetricHead, list[bytes]]] = []
        self.points = self.size = 0

    def add(self, head: MetricHead, blob: bytes, points: int) -> None:
        """Add points of a metric."""
        if not self._metrics or self._metrics[-1][0] is not head:
            self._metrics.append((head, []))
            self.size += OVERHEAD
        self._metrics[-1][1].append(blob)
        self.points += points
        self.size += len(blob)

    def finish(self) -> Request:
        """Encode the request."""
        metrics = [head.encode(blobs) for head, blobs in self._metrics]
        return Request(self._origin, self._origin.encode(metrics), self.points)
