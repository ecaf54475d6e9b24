"""Cron schedules of CronJobs: the next time a schedule is due (`spec.schedule` of batch/v1).

A schedule is five fields (minute, hour, day of month, month, day of week) of numbers or names, lists, ranges and steps; or
a word such as `@hourly`; or `@every 90m`.

kube-state-metrics reads schedules by a fork of robfig/cron (github.com/netresearch/go-cron) that differs from the CronJob
controller. This module gives the fork's results:

- A day matches only if both day fields match.
- A step must be smaller than its range.
- Days of the week go to 7, which is Sunday: 1/2 includes Sunday.
- A time that an advance of the clock skips is due in the hour after it.

The search takes the same steps as the fork, so that days on which the clock changes have the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Optional
from zoneinfo import ZoneInfo

YEARS = 5
"""Limit of the search: a schedule without a time in so many years never has one (30 February)."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_NUMBER = re.compile(r"\+?\d+", re.ASCII)
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = (1 << 63) // 10**9
_LONGEST_TEXT = 1024
"""Limit of kube-state-metrics in bytes, including the zone as `CRON_TZ=... ` before the schedule."""
_CYCLE = 146097 * 86400
"""Seconds of 400 years, after which the calendar repeats."""
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = -62000000000, 253000000000
"""Unix times in the years 5 and 9987. A search between them stays within the years 1 to 9999 of Python's calendar."""

Zone = Optional[tzinfo]
"""Time zone; None for the zone of this process."""


class Malformed(ValueError):
    """A schedule or time zone that cannot be parsed."""


@dataclass(frozen=True)
class Schedule:
    """A parsed schedule."""

    next: Callable[[int], Optional[int]]
    """From a time to the first scheduled time after it, both in Unix seconds; None if there is none."""


def parse(text: str, zone_name: str | None) -> Schedule:
    """Parse a schedule.

    Args:
        zone_name: spec.timeZone; None if it is absent.

    Raises:
        Malformed: the schedule or the zone cannot be parsed.
    """
    found = _cached(text, zone_name)
    if isinstance(found, str):
        raise Malformed(found)
    return found


@lru_cache(maxsize=4096)
def _cached(text: str, zone_name: str | None) -> Schedule | str:
    """Parse a schedule, or return the error, which is cached as well. PERF: looking up an unknown zone takes 90 us."""
    try:
        return _read(text, zone_name)
    except Malformed as error:
        return str(error)


def _read(text: str, zone_name: str | None) -> Schedule:
    prefixed = text if zone_name is None else f"CRON_TZ={zone_name} {text}"
    if len(prefixed.encode()) > _LONGEST_TEXT:
        raise Malformed(f"{text[:80]!r}... is longer than {_LONGEST_TEXT} bytes")
    # With spec.timeZone the peer adds the zone itself, and a second one in the text is malformed.
    if zone_name is None and text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        zone_name = prefix.partition("=")[2]
    zone = None if zone_name is None else _zone(zone_name)
    # The peer trims a schedule behind a zone, but not a schedule alone: "@hourly " is malformed.
    text = text if zone_name is None else text.strip()
    if text.startswith("@every "):
        delay = _delay(text[len("@every ") :])
        return Schedule(lambda after: after + delay)
    fields = _WORDS.get(text, text).split()
    if len(fields) != len(_BOUNDS):
        raise Malformed(f"{text[:80]!r} has {len(fields)} fields, not {len(_BOUNDS)}")
    *sets, weekdays = [_field(field, *bounds) for field, bounds in zip(fields, _BOUNDS)]
    sets.append(frozenset(day % 7 for day in weekdays))
    # A CronJob is rendered several times between two runs, from the same last schedule time.
    return Schedule(lru_cache(maxsize=1)(lambda after: _next_of_any_year(sets, zone, after)))


def _zone(name: str) -> Zone:
    if name == "Local":
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise Malformed(f"unknown time zone {name!r}") from error


def _delay(text: str) -> int:
    """Parse a duration of Go (`1h30m`) and return whole seconds."""
    parts = _DURATION.findall(text.removeprefix("+"))
    if "".join(number + unit for number, unit in parts) != text.removeprefix("+"):
        raise Malformed(f"{text[:80]!r} is not a duration such as 1h30m")
    seconds = int(sum(float(number) * _UNITS[unit] for number, unit in parts))
    if seconds > _LONGEST:
        raise Malformed(f"{text[:80]!r} is longer than 292 years")
    if seconds < 1:
        raise Malformed(f"{text[:80]!r} is shorter than a second")
    return seconds


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    return frozenset(value for part in text.split(",") if part for value in _span(part, low, high, names))


def _span(text: str, low: int, high: int, names: dict[str, int]) -> Iterable[int]:
    """Return the values of one range with its step. A range that ends before it begins wraps around: 22-2."""
    span, *steps = text.split("/")
    first, *rest = span.split("-")
    star = first in ("*", "?")
    if len(steps) > 1 or (len(rest) > 1 and not star):
        raise Malformed(f"{text[:80]!r} is not a range")
    if star:
        start, end = low, high
    else:
        start = _value(first, names)
        end = _value(rest[0], names) if rest else high if steps else start
    step = _value(steps[0], {}) if steps else 1
    if start < low or end > high or step == 0:
        raise Malformed(f"{text[:80]!r} is not within {low}-{high}")
    size = high - low + 1
    if start > end:
        end += size
    # The peer computes the size of the range without a sign, so a negative size is a large one.
    if 1 < step >= (end - start + 1) % (1 << 64):
        raise Malformed(f"{text[:80]!r} has a step that is not smaller than its range")
    return [value if value <= high else (value - low) % size + low for value in range(start, end + 1, step)]


def _value(text: str, names: dict[str, int]) -> int:
    known = names.get(text.lower())
    if known is not None:
        return known
    if not _NUMBER.fullmatch(text) or len(text) > 9:
        raise Malformed(f"{text[:80]!r} is not a number")
    return int(text)


def _next_of_any_year(sets: list[frozenset[int]], zone: Zone, after: int) -> int | None:
    """Call `_next`, for years near the ends of Python's calendar with a time 400 years away, when the calendar repeats."""
    # The year of the API's times may be 0 or 9999, where a search would leave Python's calendar.
    shift = _CYCLE if after < _FIRST else -_CYCLE if after > _LAST else 0
    # An empty field, as in ",", has no value and so no time: a search would not end.
    due = _next(sets, zone, after + shift) if all(sets) else None
    return None if due is None else due - shift


def _next(sets: list[frozenset[int]], zone: Zone, after: int) -> int | None:
    """Return the first matching whole minute after a time, searched in the peer's steps on the clock of the zone.

    An hour that the clock repeats is due twice. An hour that the clock skips is due as the hour after it.
    """
    minutes, hours, days, months, weekdays = sets
    clock = _Clock(zone, after + 1)
    last = clock.now.year + YEARS
    while clock.now.year <= last:
        if not clock.find_month(months) or not clock.find_day(days, weekdays) or not clock.find_hour(hours):
            continue
        if not clock.find_minute(minutes):
            continue
        if clock.now.second == 0:
            return clock.moment
        clock.go(60 - clock.now.second)
    return None


class _Clock:
    """Search position: a time that moves forward only.

    A `find_` method moves to the first match of its part of the time. It returns False after it moved into the next larger
    part (the next year, month, day or hour) without a match: the search then starts again at the months.
    """

    def __init__(self, zone: Zone, moment: int) -> None:
        self._zone, self._moved = zone, False
        self.go_to(moment)

    def go_to(self, moment: int) -> None:
        """Move to a time in Unix seconds."""
        self.moment, self.now = moment, datetime.fromtimestamp(moment, self._zone)

    def go(self, seconds: int) -> None:
        """Move forward by seconds."""
        self._moved = True
        self.go_to(self.moment + seconds)

    def find_month(self, months: frozenset[int]) -> bool:
        """Move to the beginning of one of these months."""
        while self.now.month not in months:
            self._begin(self.now.replace(day=1, hour=0, minute=0, second=0))
            now = self.now
            self._write(now.year + now.month // 12, now.month % 12 + 1, now.day, now)
            if self.now.month == 1:
                return False
        return True

    def find_day(self, days: frozenset[int], weekdays: frozenset[int]) -> bool:
        """Move to the beginning of a day that matches both day fields."""
        while self.now.day not in days or self.now.isoweekday() % 7 not in weekdays:
            self._begin(self.now.replace(hour=0, minute=0, second=0))
            before = self.moment
            self._write(self.now.year, self.now.month, self.now.day + 1, self.now)
            hour = self.now.hour
            if hour:
                # The clock skipped midnight (Brazil until 2018), so the day began at another hour.
                self.go((24 - hour if hour > 12 else -hour) * 3600)
            if self.moment <= before:
                # The clock skipped a whole day (Samoa, 30 December 2011). The peer loops for ever here; go on instead.
                self.go_to(before + 86400)
            if self.now.day == 1:
                return False
        return True

    def find_hour(self, hours: frozenset[int]) -> bool:
        """Move to the beginning of one of these hours."""
        while self.now.hour not in hours:
            self._begin(self.now.replace(minute=0, second=0))
            before = self.now.hour
            self.go(3600)
            # The clock skipped a matching hour: the hour after it counts.
            if self.now.hour - before == 2 and self.now.hour - 1 in hours:
                return True
            if self.now.hour == 0:
                return False
        return True

    def find_minute(self, minutes: frozenset[int]) -> bool:
        """Move to the beginning of one of these minutes."""
        while self.now.minute not in minutes:
            self.go(60 if self._moved else 60 - self.moment % 60)
            if self.now.minute == 0:
                return False
        return True

    def _begin(self, start: datetime) -> None:
        """Move to the beginning of a part of the time before the first step; after it the position is at a beginning."""
        if not self._moved:
            self._moved = True
            self._write(start.year, start.month, start.day, start)

    def _write(self, year: int, month: int, day: int, clock: datetime) -> None:
        """Move to a time on the clock of the zone. A day beyond the end of the month counts into the next month."""
        days = date(year, month, 1).toordinal() - _EPOCH + day - 1
        written = days * 86400 + clock.hour * 3600 + clock.minute * 60 + clock.second
        ahead = _ahead(datetime.fromtimestamp(written, self._zone))
        self.go_to(written - ahead)
        # The first guess took the offset at the wrong moment if the clock changes in between.
        if _ahead(self.now) != ahead:
            self.go_to(written - _ahead(self.now))


def _ahead(now: datetime) -> int:
    """Return the offset from UTC in seconds."""
    offset = (now if now.tzinfo else now.astimezone()).utcoffset()
    return 0 if offset is None else offset.days * 86400 + offset.seconds
