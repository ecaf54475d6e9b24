"""Samples become exposition text, once, when the object changes.

All that can be known before an object comes is worked out in `renderer`; the closure it returns is the only hot code.
The sample lines are the same in the text format 0.0.4 and in OpenMetrics 1.0: only the headers differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from telegen.metrics.family import FamilyGenerator, Generate, Object, Row, Subject
from telegen.metrics.memo import Memo

Render = Callable[[Object], list[str]]
"""From an object to the text of each family of its table, "" where a family says nothing."""

OnError = Callable[[str, Exception], None]
"""Told the family's name (or `identity`) and what went wrong with one object."""

Identity = Sequence[tuple[str, Callable[[Object], str]]]
Labels = Mapping[str, str]

SaidOf = Callable[[Object], list[tuple[int, list[str]]]]
"""From an object to the families of one subject that say something: place in the table, and the pieces between which the
identity labels stand."""

NOTHING = [""]
"""The pieces of a family that says nothing."""

_surrogates = re.compile("[\ud800-\udfff]")
_NUMBERS = frozenset((int, float, bool))


def _special(text: str) -> bool:
    """Whether something must be escaped. PERF: 0.15 us; one regular expression took 1.2 for 400 characters."""
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


def identity_text(identity: Identity, constant: Labels = {}) -> Callable[[Object], str]:
    """The reader of an object's own labels, behind those that are always the same: `namespace="shop",pod="web-1"`.

    The closure raises TypeError when a label is not a string.
    """
    always = [f'{name}="{escape(value)}"'.replace("%", "%%") for name, value in constant.items()]
    template = ",".join([*always, *[f'{name}="%s"' for name, _ in identity]])
    readers = [read for _, read in identity]

    def read_identity(obj: Object) -> str:
        values = tuple([read(obj) for read in readers])
        if _special("".join(values)):
            values = tuple([escape(value) for value in values])
        return template % values

    return read_identity


def renderer(
    identity: Identity, families: Sequence[FamilyGenerator], on_error: OnError, constant: Labels = {}
) -> Render:
    """Prepare a table for rendering.

    Args:
        identity: the labels that every sample begins with.
        families: the table; the result has one text per entry, in this order.
        on_error: called when a family, or the identity, cannot be read from an object. That family is left out.
        constant: labels of every sample that are the same for all objects; they come first.
    """
    identify = identity_text(identity, constant)
    identified = bool(identity or constant)
    alone = [
        (place, family.generate, _row_writer(family, identified), family.name)
        for place, family in enumerate(families)
        if family.subject is None
    ]
    together = _by_subject(families, identified, on_error)
    nothing = [""] * len(families)

    def render(obj: Object) -> list[str]:
        try:
            labels = identify(obj)
        except Exception as error:
            on_error("identity", error)
            return nothing
        texts = nothing.copy()
        # PERF: one closure per family and one template per row; 1.0 us a sample where metric objects take 4.2.
        for place, generate, write, name in alone:
            try:
                samples = generate(obj)
                if samples is not None:
                    texts[place] = write(labels, samples)
            except Exception as error:
                on_error(name, error)
        for said_of in together:
            for place, pieces in said_of(obj):
                texts[place] = labels.join(pieces)
        return texts

    return render


def _by_subject(families: Sequence[FamilyGenerator], identified: bool, on_error: OnError) -> list[SaidOf]:
    """For each subject, what its families say."""
    members: dict[Subject, list[_Member]] = {}
    for place, family in enumerate(families):
        if family.subject is not None:
            member = _Member(place, family.name, family.generate, _piecer(family, identified))
            members.setdefault(family.subject, []).append(member)
    return [_said_of(subject, family, on_error) for subject, family in members.items()]


class _Member(NamedTuple):
    """A family of a subject, and its place in the table."""

    place: int
    name: str
    generate: Generate
    pieces: Callable[[Any], list[str]]


def _said_of(subject: Subject, members: Sequence[_Member], on_error: OnError) -> SaidOf:
    """The function from an object to what the families of a subject say."""
    memo: Memo[list[tuple[int, list[str]]]] = Memo()

    def said_of(obj: Object) -> list[tuple[int, list[str]]]:
        try:
            value = subject(obj)
            # PERF: the states of containers, in 18 families: 6 us when they are known, 45 when they are not.
            memo.calls += 1
            said = memo.get(value)
        except Exception as error:
            for member in members:
                on_error(member.name, error)
            return []
        if said is None:
            said, failed = [], False
            for member in members:
                try:
                    samples = member.generate(value)
                    if samples is not None and (pieces := member.pieces(samples)) != NOTHING:
                        said.append((member.place, pieces))
                except Exception as error:
                    on_error(member.name, error)
                    failed = True
            if not failed:
                memo.put(value, said)
        return said

    return said_of


def _row_writer(family: FamilyGenerator, identified: bool) -> Callable[[str, Any], str]:
    """The function from (identity labels, samples) to the family's text."""
    if family.dynamic:
        return _dynamic_writer(family.name)
    bare = f"{family.name}{{%s}} %s\n" if identified else f"{family.name}%s %s\n"
    cut, head = _cutter(family, identified), f"{family.name}{{"
    memo: Memo[list[str]] = Memo()

    def write(labels: str, samples: Any) -> str:
        if samples.__class__ in _NUMBERS:
            return bare % (labels, samples if samples.__class__ is int else number_text(samples))
        if not memo.worthwhile:
            tails = cut(samples)
            first = head + labels
            return first + first.join(tails) if tails else ""
        # PERF: rows repeat from object to object (states, classes, container names): cut text that is known costs 0.5 us, a new one 1 to 7.
        rows = tuple(samples)
        memo.calls += 1
        pieces = memo.get(rows)
        if pieces is None:
            pieces = _between(head, cut(rows))
            memo.put(rows, pieces)
        return labels.join(pieces)

    return write


def _piecer(family: FamilyGenerator, identified: bool) -> Callable[[Any], list[str]]:
    """The function from samples to the pieces between which the identity labels stand."""
    head, cut = f"{family.name}{{", _cutter(family, identified)

    def pieces(samples: Any) -> list[str]:
        if samples.__class__ in _NUMBERS:
            number = number_text(samples)
            return [head, f"}} {number}\n"] if identified else [f"{family.name} {number}\n"]
        return _between(head, cut(samples))

    return pieces


def _cutter(family: FamilyGenerator, identified: bool) -> Callable[[Iterable[Row]], list[str]]:
    """The function from rows to what follows the identity labels in each line. A repeated series is left out."""
    own = ",".join(f'{name}="%s"' for name in family.labels)
    tail = f"{',' if identified and own else ''}{own}}} %s\n"
    special = _special
    small: Callable[[Any], str | None] = _SMALL.get

    def cut(rows: Iterable[Row]) -> list[str]:
        lines = {}
        for row in rows:
            key, number = row[:-1], row[-1]
            # One search over the joined values instead of one per value; it also refuses what is no string.
            if special("".join(key)):
                line = tail % (*map(escape, key), number_text(number))
            elif number.__class__ is int:
                line = tail % row
            else:
                line = tail % (*key, small(number) or number_text(number))
            if key not in lines:
                lines[key] = line
        return list(lines.values())

    return cut


def _between(head: str, tails: list[str]) -> list[str]:
    """Pieces between which the identity labels stand: the head, then each line's end with the next line's head."""
    if not tails:
        return NOTHING
    return [head, *[tail + head for tail in tails[:-1]], tails[-1]]


def _dynamic_writer(name: str) -> Callable[[str, Any], str]:
    """Like `_row_writer`, for rows of ((label name, value) pairs, number)."""

    def write(labels: str, samples: Iterable[tuple[Sequence[tuple[str, str]], Any]]) -> str:
        lines: dict[str, str] = {}
        for pairs, number in samples:
            own = [f'{label}="{value}"' for label, value in pairs]
            if _special("".join([value for _, value in pairs])):
                own = [f'{label}="{escape(value)}"' for label, value in pairs]
            joined = ",".join([labels, *own] if labels else own)
            lines.setdefault(f"{name}{{{joined}}} " if joined else f"{name} ", number_text(number))
        return "".join([f"{line}{number}\n" for line, number in lines.items()])

    return write
