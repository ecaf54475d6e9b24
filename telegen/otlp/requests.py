"""Pushes: encoded cells that become messages of a limited size, with the time of the push.

A push holds only references to encoded cells, so it costs little until its requests are made, and makes the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from telegen.otlp.columns import Cell, Family
from telegen.otlp.points import split
from telegen.shm.layout import FamilyEntry

OVERHEAD = 1024
"""Bytes that a metric adds to its points at most: name, help text, lengths."""


@dataclass(frozen=True)
class Origin:
    """The source of series: its resource, and whether this agent may still send them.

    Attributes:
        resource: encoded ResourceMetrics.resource.
        scope: name of the instrumentation scope.
        shared: encoded attributes of the resources of entities, in the naming of the semantic conventions.
        is_served: return False once another agent serves these series.
        leased: True if the series belong to the holder of a Lease: another agent goes on with them.
    """

    resource: bytes
    scope: str
    shared: bytes = b""
    is_served: Callable[[], bool] = lambda: True
    leased: bool = False


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
    """The points of one family in a push.

    Attributes:
        cells: its points.
        gone: series that have vanished since the push before.
        ended: True if all series end with this push: their last points are sent instead of `cells`.
    """

    family: Family
    cells: list[Cell] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    ended: bool = False

    def __len__(self) -> int:
        """Return the number of points."""
        return sum(cell.points for cell in self.cells) + len(self.gone)


def cut(points: bytes, count: int, limits: Limits, shared: int) -> Iterator[tuple[bytes, int]]:
    """Cut points in halves until each group is within the limits."""
    if count == 1 or count <= limits.points and len(points) + count * shared + OVERHEAD <= limits.size:
        yield points, count
        return
    half = min(limits.points, (count + 1) // 2)
    for number, group in enumerate(split(points, half)):
        yield from cut(group, min(half, count - number * half), limits, shared)


class Part(Protocol):
    """The metrics of one origin."""

    @property
    def origin(self) -> Origin:
        """Source of the series."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """Points by family."""

    def requests(self, time: int, limits: Limits) -> Iterator[Request]:
        """Yield the requests, each made when it is wanted. A metric without points is never sent: Prometheus refuses the whole
        request then."""


class Naming(Protocol):
    """Names, resources and attributes of what is pushed."""

    def family(self, entry: FamilyEntry, shared: bytes) -> Family:
        """Return the encoder of a family.

        Args:
            shared: encoded attributes that all of its points share.
        """

    def part(self, origin: Origin, metrics: Sequence[Metric]) -> Part:
        """Return the metrics of an origin, whose families `family` has made."""

    def forget(self) -> None:
        """Free the memory that only encoding needs."""


@dataclass
class Push:
    """All series at one time.

    Attributes:
        time: Unix time in nanoseconds; that of every point.
    """

    time: int
    parts: Sequence[Part]

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
    """Yield the requests of a push, each made when it is wanted."""
    for part in push.parts:
        yield from part.requests(push.time, limits)
