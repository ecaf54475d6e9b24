"""Schedules of CronJobs: the next time against a search minute by minute, malformed schedules, the ends of the calendar."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegen.kubestate.cron import Malformed, parse
from telegen.kubestate.fields import seconds

ZONES = ("UTC", "Asia/Kathmandu", "America/Sao_Paulo")
"""Zones without changes of the clock in the years below."""
RECORDED = json.loads((Path(__file__).parent / "schedules.json").read_text())
"""[schedule, zone, after, next], most around changes of the clock: results of robfig/cron 3.0.1, the library of the CronJob
controller. An entry that differs on purpose from kube-state-metrics has its value as well, null for a malformed schedule. An
entry with a value of the controller differs from it on purpose: the clock skips the time, which kube-state-metrics replaces."""


def field(low: int, high: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """Strategy for one field: its text and its values."""
    everything = st.just(("*", frozenset(range(low, high + 1))))
    single = st.integers(low, high).map(lambda n: (str(n), frozenset([n])))
    spans = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    ranges = spans.map(lambda ends: (f"{ends[0]}-{ends[1]}", frozenset(range(ends[0], ends[1] + 1))))
    return st.one_of(everything, everything, single, ranges)


fields = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(fields, st.sampled_from(ZONES), st.integers(seconds("2024-01-01T00:00:00Z"), seconds("2027-12-31T00:00:00Z")))
def test_next_is_the_first_minute_that_matches(drawn: tuple[tuple[str, frozenset[int]], ...], zone: str, after: int) -> None:
    """The result matches the fields on the clock of the zone, and no earlier minute does."""
    minutes, hours, days, months, weekdays = (values for _, values in drawn)
    either = "*" not in (drawn[2][0], drawn[4][0])
    due = parse(" ".join(text for text, _ in drawn), zone).next(after)

    def day_fits(day: datetime) -> bool:
        matches = (day.day in days, day.isoweekday() % 7 in weekdays)
        return day.month in months and (any(matches) if either else all(matches))

    def fits(moment: datetime) -> bool:
        return day_fits(moment) and moment.hour in hours and moment.minute in minutes

    start = datetime.fromtimestamp(after // 60 * 60 + 60, ZoneInfo(zone))
    if due is None:
        assert not any(day_fits(start + timedelta(days=number)) for number in range(1, 4 * 365))
        return
    found = datetime.fromtimestamp(due, ZoneInfo(zone))
    assert fits(found) and found >= start
    limit = min(found, start + timedelta(days=40))
    while start < limit:
        assert not fits(start)
        start += timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "*/0 * * * *", "a * * * *"]
    + ["* * * * 7", "0 22-2 * * *", "0 0 * * fri-mon", "1-2-3 * * * *", "@often", "@reboot", "@hourly "]
    + ["@every", "@every 10", "@every 1x", "@every 9999999999h", "TZ=UTC", "TZ=No/Where * * * * *", "-1 * * * *", "0," * 510 + "0 * * * *"],
)
def test_malformed_schedule(text: str) -> None:
    """A malformed schedule raises `Malformed`."""
    with pytest.raises(Malformed):
        parse(text, None)


def test_longest_schedule() -> None:
    """The limit of 1024 bytes includes the zone."""
    text = "0," * 500 + "0 * * * *"
    assert parse(text, None).next(0) == 3600
    with pytest.raises(Malformed, match="longer than 1024 bytes"):
        parse(text, "America/Argentina/Buenos_Aires")


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("0 0 1 1 *", "9999-12-31T23:59:59Z", 253402300800),
        ("0 0 1 * *", "0000-12-31T23:59:59Z", seconds("0001-01-01T00:00:00Z")),
        ("0 0 29 2 *", "9998-01-01T00:00:00Z", 253407398400),
        ("30 12 * * *", "0001-01-01T00:00:00Z", seconds("0001-01-01T12:30:00Z")),
        ("@every 90m", "9999-12-31T23:59:59Z", seconds("9999-12-31T23:59:59Z") + 5400),
    ],
)
def test_the_ends_of_the_calendar(text: str, after: str, wanted: int | None) -> None:
    """The next time is found in the first and the last years of the API's times as well."""
    assert parse(text, "UTC").next(seconds(after)) == wanted


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: " ".join(map(str, entry[:3])))
def test_next_is_that_of_the_controller(entry: tuple[str, str, int, int]) -> None:
    """The results are equal, also when the clock skips or repeats an hour or a midnight during the search."""
    text, zone, after, wanted = entry[:4]
    assert parse(text, zone).next(after) == wanted


@pytest.mark.parametrize(("delay", "seconds_later"), [("90m", 5400), ("1m0.9s", 60), ("10ms", 1), ("0", 1), ("-1h", 1)])
def test_delays_are_at_least_a_second(delay: str, seconds_later: int) -> None:
    """The controller drops parts of a second and raises short delays to one second."""
    assert parse(f"@every {delay}", None).next(1767600000) == 1767600000 + seconds_later


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [(", * * * *", "UTC", None), ("* * , * *", None, None), ("* * * , *", None, None), ("@weekly", "Pacific/Apia", 1325325600)],
)
def test_a_search_ends(text: str, zone: str | None, wanted: int | None) -> None:
    """The search ends for a field without values and for a day that a zone skipped."""
    assert parse(text, zone).next(1325179124) == wanted


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("0 0 * * */7", "0 0 * * sun"),
        ("0 0 * * 1/2", "0 0 * * 1,3,5"),
        ("0 0 , * 5", "0 0 * * 5"),
        ("*/60 * * * *", "@hourly"),
        ("0 0 */2,? * fri", "0 0 * * 5"),
        ("*,? * * * *", "0-59 * * * *"),
    ],
)
def test_steps_and_days(text: str, same: str) -> None:
    """Pairs of schedules that the controller treats as equal."""
    moment, other = 1767600000, 1767600000
    for _ in range(12):
        due, wanted = parse(text, "UTC").next(moment), parse(same, "UTC").next(other)
        assert due == wanted is not None
        moment = other = wanted
