"""Cron schedules of CronJobs: the next time a schedule is due (`spec.schedule` of batch/v1).

A schedule is five fields (minute, hour, day of month, month, day of week) of numbers or names, lists, ranges and steps; or
a word such as `@hourly`; or `@every 90m`.

The times are those of the CronJob controller, which reads schedules by github.com/robfig/cron 3.0.1:

- If both day fields are restricted, a day matches if one of them matches. `*`, `?` and `*/1` do not restrict; `*/2` does.
- A step that is larger than its range gives the first value: `*/60` in the minutes is hourly.
- Days of the week are 0 to 6. A range does not wrap around.

The search takes the same steps as that library, so that days on which the clock changes have the same result. One step is that of
kube-state-metrics: a time that an advance of the clock skips is due in the hour after it. The controller leaves it out.
kube-state-metrics uses another library, which differs from the controller in the three points of the list as well.
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
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
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
_ANY = re.compile(r"[*?][^/]*(/\+?0*1)?", re.ASCII)
"""Part of a day field that does not restrict the days."""
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = (1 << 63) // 10**9
_LONGEST_TEXT = 1024
"""Limit in bytes, including the zone as `CRON_TZ=... ` before the schedule; it bounds the cache. kube-state-metrics has the same."""
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
class _Times:
    """Values of the five fields."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """Days of the week; Sunday is 0."""
    either: bool
    """True if a day matches by one of its two fields; False if both must match."""

    def include_day(self, day: int, weekday: int) -> bool:
        """Return True if the day fields match."""
        fits, fits_week = day in self.days, weekday in self.weekdays
        return fits or fits_week if self.either else fits and fits_week

    def never(self) -> bool:
        """Return True if a field has no value, as `,` has none."""
        days = self.days or self.weekdays if self.either else self.days and self.weekdays
        return not (self.minutes and self.hours and self.months and days)


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
    # The API server refuses a zone in the text beside spec.timeZone.
    if zone_name is None and text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        zone_name = prefix.partition("=")[2]
    zone = None if zone_name is None else _zone(zone_name)
    # The controller trims a schedule behind a zone, but not a schedule alone: "@hourly " is malformed.
    text = text if zone_name is None else text.strip()
    if text.startswith("@every "):
        delay = _delay(text[len("@every ") :])
        return Schedule(lambda after: after + delay)
    fields = _WORDS.get(text, text).split()
    if len(fields) != len(_BOUNDS):
        raise Malformed(f"{text[:80]!r} has {len(fields)} fields, not {len(_BOUNDS)}")
    minutes, hours, days, months, weekdays = [_field(field, *bounds) for field, bounds in zip(fields, _BOUNDS)]
    either = not _is_any(fields[2]) and not _is_any(fields[4])
    times = _Times(minutes, hours, days, months, weekdays, either)
    # A CronJob is rendered several times between two runs, from the same last schedule time.
    return Schedule(lru_cache(maxsize=1)(lambda after: _next_of_any_year(times, zone, after)))


def _zone(name: str) -> Zone:
    if name == "Local":
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise Malformed(f"unknown time zone {name!r}") from error


def _delay(text: str) -> int:
    """Parse a duration of Go (`1h30m`) and return whole seconds, at least one."""
    sign, digits = (text[:1], text[1:]) if text[:1] in ("+", "-") else ("", text)
    parts = _DURATION.findall(digits)
    if digits != "0" and (not digits or "".join(number + unit for number, unit in parts) != digits):
        raise Malformed(f"{text[:80]!r} is not a duration such as 1h30m")
    seconds = int(sum(float(number) * _UNITS[unit] for number, unit in parts))
    if seconds > _LONGEST:
        raise Malformed(f"{text[:80]!r} is longer than 292 years")
    # The controller rounds a shorter delay up to a second, also a negative one.
    return 1 if sign == "-" else max(1, seconds)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    return frozenset(value for part in text.split(",") if part for value in _span(part, low, high, names))


def _is_any(field: str) -> bool:
    """Return True for a day field that does not restrict the days: one of its parts is `*` or `?` without a step."""
    return any(_ANY.fullmatch(part) for part in field.split(","))


def _span(text: str, low: int, high: int, names: dict[str, int]) -> Iterable[int]:
    """Return the values of one range with its step."""
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
    if not low <= start <= end <= high or step == 0:
        raise Malformed(f"{text[:80]!r} is not within {low}-{high}")
    return range(start, end + 1, step)


def _value(text: str, names: dict[str, int]) -> int:
    known = names.get(text.lower())
    if known is not None:
        return known
    if not _NUMBER.fullmatch(text) or len(text) > 9:
        raise Malformed(f"{text[:80]!r} is not a number")
    return int(text)


def _next_of_any_year(times: _Times, zone: Zone, after: int) -> int | None:
    """Call `_next`, for years near the ends of Python's calendar with a time 400 years away, when the calendar repeats."""
    # The year of the API's times may be 0 or 9999, where a search would leave Python's calendar.
    shift = _CYCLE if after < _FIRST else -_CYCLE if after > _LAST else 0
    # PERF: without this check, the search would try each minute of five years.
    due = None if times.never() else _next(times, zone, after + shift)
    return None if due is None else due - shift


def _next(times: _Times, zone: Zone, after: int) -> int | None:
    """Return the first matching whole minute after a time, searched in the controller's steps on the clock of the zone.

    An hour that the clock repeats is due twice. An hour that the clock skips is due as the hour after it.
    """
    clock = _Clock(zone, after + 1)
    last = clock.now.year + YEARS
    while clock.now.year <= last:
        if not clock.find_month(times.months) or not clock.find_day(times) or not clock.find_hour(times.hours):
            continue
        if not clock.find_minute(times.minutes):
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

    def find_day(self, times: _Times) -> bool:
        """Move to the beginning of a day that matches the day fields."""
        while not times.include_day(self.now.day, self.now.isoweekday() % 7):
            self._begin(self.now.replace(hour=0, minute=0, second=0))
            before = self.moment
            self._write(self.now.year, self.now.month, self.now.day + 1, self.now)
            hour = self.now.hour
            if hour:
                # The clock skipped midnight (Brazil until 2018), so the day began at another hour.
                self.go((24 - hour if hour > 12 else -hour) * 3600)
            if self.moment <= before:
                # The clock skipped a whole day (Samoa, 30 December 2011). The controller's library loops for ever here; go on instead.
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
            # The clock skipped a matching hour: the hour after it counts, as in kube-state-metrics.
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
