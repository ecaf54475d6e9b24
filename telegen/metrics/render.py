"""Samples become exposition text, once, when the object changes.

All that can be known before an object comes is worked out in `renderer`; the closure it returns and the line writers are
the only hot code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from telegen.metrics.family import FamilyGenerator, Generate, Object, Subject, silent
from telegen.metrics.lines import NUMBERS, Write, escape, sample_writer, special
from telegen.metrics.render_cache import Memo

Render = Callable[[Object], list[str]]
"""From an object to the text of each family of its table, "" where a family says nothing."""

OnError = Callable[[str, Exception], None]
"""Told the family's name (or `identity`) and what went wrong with one object."""

Identity = Sequence[tuple[str, Callable[[Object], str]]]
Labels = Mapping[str, str]

Say = Callable[[Object, str, list[str]], None]
"""From an object and its identity labels: puts what the families of one subject say into the texts of its table."""

MARK, ASIDE = "\ud800", "\ud801"
"""Stand for the identity labels and for the value of the subject's label in lines that are remembered: lone surrogates, which no label
value keeps."""

_marks = re.compile(f"[{MARK}{ASIDE}]")


def identity_text(identity: Identity, constant: Labels = {}) -> Callable[[Object], str]:
    """The reader of an object's own labels, behind those that are always the same: `namespace="shop",pod="web-1"`.

    The closure raises TypeError when a label is not a string.
    """
    always = [f'{name}="{escape(value)}"'.replace("%", "%%") for name, value in constant.items()]
    template = ",".join([*always, *[f'{name}="%s"' for name, _ in identity]])
    readers = [read for _, read in identity]

    def read_identity(obj: Object) -> str:
        values = tuple([read(obj) for read in readers])
        if special("".join(values)):
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
    members = [
        _Member(place, family.name, family.generate, sample_writer(family, identified))
        for place, family in enumerate(families)
    ]
    alone = [
        (place, generate, _remembering(write) if family.labels and not family.dynamic else write, name)
        for family, (place, name, generate, write) in zip(families, members)
        if family.subject is None and family.generate is not silent
    ]
    together = _by_subject(families, members, on_error)
    nothing = [""] * len(families)

    def render(obj: Object) -> list[str]:
        try:
            labels = identify(obj)
        except Exception as error:
            on_error("identity", error)
            return nothing
        texts = nothing.copy()
        # PERF: one closure per family and one compiled line writer; 1.3 us a sample where metric objects take 4.2.
        for place, generate, write, name in alone:
            try:
                samples = generate(obj)
                if samples is not None:
                    texts[place] = write(labels, samples)
            except Exception as error:
                on_error(name, error)
        for say in together:
            say(obj, labels, texts)
        return texts

    return render


class _Member(NamedTuple):
    """A family, its place in the table, and what writes its samples."""

    place: int
    name: str
    generate: Generate
    write: Write


def _by_subject(families: Sequence[FamilyGenerator], members: Sequence[_Member], on_error: OnError) -> list[Say]:
    """For each subject, what its families say."""
    found: dict[Subject, list[_Member]] = {}
    for family, member in zip(families, members):
        if family.subject is not None:
            found.setdefault(family.subject, []).append(member)
    return [_say(subject, together, on_error) for subject, together in found.items()]


def _say(subject: Subject, members: Sequence[_Member], on_error: OnError) -> Say:
    """What writes the texts of the families of one subject."""
    memo: Memo[list[tuple[int, list[str]]]] = Memo()
    read, read_aside, fill = subject.read, subject.place if subject.label else None, _fill if subject.label else None

    def tell(value: Any, labels: str, aside: str) -> tuple[list[tuple[int, str]], bool]:
        """The texts that are not empty, each with its place; whether none has failed."""
        texts, whole = [], True
        for place, name, generate, write in members:
            try:
                samples = generate(value)
                if samples is not None and (text := write(labels, samples, aside)):
                    texts.append((place, text))
            except Exception as error:
                on_error(name, error)
                whole = False
        return texts, whole

    def learn(value: Any) -> list[tuple[int, list[str]]]:
        """The same in pieces between which the labels stand; what has failed is tried again the next time."""
        texts, whole = tell(value, MARK, ASIDE)
        pieces = [(place, _parts(text) if fill else text.split(MARK)) for place, text in texts]
        if whole:
            memo.put(value, pieces)
        return pieces

    def say(obj: Object, labels: str, texts: list[str]) -> None:
        try:
            value = read(obj)
            aside = "" if read_aside is None else read_aside(obj)
            if aside != "" and special(aside):
                aside = escape(aside)
            known = memo.get(value) if memo.worthwhile else None
        except Exception as error:
            for member in members:
                on_error(member.name, error)
            return
        if memo.worthwhile:
            # PERF: the states of containers, in 18 families: 6 us when they are known, 45 when they are not.
            memo.calls += 1
            for place, pieces in learn(value) if known is None else known:
                texts[place] = fill(pieces, labels, aside) if fill else labels.join(pieces)
        else:
            for place, text in tell(value, labels, aside)[0]:
                texts[place] = text

    return say


def _parts(text: str) -> list[str]:
    """Lines cut where the labels and what was set aside stand by turns; their places are kept."""
    pieces = _marks.split(text)
    parts = [""] * (2 * len(pieces) - 1)
    parts[::2] = pieces
    return parts


def _fill(parts: list[str], labels: str, aside: str) -> str:
    """The lines of one object."""
    # PERF: 0.4 us for 6 lines. With the node as a part of the subject, few of the pods of many nodes were alike: 9 us a pod.
    parts, lines = parts.copy(), len(parts) // 4
    parts[1::4], parts[3::4] = [labels] * lines, [aside] * lines
    return "".join(parts)


def _remembering(write: Write) -> Write:
    """The same for rows that repeat from object to object: classes, reasons, names of containers."""
    memo: Memo[list[str]] = Memo()

    def remember(labels: str, samples: Any) -> str:
        if not samples or samples.__class__ in NUMBERS or not memo.worthwhile:
            return write(labels, samples)
        # PERF: text that is known costs 0.5 us, a new one 1 to 7.
        rows = tuple(samples)
        memo.calls += 1
        pieces = memo.get(rows)
        if pieces is None:
            pieces = write(MARK, rows).split(MARK)
            memo.put(rows, pieces)
        return labels.join(pieces)

    return remember
