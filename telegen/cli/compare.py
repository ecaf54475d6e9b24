"""`telegen compare`: differences of two pages of metrics, to check a migration from another exporter."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from telegen.cli.exposition_parser import InvalidExposition, Labels, Scrape, parse, read


@dataclass(frozen=True)
class Terms:
    """Rules that decide which differences count.

    Attributes:
        families: expressions, not anchored; only metrics that match one of them are compared; empty: all.
        ignore_values: expressions, not anchored; of metrics that match one of them, only labels are compared.
        ignore_labels: labels to ignore.
        tolerance: values may differ by this fraction of the larger one.
        allow_extra: series that only the new page has are reported but do not count as a difference.
    """

    families: Sequence[re.Pattern[str]] = ()
    ignore_values: Sequence[re.Pattern[str]] = ()
    ignore_labels: frozenset[str] = frozenset()
    tolerance: float = 0.0
    allow_extra: bool = False

    def wants(self, name: str) -> bool:
        """Return True if a metric is compared."""
        return not self.families or any(pattern.search(name) for pattern in self.families)

    def compares_values(self, name: str) -> bool:
        """Return True if the values of a metric are compared."""
        return not any(pattern.search(name) for pattern in self.ignore_values)

    def equal(self, old: float, new: float) -> bool:
        """Return True if two values are equal within the tolerance; NaN equals NaN."""
        # NaN is the only value that differs from itself.
        return old == new or (old != old and new != new) or math.isclose(old, new, rel_tol=self.tolerance)


@dataclass
class Difference:
    """Comparison of one metric.

    Attributes:
        same: number of series with equal values on both pages.
        missing, extra: series that only the old page, or only the new one has, with their values.
        different: series with their old and new values.
        types: the old and the new type, if they differ.
        repeated: number of lines that repeat a series, on the old and on the new page.
    """

    name: str
    same: int = 0
    missing: list[tuple[Labels, float]] = field(default_factory=list)
    extra: list[tuple[Labels, float]] = field(default_factory=list)
    different: list[tuple[Labels, float, float]] = field(default_factory=list)
    types: tuple[str, str] | None = None
    repeated: tuple[int, int] = (0, 0)

    def counts(self, terms: Terms) -> bool:
        """Return True if this metric differs. Repeated series of the old page do not count: it is being replaced."""
        extra = self.extra and not terms.allow_extra
        return bool(self.missing or extra or self.different or self.types or self.repeated[1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `telegen compare`."""
    parser.add_argument("old", help="URL, host:port (path /metrics) or file, also compressed; - is standard input")
    parser.add_argument("new", help="the other page")
    several: Any = {"action": "append", "default": [], "type": _expression, "metavar": "REGEXP"}
    parser.add_argument("--family", **several, help="only metrics whose names match, not anchored; may be repeated")
    parser.add_argument(
        "--ignore-value",
        **several,
        help="compare only the labels of metrics whose names match, as for changing values; may be repeated",
    )
    parser.add_argument("--ignore-label", action="append", default=[], metavar="NAME", help="ignore a label; may be repeated")
    parser.add_argument(
        "--tolerance",
        type=_fraction,
        default=0.0,
        metavar="FRACTION",
        help="accept values that differ by this fraction, such as 0.01 (default: 0)",
    )
    parser.add_argument("--allow-extra", action="store_true", help="accept series that only NEW has")
    parser.add_argument("--limit", type=int, default=5, metavar="N", help="examples per metric and kind of difference (default: 5)")


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from error
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def run(options: argparse.Namespace) -> tuple[Iterator[str], bool]:
    """Compare two pages; return the lines of the report, and True if the pages agree.

    Raises:
        InvalidExposition: a page cannot be read, or neither page has a metric to compare.
    """
    terms = Terms(
        options.family, options.ignore_value, frozenset(options.ignore_label), options.tolerance, options.allow_extra
    )
    old, new = _load(options.old, terms), _load(options.new, terms)
    if not old.series and not new.series:
        raise InvalidExposition("--family: no metric of either page matches")
    differences = compare(old, new, terms)
    return report(differences, terms, max(0, options.limit)), not any(found.counts(terms) for found in differences)


def _load(where: str, terms: Terms) -> Scrape:
    try:
        return parse(read(where), terms.wants, terms.ignore_labels)
    except InvalidExposition as error:
        raise InvalidExposition(f"{where}: {error}") from error


def compare(old: Scrape, new: Scrape, terms: Terms) -> list[Difference]:
    """Compare every metric of two pages, sorted by name."""
    return [_compared(name, old, new, terms) for name in sorted({*old.series, *new.series})]


def _compared(name: str, old: Scrape, new: Scrape, terms: Terms) -> Difference:
    before, after = old.series.get(name, {}), new.series.get(name, {})
    found = Difference(name, repeated=(old.repeated[name], new.repeated[name]))
    values = terms.compares_values(name)
    for labels, value in before.items():
        if labels not in after:
            found.missing.append((labels, value))
        elif values and not terms.equal(value, after[labels]):
            found.different.append((labels, value, after[labels]))
        else:
            found.same += 1
    found.extra = [(labels, value) for labels, value in after.items() if labels not in before]
    types = old.types.get(name, ""), new.types.get(name, "")
    if before and after and all(types) and types[0] != types[1]:
        found.types = types
    return found


def report(differences: Sequence[Difference], terms: Terms, limit: int) -> Iterator[str]:
    """Yield the lines of a report: a paragraph per metric that differs, then the totals.

    Args:
        limit: maximum of examples per metric and kind of difference.
    """
    for found in differences:
        if found.counts(terms) or found.extra:
            yield from _paragraph(found, limit)
    differing = [found for found in differences if found.counts(terms)]
    yield (
        f"{len(differences)} metrics: {len(differences) - len(differing)} agree, {len(differing)} differ; "
        f"{sum(found.same for found in differences)} series equal, "
        f"{sum(len(found.missing) for found in differences)} missing, "
        f"{sum(len(found.extra) for found in differences)} extra, "
        f"{sum(len(found.different) for found in differences)} different"
    )


def _paragraph(found: Difference, limit: int) -> Iterator[str]:
    counts = [
        f"{len(series)} {word}"
        for word, series in (("missing", found.missing), ("extra", found.extra), ("different", found.different))
        if series
    ]
    yield f"{found.name}: {', '.join([f'{found.same} equal', *counts])}"
    if found.types:
        yield f"  type: {found.types[0]} changed to {found.types[1]}"
    for page, number in zip(("old", "new"), found.repeated):
        if number:
            yield f"  the {page} page has {number} repeated series"
    for sign, series in (("-", found.missing), ("+", found.extra)):
        yield from _examples([f"{sign} {_shown(found.name, labels)} {_number(value)}" for labels, value in series[:limit]], series)
    yield from _examples(
        [f"~ {_shown(found.name, labels)} {_number(old)} changed to {_number(new)}" for labels, old, new in found.different[:limit]],
        found.different,
    )


def _examples(lines: list[str], everything: Sequence[object]) -> Iterator[str]:
    """Yield example lines, indented, and the number of further ones."""
    yield from (f"  {line}" for line in lines)
    left = len(everything) - len(lines)
    if left and lines:
        yield f"  {lines[0][0]} and {left} more"


def _number(value: float) -> str:
    """Format a number with the fewest digits that parse to the same value."""
    return repr(value).removesuffix(".0")


def _shown(name: str, labels: Labels) -> str:
    """Format a series as in the exposition."""
    return f"{name}{{{labels}}}" if labels else name
