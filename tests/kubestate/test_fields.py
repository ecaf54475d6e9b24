"""Quantities and times: exact conversion from the forms of the API to numbers."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from telegen.kubestate import quantity
from telegen.kubestate.fields import ZERO_TIME, seconds

SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": 1, "k": 10**3, "M": 10**6, "G": 10**9,
    "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
LARGEST = 2**63 - 1
PEER = json.loads((Path(__file__).parent / "quantities.json").read_text())
"""Quantity → results of k8s.io/apimachinery 0.36.3: in thousandths as kube-state-metrics converts, Value(),
AsApproximateFloat64()."""


@settings(deadline=None)
@given(st.integers(0, 10**7), st.integers(0, 999), st.sampled_from(sorted(SUFFIXES)))
def test_quantities_are_exact(whole: int, thousandths: int, suffix: str) -> None:
    """The value is the number times its unit, rounded up to thousandths, or to an integer if it is large."""
    nano = ceil((whole + Fraction(thousandths, 1000)) * SUFFIXES[suffix] * 10**9)
    exact = Fraction(nano, 10**9)
    assume(exact <= LARGEST)
    wanted = float(ceil(exact)) if ceil(exact) > LARGEST // 1000 else float(ceil(exact * 1000)) / 1000
    assert quantity.milli(f"{whole}.{thousandths:03d}{suffix}") == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("100m", 0.1), ("1500m", 1.5), ("1e3", 1000), ("1E3", 1000), ("+2", 2), ("-1", -1), (".5", 0.5)]
    + [("5.", 5), ("1n", 0.001), ("16Gi", 17179869184), (4, 4), (1.5, 1.5), (None, 0)],
)
def test_quantities(text: object, value: float) -> None:
    """Signs, exponents, bare points, and numbers instead of strings, as YAML may have them."""
    assert quantity.milli(text) == value


@pytest.mark.parametrize("text", PEER)
def test_quantities_are_those_of_the_peer(text: str) -> None:
    """The results equal the peer's, also for negative amounts and beyond 64 bits."""
    assert [quantity.milli(text), quantity.whole(text), quantity.approximate(text)] == PEER[text]


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "--1", "1e", "0x10", "١", True, [], {}])
def test_malformed_quantity(text: object) -> None:
    """A malformed quantity raises, so that its family is left out and counted."""
    with pytest.raises((ValueError, TypeError)):
        quantity.milli(text)


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
def test_times(moment: datetime) -> None:
    """Every form of RFC 3339 becomes whole Unix seconds without the fraction."""
    unix = (moment.replace(tzinfo=timezone.utc, microsecond=0) - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    assert seconds(f"{text}Z") == unix
    assert seconds(f"{text}.{moment.microsecond:06d}Z") == unix
    assert seconds(f"{text}+02:30") == unix - 9000
    assert seconds(f"{text.lower()}z") == unix


@pytest.mark.parametrize("text", ["", "2026-11-24", "2026-11-24T10:00:00", "2026-13-01T00:00:00Z", "yesterday", 5, []])
def test_malformed_time(text: object) -> None:
    """A malformed time raises."""
    with pytest.raises((ValueError, TypeError)):
        seconds(text)  # type: ignore[arg-type]


def test_absent_time_is_the_zero_time() -> None:
    """An absent time is Go's zero time."""
    assert seconds(None) == ZERO_TIME == seconds("0001-01-01T00:00:00Z")
