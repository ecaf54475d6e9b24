"""Sample lines as they stand on a page: how values and numbers are written, and what writes the lines of a family.

The lines are the same in the text format 0.0.4 and in OpenMetrics 1.0: only the headers differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from telegen.metrics.family import FamilyGenerator

Write = Callable[..., str]
"""From the identity labels, samples (see `Samples`) and the value that the subject has set aside, escaped, to lines. A series that is
repeated is left out."""

NUMBERS = frozenset((int, float, bool))
"""What is no rows but the one sample of a family without labels of its own."""

_surrogates = re.compile("[\ud800-\udfff]")


def special(text: str) -> bool:
    """Whether something must be escaped. PERF: 0.15 us; one regular expression took 1.2 for 400 characters.

    Raises:
        TypeError, AttributeError: it is no string.
    """
    return '"' in text or "\\" in text or "\n" in text or not (text.isascii() or _surrogates.search(text) is None)


def escape(value: str) -> str:
    """A label value as it stands between its quotes (text format 0.0.4: backslash, quote and newline).

    Lone surrogates, which UTF-8 cannot carry, become U+FFFD.
    """
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return _surrogates.sub("\ufffd", value)


def number_text(value: Any) -> str:
    """A sample's value in decimal, read back by any parser as the same float64.

    Raises:
        TypeError: `value` is no number.
    """
    if isinstance(value, int):
        return str(int(value))
    if not isinstance(value, float):
        raise TypeError(f"a sample is a number, not {type(value).__name__}")
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


_SMALL = {number: number_text(number) for number in (0, 1, *[n / 1000 for n in range(1000)])}
"""Texts of flags and of fractions of a core. PERF: 0.1 us instead of 0.7."""

_SOURCE = """
def write(labels, samples, aside=""):
    if samples.__class__ in NUMBERS:
        return f'{head} {{samples if samples.__class__ is int else number_text(samples)}}\\n'
    text, seen = "", set()
    for {targets} in samples:
        if special({joined}):
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
    """What writes the samples of a family.

    Args:
        identified: whether there are identity labels.
    """
    aside = family.subject.label if family.subject else ""
    return _dynamic_writer(family.name) if family.dynamic else _compiled(family.name, family.labels, identified, aside)


@lru_cache(maxsize=None)
def _compiled(name: str, own: tuple[str, ...], identified: bool, aside: str) -> Write:
    """For rows of the values of these labels, but for the one that is given aside, and a number; or for one number.

    PERF: compiled for the labels, 0.6 us a row and 1.2 for two; templates and tuples took twice as long. Remembered, so that it
    happens once, before the fork: 0.2 ms and 3 kB.
    """
    labels = ["{labels}"] if identified else []
    names = ["aside" if label == aside else f"v{number}" for number, label in enumerate(own)]
    values = [name for name in names if name != "aside"]
    source = _SOURCE.format(
        head=_series(name, labels),
        targets=", ".join([*values, "number"]) + ",",
        # What is no string cannot be added to one, or is refused by `special`.
        joined=" + ".join(values) or '""',
        escaped=", ".join([*[f"escape({value})" for value in values], "number"]) + ",",
        series=_series(name, [*labels, *[f'{label}="{{{name}}}"' for label, name in zip(own, names)]]),
    )
    scope = {"special": special, "escape": escape, "small": _SMALL.get, "number_text": number_text, "NUMBERS": NUMBERS}
    exec(source, scope)  # names of our own tables, nothing that comes from outside
    return scope["write"]  # type: ignore[return-value]


def _series(name: str, pairs: Sequence[str]) -> str:
    """A series inside an f-string: braces that stay are doubled."""
    return f"{name}{{{{{','.join(pairs)}}}}}" if pairs else name


def _dynamic_writer(name: str) -> Write:
    """For rows of ((label name, value) pairs, number)."""

    def write(labels: str, samples: Iterable[tuple[Sequence[tuple[str, str]], Any]]) -> str:
        lines: dict[str, str] = {}
        for pairs, number in samples:
            own = [f'{label}="{value}"' for label, value in pairs]
            if special("".join([value for _, value in pairs])):
                own = [f'{label}="{escape(value)}"' for label, value in pairs]
            joined = ",".join([labels, *own] if labels else own)
            lines.setdefault(f"{name}{{{joined}}} " if joined else f"{name} ", number_text(number))
        return "".join([f"{line}{number}\n" for line, number in lines.items()])

    return write
