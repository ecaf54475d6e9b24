"""Sample lines of the exposition: escaping of label values, text of numbers, and a line writer per family.

Lines are the same in the text format 0.0.4 and in OpenMetrics 1.0; only the headers differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from telegen.metrics.family import FamilyGenerator

Write = Callable[..., str]
"""From (identity labels, samples, value of the excluded label) to lines; the two texts come escaped. See `Samples` and
`Projection`. A repeated series keeps its first value: the format allows each series once."""

NUMBERS = frozenset((int, float, bool))
"""Types accepted as the single value of a family without labels of its own."""

_surrogates = re.compile("[\ud800-\udfff]")


def needs_escape(text: str) -> bool:
    """Return True if `escape` would change the text.

    Raises:
        TypeError, AttributeError: `text` is no string.
    """
    # PERF: 0.15 us for 400 characters; one regular expression took 1.2.
    return '"' in text or "\\" in text or "\n" in text or not (text.isascii() or _surrogates.search(text) is None)


def escape(value: str) -> str:
    """Escape a label value for the place between its quotes (text format 0.0.4: backslash, quote and newline).

    Lone surrogates become U+FFFD: JSON can carry them, UTF-8 cannot.
    """
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return _surrogates.sub("\ufffd", value)


def number_text(value: Any) -> str:
    """Return the decimal text that every parser reads back as the same float64.

    Raises:
        TypeError: `value` is no number.
    """
    if isinstance(value, int):
        # int(): a bool is an int as well, and str(True) is no number.
        return str(int(value))
    if not isinstance(value, float):
        raise TypeError(f"a sample is a number, not {type(value).__name__}")
    if math.isfinite(value):
        # Up to 1e15 every integer is exact and shorter without exponent or fraction.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


_SMALL = {number: number_text(number) for number in (0, 1, *[n / 1000 for n in range(1000)])}
"""Texts of flags and of thousandths of a core. PERF: 0.1 us instead of 0.7."""

_SOURCE = """
def write(labels, samples, excluded=""):
    if samples.__class__ in NUMBERS:
        return f'{head} {{samples if samples.__class__ is int else number_text(samples)}}\\n'
    text, seen = "", set()
    for {targets} in samples:
        if needs_escape({joined}):
            {targets} = {escaped}
        series = f'{series}'
        if series not in seen:
            seen.add(series)
            if number.__class__ is not int:
                number = small(number) or number_text(number)
            text += f'{{series}} {{number}}\\n'
    return text
"""


def sample_writer(family: FamilyGenerator, identified: bool) -> Write:
    """Make the line writer of a family.

    Args:
        identified: True if its samples have identity labels.
    """
    if family.dynamic:
        return _dynamic_writer(family.name)
    if family.prepared:
        return _prepared_writer(family.name)
    return _compiled(family.name, family.labels, identified, family.input.excluded_label if family.input else "")


@lru_cache(maxsize=None)
def _compiled(name: str, own: tuple[str, ...], identified: bool, excluded: str) -> Write:
    """Compile a writer for rows of the values of `own`, without the excluded one, and a number; or for one number."""
    # PERF: code for the exact labels takes 0.6 us for one row and 1.2 for two; templates and tuples took twice as long. The
    # cache makes each writer once, before the fork: 0.2 ms and 3 kB each.
    labels = ["{labels}"] if identified else []
    names = ["excluded" if label == excluded else f"v{number}" for number, label in enumerate(own)]
    values = [name for name in names if name != "excluded"]
    source = _SOURCE.format(
        head=_series(name, labels),
        targets=", ".join([*values, "number"]) + ",",
        # The sum checks the types as well: adding something else to a string raises, or `needs_escape` does.
        joined=" + ".join(values) or '""',
        escaped=", ".join([*[f"escape({value})" for value in values], "number"]) + ",",
        series=_series(name, [*labels, *[f'{label}="{{{name}}}"' for label, name in zip(own, names)]]),
    )
    scope = {"needs_escape": needs_escape, "escape": escape, "small": _SMALL.get, "number_text": number_text, "NUMBERS": NUMBERS}
    # Safe: the source consists of names from our own tables, never of data.
    exec(source, scope)
    return scope["write"]  # type: ignore[return-value]


def _series(name: str, pairs: Sequence[str]) -> str:
    """Return the series for use inside an f-string: braces of the text are doubled."""
    return f"{name}{{{{{','.join(pairs)}}}}}" if pairs else name


def _dynamic_writer(name: str) -> Write:
    """Make a writer for rows of ((label name, value) pairs, number)."""

    def write(labels: str, samples: Iterable[tuple[Sequence[tuple[str, str]], Any]]) -> str:
        lines: dict[str, str] = {}
        for pairs, number in samples:
            own = [f'{label}="{value}"' for label, value in pairs]
            if needs_escape("".join([value for _, value in pairs])):
                own = [f'{label}="{escape(value)}"' for label, value in pairs]
            joined = ",".join([labels, *own] if labels else own)
            lines.setdefault(f"{name}{{{joined}}} " if joined else f"{name} ", number_text(number))
        return "".join([f"{line}{number}\n" for line, number in lines.items()])

    return write


def _made_template(names: tuple[str, ...], own: tuple[str, ...]) -> str:
    """Return the sorted labels with a gap for each value; those of `own` become gaps when the others are filled in."""
    gaps = {**{name: f"%({name})s" for name in names}, **{name: f"%%({name})s" for name in own}}
    return ",".join([f'{name}="{gaps[name]}"' for name in sorted(gaps)])


_kept_template = lru_cache(maxsize=1024)(_made_template)


def _template(names: tuple[str, ...], own: tuple[str, ...]) -> str:
    # The labels of a tenant's object may be any number of any names: only small templates are kept.
    return (_kept_template if len(names) + len(own) <= 64 else _made_template)(names, own)


class BaseLabels:
    """Labels that the samples of an object share, and the texts of them together with a sample's own labels.

    Attributes:
        text: of the shared labels alone, between the braces of a sample, sorted by label name: `kind="Pod",name="web"`.
    """

    __slots__ = ("text", "_escaped", "_templates")

    def __init__(self, labels: Mapping[str, str]) -> None:
        """Write the labels.

        Raises:
            TypeError: a value is no string.
        """
        if needs_escape("".join(labels.values())):
            labels = {name: escape(value) for name, value in labels.items()}
        # PERF: 0.9 us for 7 labels; sorting and joining them took 2.4.
        self.text = _template(tuple(labels), ()) % labels
        self._escaped = labels
        self._templates: dict[tuple[str, ...], str] = {}

    def texts(self, elements: Sequence[Mapping[str, str]]) -> list[str]:
        """Return the text of all labels of each sample, given its own labels; these replace shared ones.

        Raises:
            TypeError: the value of a label is no string.
        """
        # PERF: 0.5 us for two own labels beside five shared ones; writing all labels anew took 1.5.
        if needs_escape("".join([value for own in elements for value in own.values()])):
            elements = [{name: escape(value) for name, value in own.items()} for own in elements]
        texts, last, template = [], None, ""
        for own in elements:
            names = tuple(own)
            if names != last:
                last, template = names, self._templates.get(names) or self._fill(names)
            texts.append(template % own)
        return texts

    def _fill(self, own: tuple[str, ...]) -> str:
        """Return the template for own labels of some names: the shared labels are filled in."""
        labels = self._escaped
        if "%" in self.text:
            labels = {name: value.replace("%", "%%") for name, value in labels.items()}
        made = self._templates[own] = _template(tuple(labels), own) % labels
        return made


def _prepared_writer(name: str) -> Write:
    """Make a writer for rows of (text of all labels, number)."""

    def write(labels: str, samples: Sequence[tuple[str, Any]]) -> str:
        # PERF: 0.2 us a sample.
        if len(samples) == 1 and (number := samples[0][1]).__class__ is int:
            return f"{name}{{{samples[0][0]}}} {number}\n"
        lines = [
            f"{name}{{{own}}} {number if number.__class__ is int else _SMALL.get(number) or number_text(number)}\n"
            for own, number in samples
        ]
        if len(samples) > 1 and len({own for own, _ in samples}) < len(samples):
            # Repeated series keep their first value.
            lines = list({own: line for (own, _), line in zip(reversed(samples), reversed(lines))}.values())[::-1]
        return "".join(lines)

    return write
