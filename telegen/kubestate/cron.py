"""When a cron schedule fires next, as the CronJob controller reads it (the `spec.schedule` of batch/v1).

Five fields (minute, hour, day of month, month, day of week) of numbers or names, lists, ranges and steps; `@hourly` and
its like; `@every 90m`. Like kube-state-metrics, and unlike the controller itself, a day counts only when both day fields
match, a step must be smaller than its range, and what an advance of the clock leaves out fires in the hour after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Optional
from zoneinfo import ZoneInfo

YEARS = 5
"""A schedule that does not fire within so many years never does (30 February)."""

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
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = (1 << 63) // 10**9
_LONGEST_TEXT = 1024
"""Bytes that kube-state-metrics reads, the zone as `CRON_TZ=... ` before the schedule included."""
_CYCLE = 146097 * 86400
"""Seconds of 400 years, after which the calendar repeats."""
_FIRST, _LAST = -62000000000, 253000000000
"""In the years 5 and 9987: from there a search cannot leave the calendar."""

Zone = Optional[tzinfo]
"""None is the zone of this process."""


class Malformed(ValueError):
    """A schedule that cannot be read."""


@dataclass(frozen=True)
class Schedule:
    """A readable schedule; its one method is `next`."""

    next: Callable[[int], Optional[int]]
    """The first time after a time, both in Unix seconds; None when there is none."""


def parse(text: str, zone_name: str | None) -> Schedule:
    """Read a schedule.

    Args:
        zone_name: spec.timeZone; None when there is none.

    Raises:
        Malformed: schedule or zone cannot be read.
    """
    found = _remembered(text, zone_name)
    if isinstance(found, str):
        raise Malformed(found)
    return found


@lru_cache(maxsize=4096)
def _remembered(text: str, zone_name: str | None) -> Schedule | str:
    """A schedule, or why there is none. PERF: to look for a zone that does not exist takes 90 us."""
    try:
        return _read(text, zone_name)
    except Malformed as error:
        return str(error)


def _read(text: str, zone_name: str | None) -> Schedule:
    prefixed = text if zone_name is None else f"CRON_TZ={zone_name} {text}"
    if len(prefixed.encode()) > _LONGEST_TEXT:
        raise Malformed(f"{text[:80]!r}... is longer than {_LONGEST_TEXT} bytes")
    if zone_name is None and text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        zone_name = prefix.partition("=")[2]
    zone = None if zone_name is None else _zone(zone_name)
    # What stands behind a zone is trimmed; a word by itself, as in "@hourly ", is not.
    text = text if zone_name is None else text.strip()
    if text.startswith("@every "):
        delay = _delay(text[len("@every ") :])
        return Schedule(lambda after: after + delay)
    fields = _WORDS.get(text, text).split()
    if len(fields) != len(_BOUNDS):
        raise Malformed(f"{text[:80]!r} has {len(fields)} fields, not {len(_BOUNDS)}")
    sets = [_field(field, *bounds) for field, bounds in zip(fields, _BOUNDS)]
    return Schedule(lru_cache(maxsize=1)(lambda after: _next_of_any_year(sets, zone, after)))


def _zone(name: str) -> Zone:
    if name == "Local":
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise Malformed(f"unknown time zone {name!r}") from error


def _delay(text: str) -> int:
    """Whole seconds of a duration as Go writes it."""
    parts = _DURATION.findall(text.removeprefix("+"))
    if "".join(number + unit for number, unit in parts) != text.removeprefix("+"):
        raise Malformed(f"{text[:80]!r} is no duration")
    seconds = int(sum(float(number) * _UNITS[unit] for number, unit in parts))
    if seconds > _LONGEST:
        raise Malformed(f"{text[:80]!r} is longer than nanoseconds in 63 bits can tell")
    if seconds < 1:
        raise Malformed(f"{text[:80]!r} is shorter than a second")
    return seconds


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    return frozenset(value for part in text.split(",") if part for value in _span(part, low, high, names))


def _span(text: str, low: int, high: int, names: dict[str, int]) -> range:
    """One range with its step."""
    span, *steps = text.split("/")
    first, *rest = span.split("-")
    star = first in ("*", "?")
    if len(steps) > 1 or (len(rest) > 1 and not star):
        raise Malformed(f"{text[:80]!r} is no range")
    if star:
        start, end = low, high
    else:
        start = _value(first, names)
        end = _value(rest[0], names) if rest else high if steps else start
    step = _value(steps[0], {}) if steps else 1
    if start < low or end > high or start > end or step == 0:
        raise Malformed(f"{text[:80]!r} is not within {low}-{high}")
    if 1 < step >= end - start + 1:
        raise Malformed(f"{text[:80]!r} has a step that is not smaller than its range")
    return range(start, end + 1, step)


def _value(text: str, names: dict[str, int]) -> int:
    known = names.get(text.lower())
    if known is not None:
        return known
    if not _NUMBER.fullmatch(text) or len(text) > 9:
        raise Malformed(f"{text[:80]!r} is no number")
    return int(text)


def _next_of_any_year(sets: list[frozenset[int]], zone: Zone, after: int) -> int | None:
    """`_next`, also in the first and last years of the API's times, near which Python's calendar ends: the calendar
    repeats after 400 years."""
    shift = _CYCLE if after < _FIRST else -_CYCLE if after > _LAST else 0
    due = _next(sets, zone, after + shift)
    return None if due is None else due - shift


def _next(sets: list[frozenset[int]], zone: Zone, after: int) -> int | None:
    """The first whole minute after a time that matches, sought on the clock of the zone: an hour that the clock repeats
    fires twice; one that it leaves out counts as the hour after it, unless the hour before fires too."""
    minutes, hours, days, months, weekdays = sets
    moment = after // 60 * 60 + 60
    local = datetime.fromtimestamp(moment, zone)
    last, instead = local.year + YEARS, range(0)
    while local.year <= last:
        if local.month not in months:
            moment = _midnight(local.replace(day=1) + timedelta(days=32), zone, first=True)
        elif local.day not in days or local.isoweekday() % 7 not in weekdays:
            moment = _midnight(local + timedelta(days=1), zone)
        elif local.hour not in hours and moment not in instead:
            moment += 3600 - local.minute * 60 - local.second
            if local.hour + 1 in hours and datetime.fromtimestamp(moment, zone).hour == local.hour + 2:
                instead = range(moment, moment + 3600)
        elif local.minute not in minutes:
            moment += 60 - local.second
        else:
            return moment
        local = datetime.fromtimestamp(moment, zone)
    return None


def _midnight(day: datetime, zone: Zone, first: bool = False) -> int:
    """The first moment of a day, or of its month."""
    return int(datetime(day.year, day.month, 1 if first else day.day, tzinfo=zone).timestamp())
