"""How two pages of metrics differ: the work of `telegen compare`, the check before one agent takes another's place."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from telegen.cli.exposition_parser import Labels, Scrape, Unreadable, parse, read


@dataclass(frozen=True)
class Terms:
    """What counts as a difference.

    Attributes:
        families: expressions, not anchored; only metrics that one of them finds are compared; none: all.
        ignore_values: of metrics that one of them finds, only labels are compared.
        ignore_labels: labels that are not looked at.
        tolerance: values may differ by this fraction of the larger one.
        allow_extra: series that only the new page has are told of but are no difference.
    """

    families: Sequence[re.Pattern[str]] = ()
    ignore_values: Sequence[re.Pattern[str]] = ()
    ignore_labels: frozenset[str] = frozenset()
    tolerance: float = 0.0
    allow_extra: bool = False

    def wants(self, name: str) -> bool:
        """Whether a metric is compared."""
        return not self.families or any(pattern.search(name) for pattern in self.families)

    def compares_values(self, name: str) -> bool:
        """Whether the values of a metric are compared."""
        return not any(pattern.search(name) for pattern in self.ignore_values)

    def equal(self, old: float, new: float) -> bool:
        """Whether two values count as the same."""
        return old == new or (old != old and new != new) or math.isclose(old, new, rel_tol=self.tolerance)


@dataclass
class Difference:
    """What became of one metric.

    Attributes:
        same: number of series that are on both pages with the same value.
        missing, extra: series that only the old page, or only the new one has, with their values.
        different: series with their old and new values.
        types: the old and the new type where they differ.
        repeated: how many lines of the old and of the new page say a series again.
    """

    name: str
    same: int = 0
    missing: list[tuple[Labels, float]] = field(default_factory=list)
    extra: list[tuple[Labels, float]] = field(default_factory=list)
    different: list[tuple[Labels, float, float]] = field(default_factory=list)
    types: tuple[str, str] | None = None
    repeated: tuple[int, int] = (0, 0)

    def counts(self, terms: Terms) -> bool:
        """Whether this is a difference. What the old page repeats is its own fault."""
        extra = self.extra and not terms.allow_extra
        return bool(self.missing or extra or self.different or self.types or self.repeated[1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `telegen compare`."""
    parser.add_argument("old", help="URL or file, also compressed; - is standard input")
    parser.add_argument("new", help="the same of the other page")
    several: Any = {"action": "append", "default": [], "type": _expression, "metavar": "REGEXP"}
    parser.add_argument("--family", **several, help="only metrics whose names match, not anchored; may be repeated")
    parser.add_argument(
        "--ignore-value", **several, help="of metrics that match compare the labels alone: for what moves; may be repeated"
    )
    parser.add_argument("--ignore-label", action="append", default=[], metavar="NAME", help="leave a label out; may be repeated")
    parser.add_argument(
        "--tolerance", type=_fraction, default=0.0, metavar="FRACTION", help="values may differ by so much, as 0.01 (default: 0)"
    )
    parser.add_argument("--allow-extra", action="store_true", help="series that only NEW has are no difference")
    parser.add_argument("--limit", type=int, default=5, metavar="N", help="examples of each kind and metric (default: 5)")


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no number") from error
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def run(options: argparse.Namespace) -> tuple[Iterator[str], bool]:
    """The report of `telegen compare`, and whether the pages agree.

    Raises:
        telegen.cli.exposition_parser.Unreadable: there is no page, or nothing on both that is to be compared.
    """
    terms = Terms(
        options.family, options.ignore_value, frozenset(options.ignore_label), options.tolerance, options.allow_extra
    )
    old, new = _load(options.old, terms), _load(options.new, terms)
    if not old.series and not new.series:
        raise Unreadable("--family: no metric of either page matches")
    differences = compare(old, new, terms)
    return report(differences, terms, max(0, options.limit)), not any(found.counts(terms) for found in differences)


def _load(where: str, terms: Terms) -> Scrape:
    try:
        return parse(read(where), terms.wants, terms.ignore_labels)
    except Unreadable as error:
        raise Unreadable(f"{where}: {error}") from error


def compare(old: Scrape, new: Scrape, terms: Terms) -> list[Difference]:
    """What became of every metric of two pages, by name."""
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
    """Lines for people: a paragraph per metric that differs, then the totals.

    Args:
        limit: examples of each kind and metric.
    """
    for found in differences:
        if found.counts(terms) or found.extra:
            yield from _paragraph(found, limit)
    telling = [found for found in differences if found.counts(terms)]
    yield (
        f"{len(differences)} metrics: {len(differences) - len(telling)} agree, {len(telling)} differ; "
        f"{sum(found.same for found in differences)} series are the same, "
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
    yield f"{found.name}: {', '.join([f'{found.same} same', *counts])}"
    if found.types:
        yield f"  type: {found.types[0]} became {found.types[1]}"
    for page, number in zip(("old", "new"), found.repeated):
        if number:
            yield f"  the {page} page says {number} of its series more than once"
    for sign, series in (("-", found.missing), ("+", found.extra)):
        yield from _some([f"{sign} {_shown(found.name, labels)} {_number(value)}" for labels, value in series[:limit]], series)
    yield from _some(
        [f"~ {_shown(found.name, labels)} {_number(old)} became {_number(new)}" for labels, old, new in found.different[:limit]],
        found.different,
    )


def _some(lines: list[str], everything: Sequence[object]) -> Iterator[str]:
    """Some of many lines, and how many are left out."""
    yield from (f"  {line}" for line in lines)
    left = len(everything) - len(lines)
    if left and lines:
        yield f"  {lines[0][0]} and {left} more"


def _number(value: float) -> str:
    """The shortest text that means this number."""
    return repr(value).removesuffix(".0")


def _shown(name: str, labels: Labels) -> str:
    """A series as a page has it."""
    return f"{name}{{{labels}}}" if labels else name
