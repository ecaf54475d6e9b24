"""From a metric to the function that generates its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Union

from telegen.kubestate.custom.cel.compiler import MAX_STEPS, Program, compile_expression, new_frame
from telegen.kubestate.custom.cel.errors import InvalidExpression, NoSuchField, no_overload
from telegen.kubestate.custom.cel.macros import Frame
from telegen.kubestate.custom.cel.operators import FIRST_VARIABLE, charge
from telegen.kubestate.custom.expressions.model import Metric
from telegen.kubestate.custom.expressions.results import number_of, text_of
from telegen.metrics.family import Generate, Number, Object, Row
from telegen.metrics.label_keys import sanitize

Pairs = tuple[tuple[str, str], ...]
"""Names and values of the labels of a sample."""


class Compiled(NamedTuple):
    """The compiled expressions of a metric.

    Attributes:
        loops: list or map of each repetition, and the places of its item and of its key, 0 for none.
        places: items of the frame.
        reads: paths that are read.
    """

    loops: tuple[tuple[Program, int, int], ...]
    when: Union[Program, None]
    value: Union[Program, None]
    labels: tuple[tuple[str, Program], ...]
    label_maps: tuple[Program, ...]
    places: int
    reads: frozenset[str]


class InvalidPart(ValueError):
    """An expression of a metric is malformed.

    Attributes:
        place: path of the expression below the metric, `labels.phase`.
    """

    def __init__(self, place: str, text: str, error: InvalidExpression) -> None:
        super().__init__(f"{text[:100]!r}, {error}")
        self.place = place


def compile_metric(metric: Metric) -> Compiled:
    """Compile the expressions of a metric.

    Raises:
        InvalidPart: one of them is malformed.
    """
    variables: list[str] = []
    programs: list[Program] = []

    def compiled(place: str, text: str) -> Program:
        try:
            programs.append(compile_expression(text, variables))
        except InvalidExpression as error:
            raise InvalidPart(place, text, error) from error
        return programs[-1]

    loops = []
    for number, loop in enumerate(metric.loops):
        over, item = compiled(f"forEach[{number}].in", loop.over), FIRST_VARIABLE + len(variables)
        variables += [loop.variable, loop.key] if loop.key else [loop.variable]
        loops.append((over, item, item + 1 if loop.key else 0))
    when, value = (compiled(place, text) if text else None for place, text in (("when", metric.when), ("value", metric.value)))
    labels = tuple((name, compiled(f"labels.{name}", text)) for name, text in metric.labels.items())
    maps = tuple(compiled(f"labelsFrom[{number}]", text) for number, text in enumerate(metric.label_maps))
    places = max([FIRST_VARIABLE + len(variables), *(program.places for program in programs)])
    return Compiled(tuple(loops), when, value, labels, maps, places, frozenset().union(*(program.reads for program in programs)))


def generate_of(metric: Metric, compiled: Compiled) -> Generate:
    """Return the generate function of a family: rows of (label values..., number), or of ((name, value) pairs, number).

    It raises ExpressionError for an object for which an expression fails; an absent field leaves out its sample or its label.
    """
    read = {"stateset": _states, "count": _counts}.get(metric.type, _numbers)(metric, compiled)
    labels = _pairs(compiled) if compiled.label_maps else _values(compiled)
    join = _joined_pairs if compiled.label_maps else _joined_values

    def generate(obj: Object) -> list[Row]:
        frame = new_frame(compiled.places, obj, (), MAX_STEPS)
        return [join(*sample) for sample in read(frame, labels)]

    return generate


Labels = Callable[[Frame], tuple[Any, ...]]
Read = Callable[[Frame, Labels], Iterator[tuple[tuple[Any, ...], Pairs, Number]]]
"""Yields for each sample the labels of the metric, those of the type, and the number."""


def _joined_values(labels: tuple[Any, ...], own: Pairs, number: Number) -> Row:
    return (*labels, *[value for _, value in own], number)


def _joined_pairs(labels: tuple[Any, ...], own: Pairs, number: Number) -> Row:
    return (labels + own, number)


def _values(compiled: Compiled) -> Labels:
    """Return the reader of the values of labels whose names are known."""
    programs = [program.evaluate for _, program in compiled.labels]
    return lambda frame: tuple([_text(evaluate, frame) for evaluate in programs])


def _pairs(compiled: Compiled) -> Labels:
    """Return the reader of labels with their names, those of maps first: single ones replace them."""

    def read(frame: Frame) -> tuple[Any, ...]:
        found: dict[str, str] = {}
        for program in compiled.label_maps:
            labels = _or_none(program.evaluate, frame)
            if labels is None:
                continue
            if not isinstance(labels, dict):
                raise no_overload("labelsFrom", labels)
            charge(frame, len(labels))
            found.update({label_name(key): text_of(labels[key]) for key in sorted(labels, key=str)})
        found.update({name: _text(program.evaluate, frame) for name, program in compiled.labels})
        return tuple(found.items())

    return read


def label_name(key: Any) -> str:
    """Return the label name of a key of a map."""
    name = sanitize(str(key))
    return name if name and not name[0].isdigit() else f"_{name}"


def _text(evaluate: Callable[[Frame], Any], frame: Frame) -> str:
    try:
        return text_of(evaluate(frame))
    except NoSuchField:
        return ""


def _or_none(evaluate: Callable[[Frame], Any], frame: Frame) -> Any:
    try:
        return evaluate(frame)
    except NoSuchField:
        return None


def _repeated(compiled: Compiled, frame: Frame, depth: int = 0) -> Iterator[None]:
    """Set the variables of all loops to each combination in turn, where the condition holds."""
    if depth == len(compiled.loops):
        if compiled.when is None or _is_wanted(compiled.when, frame):
            yield
        return
    over, item, key = compiled.loops[depth]
    value = _or_none(over.evaluate, frame)
    if value is None:
        return
    if value.__class__ is not list and value.__class__ is not dict:
        raise no_overload("forEach", value)
    for name, one in value.items() if value.__class__ is dict else enumerate(value):
        charge(frame, 1)
        frame[item] = one
        if key:
            frame[key] = name
        yield from _repeated(compiled, frame, depth + 1)


def _is_wanted(when: Program, frame: Frame) -> bool:
    """Return the condition; an absent field is False."""
    truth = _or_none(when.evaluate, frame)
    if truth is None:
        return False
    if not isinstance(truth, bool):
        raise no_overload("when", truth)
    return truth


def _numbers(metric: Metric, compiled: Compiled) -> Read:
    evaluate = compiled.value.evaluate if compiled.value else None
    numbers, scale = metric.numbers, metric.scale

    def read(frame: Frame, labels: Labels) -> Iterator[tuple[tuple[Any, ...], Pairs, Number]]:
        for _ in _repeated(compiled, frame):
            value = _or_none(evaluate, frame) if evaluate else 1
            number = numbers.get(text_of(value)) if numbers else number_of(value)
            if number is not None:
                yield labels(frame), (), number if scale == 1 else number * scale

    return read


def _states(metric: Metric, compiled: Compiled) -> Read:
    evaluate, states, known = compiled.value, (*metric.states, *filter(None, (metric.other,))), frozenset(metric.states)

    def read(frame: Frame, labels: Labels) -> Iterator[tuple[tuple[Any, ...], Pairs, Number]]:
        for _ in _repeated(compiled, frame):
            current = _text(evaluate.evaluate, frame) if evaluate else ""
            if current:
                state = current if current in known else metric.other
                shared = labels(frame)
                yield from ((shared, ((metric.label, one),), int(one == state)) for one in states)

    return read


def _counts(metric: Metric, compiled: Compiled) -> Read:
    def read(frame: Frame, labels: Labels) -> Iterator[tuple[tuple[Any, ...], Pairs, Number]]:
        counts = Counter(labels(frame) for _ in _repeated(compiled, frame))
        yield from ((values, (), number) for values, number in counts.items())

    return read
