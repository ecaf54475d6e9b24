"""Naming of the semantic conventions: a resource per entity, and the metrics of an entity together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from telegen.otlp.columns import Cell
from telegen.otlp.conventions import conventions_of
from telegen.otlp.entities import Entities, identity_of
from telegen.otlp.families import MetricHead, has_starts, prometheus_head
from telegen.otlp.points import STAND_IN, last_points, time_bytes
from telegen.otlp.requests import OVERHEAD, Limits, Metric, Origin, Part, Request, cut
from telegen.otlp.resources import SCHEMA
from telegen.otlp.semconv_family import (
    SEPARATOR,
    SemconvFamily,
    Wrapper,
    records,
    with_uptime,
)
from telegen.otlp.wire import head, message, text
from telegen.shm.layout import FamilyEntry

Points = dict[Wrapper, bytes]
"""Encoded points of one entity by metric."""


class SemconvNaming:
    """The naming of semantic conventions 1.44."""

    def __init__(self) -> None:
        self._families: dict[str, SemconvFamily] = {}
        self._entities: dict[tuple[int, bool], Entities] = {}
        self._wrappers: dict[MetricHead, Wrapper] = {}

    def family(self, entry: FamilyEntry, shared: bytes) -> SemconvFamily:
        """Return the encoder of a family."""
        kept, entities = prometheus_head(entry, described=False), self._entities_of(entry.name)
        made = SemconvFamily(entry.name, kept, conventions_of(entry.name), entities, shared, self._wrap, has_starts(entry))
        self._families[entry.name] = made
        return made

    def part(self, origin: Origin, metrics: Sequence[Metric]) -> Part:
        """Return the metrics of an origin, which `family` has made the families of."""
        return EntityPart(origin, metrics)

    def forget(self) -> None:
        """Free the memory that only encoding needs."""
        for entities in self._entities.values():
            entities.clear()
        for family in self._families.values():
            family.forget()

    def _entities_of(self, family: str) -> Entities:
        """Return the entities of a family, which families of the same identity share."""
        identity, network = identity_of(family), family.startswith("container_network_")
        return self._entities.setdefault((id(identity), network), Entities(identity, network))

    def _wrap(self, head: MetricHead) -> Wrapper:
        return self._wrappers.setdefault(head, Wrapper(head))


@dataclass
class EntityPart:
    """The metrics of one origin, under a resource per entity."""

    origin: Origin
    metrics: Sequence[Metric]

    def requests(self, time: int, limits: Limits) -> Iterator[Request]:
        """Yield the requests. The objects of a block come together, so the memory is that of a block of all families."""
        batch = _Batch(self.origin, time, limits)
        for cells in _blocks([metric for metric in self.metrics if not metric.ended]):
            for entity, points in _by_entity(cells):
                for body, number in _cut(points, limits, lambda some, count: cut(some, count, limits, 0)):
                    yield from batch.add(entity, body, number)
        for series in self._ends():
            for entity, points in _last(series, limits.points):
                for body, number in _cut(points, limits, lambda some, count: [(some, count)]):
                    yield from batch.add(entity, body, number)
        if len(batch):
            yield batch.take()

    def _ends(self) -> Iterator[list[tuple[SemconvFamily, bytes]]]:
        """Yield the series that end, in lists of a size that depends on a block only."""
        for cells in _blocks([metric for metric in self.metrics if metric.ended]):
            yield [(family, one) for family, cell in cells for one in family.series(cell.unpack())]
        yield [(_family(metric), one) for metric in self.metrics for one in metric.gone]


def _family(metric: Metric) -> SemconvFamily:
    assert isinstance(metric.family, SemconvFamily)
    return metric.family


def _blocks(metrics: Iterable[Metric]) -> Iterator[list[tuple[SemconvFamily, Cell]]]:
    """Yield the cells of each block, of all families."""
    blocks: dict[int, list[tuple[SemconvFamily, Cell]]] = defaultdict(list)
    for metric in metrics:
        for cell in metric.cells:
            blocks[cell.block].append((_family(metric), cell))
    yield from blocks.values()


def _by_entity(cells: Iterable[tuple[SemconvFamily, Cell]]) -> Iterator[tuple[bytes, Points]]:
    """Yield the points of each entity. PERF: 0.5 us per metric of an entity."""
    found: dict[bytes, Points] = {}
    for family, cell in cells:
        wrappers = family.wrappers
        for number, entity, some in records(cell.unpack()):
            points = found.get(entity)
            if points is None:
                points = found[entity] = {}
            wrapper = wrappers[number]
            # Several families may be one metric.
            points[wrapper] = points[wrapper] + some if wrapper in points else some
    yield from found.items()


def _last(series: Iterable[tuple[SemconvFamily, bytes]], most: int) -> Iterator[tuple[bytes, Points]]:
    """Yield the last points of series by entity, at most `most` of a metric at once."""
    found: dict[bytes, dict[Wrapper, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for family, one in series:
        number, entity, attributes = one.split(SEPARATOR)
        found[entity][family.wrappers[number]].append(attributes)
    for entity, metrics in found.items():
        for first in range(0, max(map(len, metrics.values())), most):
            chosen = {wrapper: some[first : first + most] for wrapper, some in metrics.items()}
            yield entity, {wrapper: last_points(some, b"", STAND_IN) for wrapper, some in chosen.items() if some}


def _wrapped(points: Points) -> bytes:
    """Encode metrics as field 2 of ScopeMetrics."""
    return b"".join([part for wrapper, some in points.items() for part in (wrapper.before(len(some)), some, wrapper.after)])


def _cut(points: Points, limits: Limits, groups: Callable[[bytes, int], Iterable[tuple[bytes, int]]]) -> Iterator[tuple[bytes, int]]:
    """Yield (metrics, number of points) of one entity within the limits.

    Args:
        groups: cut (points of one metric, their number).
    """
    body = _wrapped(points)
    number = body.count(STAND_IN)
    if number <= limits.points and len(body) + OVERHEAD <= limits.size:
        yield body, number
        return
    for wrapper, some in points.items():
        for group, count in groups(some, some.count(STAND_IN)):
            yield _wrapped({wrapper: group}), count


class _Batch:
    """A request that is being filled."""

    def __init__(self, origin: Origin, time: int, limits: Limits) -> None:
        self._origin, self._time, self._limits = origin, time, limits
        self._scope, self._schema = message(1, text(1, origin.scope)), text(3, SCHEMA)
        self._parts: list[bytes] = []
        self._size = self._points = 0

    def add(self, entity: bytes, metrics: bytes, points: int) -> Iterator[Request]:
        """Add metrics of an entity; yield the request before if they do not fit into it."""
        before = message(1, self._origin.shared, entity) + head(2, len(self._scope) + len(metrics)) + self._scope
        part = b"".join((head(1, len(before) + len(metrics) + len(self._schema)), before, metrics, self._schema))
        if self._parts and (self._points + points > self._limits.points or self._size + len(part) > self._limits.size):
            yield self.take()
        self._parts.append(part)
        self._size += len(part)
        self._points += points

    def take(self) -> Request:
        """Encode the request, ExportMetricsServiceRequest, and begin another one."""
        body = with_uptime(b"".join(self._parts), self._time).replace(STAND_IN, time_bytes(self._time))
        points, self._parts, self._size, self._points = self._points, [], 0, 0
        return Request(self._origin, body, points)

    def __len__(self) -> int:
        """Return the number of points."""
        return self._points
