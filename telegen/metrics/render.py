"""Rendering: from an object to the exposition text of each family, once per change of the object.

`renderer` works out everything that is known before the first object. The closure that it returns and the line writers
are the only hot code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from telegen.metrics.family import FamilyGenerator, Generate, Object, Projection, no_samples
from telegen.metrics.lines import NUMBERS, Write, escape, needs_escape, sample_writer
from telegen.metrics.render_cache import RenderCache

Render = Callable[[Object], list[str]]
"""From an object to the text of each family of its table; "" for a family without samples."""

OnError = Callable[[str, Exception], None]
"""Called with the name of a family (or `identity`) and the error of one object."""

Identity = Sequence[tuple[str, Callable[[Object], str]]]
"""Labels that every sample of a table begins with: name, and function from an object to the value."""

ConstantLabels = Mapping[str, str]

RenderInto = Callable[[Object, str, list[str]], None]
"""From (object, its identity labels, texts of the table): writes the texts of the families of one projection."""

Texts = list[tuple[int, str]]
"""Texts of some families, each with the column of its family: its index in the table."""

Template = list[str]
"""Text of one family, cut where the labels of an object belong."""

Templates = list[tuple[int, Template]]

LABELS_MARK, EXCLUDED_MARK = "\ud800", "\ud801"
"""Placeholders for identity labels and excluded label while a template is rendered. Lone surrogates cannot be part of a
label value: `escape` replaces them."""

_marks = re.compile(f"[{LABELS_MARK}{EXCLUDED_MARK}]")


def identity_text(identity: Identity, constant: ConstantLabels = {}) -> Callable[[Object], str]:
    """Make the reader of the identity labels: constant labels, then those of the object, `namespace="shop",pod="web-1"`.

    The closure raises TypeError if a label is not a string.
    """
    always = [f'{name}="{escape(value)}"'.replace("%", "%%") for name, value in constant.items()]
    # A constant label may contain %, hence the doubling above.
    template = ",".join([*always, *[f'{name}="%s"' for name, _ in identity]])
    readers = [read for _, read in identity]

    def read_identity(obj: Object) -> str:
        values = tuple([read(obj) for read in readers])
        if needs_escape("".join(values)):
            values = tuple([escape(value) for value in values])
        return template % values

    return read_identity


def renderer(
    identity: Identity,
    families: Sequence[FamilyGenerator],
    on_error: OnError,
    constant: ConstantLabels = {},
    more: Callable[[Object], str] | None = None,
    without_more: Callable[[FamilyGenerator], bool] = lambda family: False,
) -> Render:
    """Make the render function of a table.

    Args:
        identity: the labels that every sample begins with.
        families: the table; the result has one text per entry, in this order.
        on_error: called when a family, or the identity, cannot be read from an object. That family is left out.
        constant: labels of every sample that are the same for all objects; they come first.
        more: from an object to the text of further labels of its samples, which follow those of the identity.
        without_more: True for a family without the further labels. Not for families of a projection.
    """
    identify = identity_text(identity, constant)
    identified = bool(identity or constant)
    members = [
        _Member(column, family.name, family.generate, sample_writer(family, identified))
        for column, family in enumerate(families)
    ]
    single = [
        (column, generate, _cached_writer(write) if family.labels and not family.dynamic else write, name)
        for family, (column, name, generate, write) in zip(families, members)
        if family.input is None and family.generate is not no_samples
    ]
    plain = [entry for entry in single if more and without_more(families[entry[0]])]
    render_single = _single_renderer([entry for entry in single if entry not in plain], on_error)
    render_plain = _single_renderer(plain, on_error)
    projections = [
        _projection_renderer(projection, grouped, on_error)
        for projection, grouped in _by_projection(families, members).items()
    ]
    nothing = [""] * len(families)

    def render(obj: Object) -> list[str]:
        try:
            labels = own = identify(obj)
            if more and (further := more(obj)):
                labels = f"{own},{further}"
        except Exception as error:
            on_error("identity", error)
            # `nothing` is shared; callers do not modify the result.
            return nothing
        texts = nothing.copy()
        render_single(obj, labels, texts)
        for render_projection in projections:
            render_projection(obj, labels, texts)
        if plain:
            render_plain(obj, own, texts)
        return texts

    return render


def _single_renderer(entries: Sequence[tuple[int, Generate, Write, str]], on_error: OnError) -> RenderInto:
    """Make the function that fills in the families that read the object itself."""

    def render_single(obj: Object, labels: str, texts: list[str]) -> None:
        # PERF: one closure per family and one compiled line writer; 1.3 us a sample where metric objects take 4.2.
        for column, generate, write, name in entries:
            try:
                samples = generate(obj)
                if samples is not None:
                    texts[column] = write(labels, samples)
            except Exception as error:
                # Any error of a malformed object must cost its family only, never the worker.
                on_error(name, error)

    return render_single


class _Member(NamedTuple):
    """A family as the renderer needs it, with its column: its index in the table."""

    column: int
    name: str
    generate: Generate
    write: Write


def _by_projection(families: Sequence[FamilyGenerator], members: Sequence[_Member]) -> dict[Projection, list[_Member]]:
    grouped: dict[Projection, list[_Member]] = {}
    for family, member in zip(families, members):
        if family.input is not None:
            grouped.setdefault(family.input, []).append(member)
    return grouped


def _projection_renderer(projection: Projection, members: Sequence[_Member], on_error: OnError) -> RenderInto:
    """Make the render function of the families of one projection."""
    cache: RenderCache[Templates] = RenderCache()
    write_all = _members_writer(members, on_error)
    read, read_excluded = projection.read, _excluded_reader(projection)
    fill = _fill_two if read_excluded else _fill_one

    def templates(value: Any) -> Templates:
        """Render once with placeholders and cache the text split at them."""
        texts, complete = write_all(value, LABELS_MARK, EXCLUDED_MARK)
        found = [(column, _marks.split(text)) for column, text in texts]
        # Only a complete result is cached: an error must be counted for every object that has it.
        if complete:
            cache.put(value, found)
        return found

    def render_projection(obj: Object, labels: str, texts: list[str]) -> None:
        try:
            value = read(obj)
            excluded = read_excluded(obj) if read_excluded else ""
            known = cache.get(value) if cache.enabled else None
        except Exception as error:
            for member in members:
                on_error(member.name, error)
            return
        # PERF: the states of containers, in 18 families: 6 us when they are known, 45 when they are not.
        if cache.enabled:
            cache.lookups += 1
            fill(texts, templates(value) if known is None else known, labels, excluded)
        else:
            for column, text in write_all(value, labels, excluded)[0]:
                texts[column] = text

    return render_projection


def _excluded_reader(projection: Projection) -> Callable[[Object], str] | None:
    """Make the reader of the excluded label, escaped; None if there is none."""
    if not projection.excluded_label:
        return None
    read = projection.read_excluded

    def read_escaped(obj: Object) -> str:
        value = read(obj)
        return escape(value) if needs_escape(value) else value

    return read_escaped


def _members_writer(members: Sequence[_Member], on_error: OnError) -> Callable[[Any, str, str], tuple[Texts, bool]]:
    """Make the function from (projection, labels, excluded label) to the texts that are not empty, each with its column, and
    to True if no family failed."""

    def write_all(value: Any, labels: str, excluded: str) -> tuple[Texts, bool]:
        texts: Texts = []
        complete = True
        for column, name, generate, write in members:
            try:
                samples = generate(value)
                if samples is not None and (text := write(labels, samples, excluded)):
                    texts.append((column, text))
            except Exception as error:
                on_error(name, error)
                complete = False
        return texts, complete

    return write_all


def _fill_one(texts: list[str], templates: Templates, labels: str, excluded: str) -> None:
    """Fill templates in whose gaps the identity labels belong."""
    for column, template in templates:
        texts[column] = labels.join(template)


def _fill_two(texts: list[str], templates: Templates, labels: str, excluded: str) -> None:
    """Fill templates in whose gaps identity labels and excluded label alternate, as they do in every line."""
    # PERF: 0.4 us for 6 lines. With the node as part of the projection, few pods of different nodes were alike: 9 us a pod.
    for column, template in templates:
        parts = [""] * (2 * len(template) - 1)
        lines = len(template) // 2
        parts[::2], parts[1::4], parts[3::4] = template, [labels] * lines, [excluded] * lines
        texts[column] = "".join(parts)


def _cached_writer(write: Write) -> Write:
    """Wrap a writer in a cache, for rows that repeat from object to object: classes, reasons, names of containers."""
    cache: RenderCache[Template] = RenderCache()

    def write_cached(labels: str, samples: Any) -> str:
        if not samples or samples.__class__ in NUMBERS or not cache.enabled:
            return write(labels, samples)
        # PERF: text that is known costs 0.5 us, a new one 1 to 7.
        rows = tuple(samples)
        cache.lookups += 1
        template = cache.get(rows)
        if template is None:
            template = write(LABELS_MARK, rows).split(LABELS_MARK)
            cache.put(rows, template)
        return labels.join(template)

    return write_cached
