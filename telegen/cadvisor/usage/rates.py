"""Rates of one object from consecutive readings.

The rules are those of metrics-server, without its faults: a number that has stayed 0 is a rate of 0; time never goes back; an object
without CPU or memory has no usage, which is never 0 instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from telegen.cadvisor.usage.columns import Column, Number, Raw, valid

FRESH = 10.0
"""Seconds from which on the age of a container is a window: over less, one burst would look like a load."""


LEAST = 1.0
"""Seconds from which on the time between two readings is a window; with short intervals a quarter of the interval. Passes follow each other
at once after a pause of the process."""


class Point(NamedTuple):
    """Readings of one object in one pass.

    Attributes:
        time: of the reading, in seconds.
        start: of the object, on the same clock; None if unknown.
        numbers: one per column.
    """

    time: float
    start: Optional[float]
    numbers: Sequence[Raw]


class Usage(NamedTuple):
    """Values over a window that ends at `time`; both in seconds."""

    time: float
    window: float
    values: tuple[Number, ...]


class Track:
    """The last point of an object, and the usage that it ended.

    Attributes:
        usage: None without two points.
    """

    __slots__ = ("usage", "_last")

    def __init__(self) -> None:
        self.usage: Optional[Usage] = None
        self._last: Optional[Point] = None

    def add(self, columns: Sequence[Column], point: Point, interval: float, required: int = 0) -> None:
        """Take the next point. One that is hardly newer than the last, or older, changes nothing.

        Args:
            interval: seconds between two passes; a container that is younger had no point before.
            required: number of columns without whose values there is no usage.
        """
        last = self._last
        if last and point.time - last.time < min(LEAST, interval / 4):
            return
        point = point._replace(numbers=tuple([valid(number) for number in point.numbers]))
        self._last = point
        if last and point.start is not None and point.start >= last.time:
            last = None
        begin = _at_start(columns, point, interval) or last
        usage = _between(columns, begin, point) if begin else None
        self.usage = usage if usage and None not in usage.values[:required] else None


def earliest(usages: Sequence[Usage]) -> Usage:
    """Return the usage whose time and window stand for several."""
    return min(usages, key=lambda usage: usage.time)


def _at_start(columns: Sequence[Column], point: Point, interval: float) -> Optional[Point]:
    """Return the start of a container as a point, if its age is a window and no more than an interval; else None."""
    if point.start is None or not FRESH <= point.time - point.start < interval:
        return None
    return Point(point.start, None, [column.start for column in columns])


def _between(columns: Sequence[Column], before: Point, now: Point) -> Usage:
    window = now.time - before.time
    values = [column.between(old, new, window) for column, old, new in zip(columns, before.numbers, now.numbers)]
    return Usage(now.time, window, tuple(values))
