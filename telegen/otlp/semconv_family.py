"""Families as the semantic conventions name them: from the lines of a cell to encoded points by metric and entity.

A cell is kept as records of three parts, joined by `SEPARATOR`: the number of the metric, the entity's attributes and the points as in
`telegen.otlp.points`. The value of a point in `UPTIME` is a Unix time, which becomes the seconds since then at each push.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat

from telegen.otlp.conventions import Convention, Conventions, Level
from telegen.otlp.entities import Entities
from telegen.otlp.families import MetricHead, metric_head
from telegen.otlp.points import (
    MEMO,
    STAND_IN,
    TIME_SIZE,
    VALUE_SIZE,
    Heads,
    encode_attribute,
    parse_labels,
    series_of,
    start_times,
)

SEPARATOR = b"\xfe\xff" * 8
"""Between the parts of a record. A point has no such run of bytes: see STAND_IN."""
UPTIME = STAND_IN + b"\x29"
"""Stand-in before a value that is a Unix time; the tag of all other values is 21."""
_VALUE = struct.Struct("<cd")
_UPTIME = re.compile(re.escape(UPTIME) + b"(.{8})", re.DOTALL)
_DOUBLE = struct.Struct("<d")
_SIZE = re.compile(r"(\d+)([KMGTPE])i")

Record = tuple[bytes, bytes, bytes]
"""(number of the metric, entity, points)."""
Labels = dict[bytes, bytes]
RouteKey = tuple[Level, tuple[bytes, ...]]
"""(level, values of the labels of `where`)."""


def records(cell: bytes) -> Iterator[Record]:
    """Yield the records of a cell."""
    parts = iter(cell.split(SEPARATOR) if cell else ())
    return zip(parts, parts, parts)


def with_uptime(points: bytes, time: int) -> bytes:
    """Replace start times by the seconds since then.

    Args:
        time: Unix time in nanoseconds.
    """
    if UPTIME not in points:
        return points

    def since(found: re.Match[bytes]) -> bytes:
        # A start in the future is that of a clock that was put back.
        return STAND_IN + _VALUE.pack(b"\x21", max(0.0, time / 1e9 - _DOUBLE.unpack(found[1])[0]))

    return _UPTIME.sub(since, points)


class Wrapper:
    """The message of a metric around its points."""

    def __init__(self, head: MetricHead) -> None:
        self._head, self._before, self.after = head, dict[int, bytes](), head.tail

    def before(self, length: int) -> bytes:
        """Return what precedes points of some length. PERF: 0.1 us from a memo."""
        known = self._before.get(length)
        if known is None:
            if len(self._before) >= MEMO:
                self._before.clear()
            known = self._before[length] = self._head.before(length)
        return known


class Route:
    """The way of a sample to one metric: its number in the family, and the attributes of its points."""

    def __init__(self, number: int, convention: Convention | None, shared: bytes, captured: Mapping[str, str] | None = None) -> None:
        """Prepare.

        Args:
            convention: None to keep the labels.
            shared: encoded attributes that all points of the family share.
            captured: text by named group of the labels that have led here.
        """
        self.number, self.convention = b"%d" % number, convention
        self._memo: dict[tuple[bytes, bytes], bytes] = {}
        self._names: dict[bytes, bytes] = {}
        self._omitted: frozenset[bytes] = frozenset()
        self.divisor, self._fixed = 1.0, shared
        if convention:
            self._names = {label.encode(): name.encode() for label, name in convention.attributes.items()}
            dropped = {label.encode() for label in (*convention.where, *convention.dropped)}
            self._omitted = frozenset(dropped - self._names.keys())
            groups = captured or {}
            fixed = {**convention.fixed, **{name: groups[group] for group, name in convention.captured.items()}}
            self._fixed += b"".join(encode_attribute(name.encode(), value.encode()) for name, value in fixed.items())
            self.divisor = _bytes(groups[convention.divisor]) if convention.divisor else 1.0
        self._tag = UPTIME[-1:] if convention and convention.reading == "uptime" else b"\x21"

    def attributes(self, labels: Labels) -> bytes:
        """Encode labels that identify no entity."""
        if not labels:
            return self._fixed
        memo = self._memo
        return b"".join([memo.get(label) or self._encode(label) for label in labels.items()]) + self._fixed

    def value(self, value: float) -> bytes:
        """Encode what follows the attributes of a point."""
        return STAND_IN + _VALUE.pack(self._tag, value / self.divisor)

    def forget(self) -> None:
        """Free the memory that only encoding needs."""
        self._memo.clear()

    def _encode(self, label: tuple[bytes, bytes]) -> bytes:
        if len(self._memo) >= MEMO:
            self._memo.clear()
        name, value = label
        value = value.lower() if self.convention and self.convention.lower else value
        encoded = b"" if name in self._omitted else encode_attribute(self._names.get(name, name), value)
        self._memo[label] = encoded
        return encoded


Sample = tuple[Route, bytes, bytes, float]
"""(route, entity, attributes, value)."""


def count_samples(samples: Iterable[Sample]) -> list[Sample]:
    """Replace samples of equal attributes by one with their number."""
    found: dict[tuple[Route, bytes, bytes], int] = defaultdict(int)
    for route, entity, attributes, _ in samples:
        found[route, entity, attributes] += 1
    return [(*key, float(number)) for key, number in found.items()]


def minor_faults(samples: Iterable[Sample]) -> list[Sample]:
    """Subtract the major faults of an entity from all of its faults."""
    given = list(samples)
    conventions = [(one, one[0].convention) for one in given]
    major = {one[1]: one[3] for one, found in conventions if found and found.reading == "as_is"}
    return [
        (*one[:3], one[3] - major.get(one[1], 0.0)) if found and found.reading == "minor_faults" else one for one, found in conventions
    ]


FOLDS: Mapping[str, Callable[[Iterable[Sample]], list[Sample]]] = {"count": count_samples, "minor_faults": minor_faults}
"""Readings that need all samples of a cell. The samples of one object are in one cell."""


class SemconvFamily:
    """A family, its metrics and its routes."""

    def __init__(
        self,
        name: str,
        kept: MetricHead,
        conventions: Conventions,
        entities: Entities,
        shared: bytes,
        wrap: Callable[[MetricHead], Wrapper],
        has_starts: bool = False,
    ) -> None:
        """Prepare.

        Args:
            kept: the metric under the name of the page, for samples that no convention names.
            shared: encoded attributes that all points share.
            wrap: return the one wrapper of a metric, which several families may share.
            has_starts: True if the lines include the `_created` samples of OpenMetrics.
        """
        self.name, self._conventions, self._entities, self._shared = name, conventions, entities, shared
        self._has_starts = has_starts
        heads = (kept, *(metric_head(one.name, "", one.unit, "", one.monotonic) for one in conventions))
        self.wrappers = {b"%d" % number: wrap(head) for number, head in enumerate(heads)}
        self._kept, self._heads = Route(0, None, shared), Heads()
        self._routes: dict[RouteKey, Route] = {}
        where = sorted({label for one in conventions for label in one.where})
        self._where, self._where_labels = where, [label.encode() for label in where]
        self._fold = next((FOLDS[one.reading] for one in conventions if one.reading in FOLDS), None)

    def encode(self, lines: bytes) -> tuple[bytes, int]:
        """Encode the lines of a cell. PERF: 3 us a line of five labels.

        Raises:
            ValueError: a line is malformed.
        """
        lines, starts = start_times(self.name.encode(), lines) if self._has_starts else (lines, [])
        samples: Iterable[Sample] = self._samples(lines)
        if self._fold:
            samples = self._fold(samples)
        found: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
        number, heads = 0, self._heads
        for number, ((route, entity, attributes, value), start) in enumerate(zip(samples, starts or repeat(b"")), 1):
            points = found[route.number, entity]
            points += heads[len(start) + len(attributes) + TIME_SIZE + VALUE_SIZE], start, attributes, route.value(value)
        return SEPARATOR.join([part for key, points in found.items() for part in (*key, b"".join(points))]), number

    def series(self, points: bytes) -> list[bytes]:
        """Return the identity of the series of each point: number of the metric, entity and attributes."""
        return [SEPARATOR.join((number, entity, one)) for number, entity, some in records(points) for one in series_of(some)]

    def forget(self) -> None:
        """Free the memory that only encoding needs."""
        self._kept.forget()
        self._routes.clear()

    def _samples(self, lines: bytes) -> Iterator[Sample]:
        entities, routes, seen = self._entities, self._routes, set[tuple[bytes, bytes, bytes]]()
        names, where = entities.labels, self._where_labels
        for labels, value in parse_lines(lines, len(self.name) + 1):
            entity, level = entities[tuple([labels.pop(name, b"") for name in names])]
            key = level, tuple([labels.get(label, b"") for label in where]) if where else ()
            route = routes.get(key) or self._choose(key)
            attributes = route.attributes(labels)
            if where:
                series = route.number, entity, attributes
                if series in seen:
                    # Two names of one amount, such as `cpu` and `requests.cpu` in a quota: a metric has one of them.
                    route = self._kept
                    attributes = route.attributes(labels)
                seen.add(series)
            yield route, entity, attributes, float(value)

    def _choose(self, key: RouteKey) -> Route:
        """Find the route of some samples."""
        if len(self._routes) >= MEMO:
            self._routes.clear()
        level, found = key
        values = dict(zip(self._where, (value.decode() for value in found)))
        for number, one in enumerate(self._conventions, 1):
            captured = matched(one, level, values)
            if captured is not None:
                made = self._routes[key] = Route(number, one, self._shared, captured)
                return made
        self._routes[key] = self._kept
        return self._kept


def matched(convention: Convention, level: Level, values: Mapping[str, str]) -> dict[str, str] | None:
    """Return the named groups of the labels if a convention is for them, else None."""
    if convention.level not in (None, level):
        return None
    found = [re.fullmatch(pattern, values[label]) for label, pattern in convention.where.items()]
    groups: dict[str, str] = {}
    for one in found:
        if one is None:
            return None
        groups.update(one.groupdict())
    return groups


def parse_lines(lines: bytes, start: int) -> Iterator[tuple[Labels, bytes]]:
    """Yield (labels, value) of each line.

    Args:
        start: position of the first label.
    """
    for line in lines.split(b"\n"):
        text, _, value = line.rpartition(b"} ")
        if not text:
            if line:
                yield {}, line[start:]
        elif b"\\" in text or b'=",' in text:
            # An escaped quote, or a value that begins with a comma: `",` does not only end values.
            yield dict(parse_labels(text[start:])), value
        else:
            yield dict([pair.split(b'="', 1) for pair in text[start:-1].split(b'",')]), value


def _bytes(size: str) -> float:
    """Return the bytes of a size in binary notation."""
    found = _SIZE.fullmatch(size)
    return float(found[1]) * 1024 ** ("KMGTPE".index(found[2]) + 1) if found else 1.0
