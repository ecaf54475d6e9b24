"""Types of CEL that JSON does not have: durations, points of time, quantities, optional values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from telegen.kubestate import quantity
from telegen.kubestate.custom.cel.errors import EvaluationError

SECOND = 10**9
"""Nanoseconds of a second."""
_MAX_DURATION = 315_576_000_000 * SECOND
_FIRST, _LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
"""The years 1 to 9999."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNITS = {"h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 10**6, "us": 10**3, "µs": 10**3, "μs": 10**3, "ns": 1}
_DURATION = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+|[+-]?0", re.ASCII)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
LONGEST = 64
"""Characters of the longest text of a duration, a time or a quantity."""


@dataclass(frozen=True, order=True)
class Duration:
    """A duration, in nanoseconds."""

    nanoseconds: int

    def __post_init__(self) -> None:
        if abs(self.nanoseconds) > _MAX_DURATION:
            raise EvaluationError("the duration is longer than 10,000 years")

    @property
    def seconds(self) -> float:
        return self.nanoseconds / SECOND

    def __str__(self) -> str:
        whole, rest = divmod(abs(self.nanoseconds), SECOND)
        fraction = f".{rest:09d}".rstrip("0") if rest else ""
        return f"{'-' if self.nanoseconds < 0 else ''}{whole}{fraction}s"


@dataclass(frozen=True, order=True)
class Timestamp:
    """A point of time, in nanoseconds since 1970."""

    nanoseconds: int

    def __post_init__(self) -> None:
        if not _FIRST <= self.nanoseconds <= _LAST:
            raise EvaluationError("the time is not between the years 1 and 9999")

    @property
    def seconds(self) -> float:
        return self.nanoseconds / SECOND

    @property
    def utc(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.nanoseconds // SECOND)

    def __str__(self) -> str:
        rest = self.nanoseconds % SECOND
        fraction = f".{rest:09d}".rstrip("0") if rest else ""
        return f"{self.utc:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f"{fraction}Z"


@dataclass(frozen=True, order=True)
class Quantity:
    """An amount of Kubernetes: `1500m`, `2Gi`."""

    amount: Decimal


@dataclass(frozen=True)
class Optional:
    """A value that may be absent.

    Attributes:
        values: the value, or nothing.
    """

    values: tuple[Any, ...] = ()


NOTHING = Optional()


def parse_duration(text: str) -> Duration:
    """Parse a duration, such as 1h30m or -1.5s.

    Raises:
        EvaluationError: the text is malformed.
    """
    if len(text) > LONGEST or not _DURATION.fullmatch(text):
        raise EvaluationError(f"{text[:LONGEST]!r} is not a duration; expected the like of 1h30m or 1.5s")
    amount = sum(int(Fraction(number) * _UNITS[unit]) for number, unit in _PART.findall(text))
    return Duration(-amount if text.startswith("-") else amount)


def parse_timestamp(text: str) -> Timestamp:
    """Parse a time of RFC 3339.

    Raises:
        EvaluationError: the text is malformed.
    """
    found = _TIME.fullmatch(text) if len(text) <= LONGEST else None
    if not found:
        raise EvaluationError(f"{text[:LONGEST]!r} is not a time; expected the like of 2026-01-31T12:00:00Z")
    date, clock, fraction, zone = found.groups()
    try:
        moment = datetime.strptime(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError as error:
        raise EvaluationError(f"{text!r} is not a time: {error}") from error
    since = moment - _EPOCH
    return Timestamp((since.days * 86_400 + since.seconds) * SECOND + int((fraction or "0").ljust(9, "0")))


def parse_quantity(text: str) -> Quantity:
    """Parse an amount of Kubernetes.

    Raises:
        EvaluationError: the text is malformed, or has an exponent beyond 400.
    """
    try:
        digits, exponent, _ = quantity.parse(text[: LONGEST + 1])
    except ValueError as error:
        raise EvaluationError(f"{text[:LONGEST]!r} is not a quantity; expected the like of 1500m or 2Gi") from error
    if len(text) > LONGEST or abs(exponent) > 400:
        raise EvaluationError(f"{text[:LONGEST]!r} has an exponent beyond 400 or more than {LONGEST} characters")
    return Quantity(Decimal(f"{digits}E{exponent}"))
