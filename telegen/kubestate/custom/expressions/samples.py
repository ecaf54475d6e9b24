"""From a metric to the function that generates its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from telegen.kubestate.custom.cel.compiler import MAX_STEPS, Program, new_frame
from telegen.kubestate.custom.cel.errors import NoSuchField, no_overload
from telegen.kubestate.custom.cel.macros import Evaluate, Frame
from telegen.kubestate.custom.cel.operators import FIRST_VARIABLE, OBJECT, charge
from telegen.kubestate.custom.expressions.compiled import Compiled
from telegen.kubestate.custom.expressions.label_texts import LabelText, LabelTexts, label_values
from telegen.kubestate.custom.expressions.model import Metric
from telegen.kubestate.custom.expressions.results import number_of, or_none, text_of
from telegen.kubestate.custom.expressions.surroundings import ReadLabels, no_labels, readers
from telegen.metrics.family import Generate, Number, Object, Row

Repeat = Callable[[Frame], Iterable[None]]
"""Sets the variables of all loops to each combination in turn, where the condition holds."""

MakeRow = Callable[[Frame, tuple[str, ...], Number], Row]
"""Makes the row of a sample, with the values of the labels that the type adds."""

LONG = 10
"""Binary logarithm of the characters of labels for which a sample takes a step: each repetition has those of the object again."""


def generate_of(metric: Metric, compiled: Compiled, namespace_labels: ReadLabels = no_labels, texts: LabelTexts | None = None) -> Generate:
    """Return the generate function of a family: rows of (text of all labels, number).

    It raises ExpressionError for an object for which an expression fails; an absent field leaves out its sample or its label.

    Args:
        texts: labels of the table; without them the rows are (label values..., number).
    """
    row = _text_rows(texts.reader(metric, compiled)) if texts else _value_rows(compiled)
    read = {"stateset": _states, "count": _counts}.get(metric.type, _numbers)(metric, compiled, row)
    # The steps of a sample without repetitions are known before.
    template = new_frame(compiled.places, None, (), MAX_STEPS - (0 if compiled.loops else compiled.steps))
    variables = list(enumerate(readers(compiled.surroundings, namespace_labels), FIRST_VARIABLE))

    def generate(obj: Object) -> list[Row]:
        # PERF: 0.8 us for a metric of one field whose labels another one has as well.
        frame = template.copy()
        frame[OBJECT] = obj
        for place, read_variable in variables:
            frame[place] = read_variable(obj)
        return read(frame)

    return generate


def _text_rows(read: LabelText) -> MakeRow:
    def row(frame: Frame, added: tuple[str, ...], number: Number) -> Row:
        text = read(frame, added)
        steps = len(text) >> LONG
        if steps:
            charge(frame, steps)
        return text, number

    return row


def _value_rows(compiled: Compiled) -> MakeRow:
    read = label_values([program.run for _, program in compiled.labels])
    return lambda frame, added, number: (*read(frame), *added, number)


# Repetitions.

_ONCE = (None,)


def _repetition(compiled: Compiled) -> Repeat:
    steps, when = compiled.steps, compiled.when.run if compiled.when else None

    def wanted(frame: Frame) -> Iterable[None]:
        return _ONCE if when is None or _is_wanted(when, frame) else ()

    if not compiled.loops:
        return wanted

    def charged(frame: Frame) -> Iterable[None]:
        charge(frame, steps)
        return wanted(frame)

    repeat: Repeat = charged
    for over, item, key in reversed(compiled.loops):
        repeat = _loop(over, item, key, repeat)
    return repeat


def _loop(over: Program, item: int, key: int, inner: Repeat) -> Repeat:
    def repeat(frame: Frame) -> Iterator[None]:
        charge(frame, over.size)
        value = or_none(over.run, frame)
        if value is None:
            return
        if value.__class__ is dict:
            pairs: Iterable[tuple[Any, Any]] = value.items()
        elif value.__class__ is list:
            pairs = enumerate(value)
        else:
            raise no_overload("forEach", value)
        for name, frame[item] in pairs:
            if key:
                frame[key] = name
            yield from inner(frame)

    return repeat


def _is_wanted(when: Evaluate, frame: Frame) -> bool:
    """Return the condition; an absent field is False."""
    truth = or_none(when, frame)
    if truth is None:
        return False
    if not isinstance(truth, bool):
        raise no_overload("when", truth)
    return truth


# Types.

ReadRows = Callable[[Frame], list[Row]]
"""Returns the rows of an object."""


def _numbers(metric: Metric, compiled: Compiled, row: MakeRow) -> ReadRows:
    repeat, numbers, scale = _repetition(compiled), metric.numbers, metric.scale
    run: Evaluate = compiled.value.run if compiled.value else lambda frame: 1
    is_plain = not numbers and scale == 1

    def read_number(frame: Frame) -> Number | None:
        # PERF: `or_none` would add 0.1 us a sample.
        try:
            value = run(frame)
        except NoSuchField:
            value = None
        if is_plain and value.__class__ is int:
            return value
        number = numbers.get(text_of(value)) if numbers else number_of(value)
        return number if scale == 1 or number is None else number * scale

    def read_one(frame: Frame) -> list[Row]:
        # PERF: most metrics; a repetition that occurs once would add 0.2 us.
        number = read_number(frame)
        return [] if number is None else [row(frame, (), number)]

    def read(frame: Frame) -> list[Row]:
        return [row(frame, (), number) for _ in repeat(frame) if (number := read_number(frame)) is not None]

    return read if compiled.loops or compiled.when else read_one


def _states(metric: Metric, compiled: Compiled, row: MakeRow) -> ReadRows:
    repeat = _repetition(compiled)
    run: Evaluate = compiled.value.run if compiled.value else lambda frame: ""
    known, states = frozenset(metric.states), (*metric.states, *filter(None, (metric.other,)))

    def read(frame: Frame) -> list[Row]:
        rows: list[Row] = []
        for _ in repeat(frame):
            current = text_of(or_none(run, frame))
            if current:
                state = current if current in known else metric.other
                rows.extend([row(frame, (one,), int(one == state)) for one in states])
        return rows

    return read


def _counts(metric: Metric, compiled: Compiled, row: MakeRow) -> ReadRows:
    repeat = _repetition(compiled)

    def read(frame: Frame) -> list[Row]:
        counts = Counter(row(frame, (), 0)[:-1] for _ in repeat(frame))
        return [(*labels, number) for labels, number in counts.items()]

    return read
