"""Comparison of two pages as Prometheus sees them: families with their types, series with values as numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Page = dict[str, tuple[str, dict[str, float]]]


def parse(text: str) -> Page:
    """Return family name → (type, {series as written: value}). Lines end at \\n only: values may hold other line ends. A
    repeated series keeps its first value."""
    page: Page = {}
    family = ""
    for line in text.split("\n"):
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in page, f"second TYPE line of {family}"
            page[family] = (kind, {})
        elif line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            assert series.partition("{")[0] == family, f"{series} stands under {family}"
            page[family][1].setdefault(series, float(value))
    return page


def repeated(text: str) -> list[str]:
    """Return the series that are on the page more than once."""
    seen: set[str] = set()
    series = [line.rpartition(" ")[0] for line in text.split("\n") if line and not line.startswith("#")]
    return [name for name in series if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def difference(
    wanted: Mapping[str, tuple[str, Mapping[str, Any]]],
    got: Mapping[str, tuple[str, Mapping[str, Any]]],
    equal: Callable[[Any, Any], bool] = lambda wanted, got: wanted == got or (wanted != wanted and got != got),
) -> list[str]:
    """Return a line for each missing, extra or different family or series; empty if the pages are equal.

    Args:
        equal: compares the wanted value of a series with the one that was got; NaN equals NaN by default.
    """
    lines = []
    for family in sorted(wanted.keys() | got.keys()):
        if family not in wanted or family not in got:
            lines.append(f"{'extra' if family in got else 'missing'} family {family}")
            continue
        (kind, series), (got_kind, got_series) = wanted[family], got[family]
        if kind != got_kind:
            lines.append(f"{family}: type {got_kind}, wanted {kind}")
        lines += [f"missing {name} {series[name]}" for name in series.keys() - got_series.keys()]
        lines += [f"extra {name} {got_series[name]}" for name in got_series.keys() - series.keys()]
        lines += [
            f"{name}: {got_series[name]}, wanted {value}"
            for name, value in series.items()
            if name in got_series and not equal(value, got_series[name])
        ]
    return lines
