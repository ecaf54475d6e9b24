"""From a metric to the function that generates its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, NamedTuple, Union

from telegen.kubestate.custom.cel.compiler import MAX_STEPS, Program, compile_expression, new_frame
from telegen.kubestate.custom.cel.errors import InvalidExpression, NoSuchField, no_overload
from telegen.kubestate.custom.cel.macros import Evaluate, Frame
from telegen.kubestate.custom.cel.operators import FIRST_VARIABLE, OBJECT, charge
from telegen.kubestate.custom.expressions.model import OBJECT_LABELS, Metric
from telegen.kubestate.custom.expressions.results import number_of, text_of
from telegen.kubestate.custom.expressions.surroundings import ReadLabels, mentioned, no_labels, readers
from telegen.kubestate.custom.labels import star_name
from telegen.metrics.family import Generate, Number, Object, Row


class Compiled(NamedTuple):
    """The compiled expressions of a metric.

    Attributes:
        loops: list or map of each repetition, and the places of its item and of its key, 0 for none.
        places: items of the frame.
        reads: paths that are read.
        surroundings: variables that the frame begins with; see `telegen.kubestate.custom.expressions.surroundings`.
        taken: names of labels that every sample has.
    """

    loops: tuple[tuple[Program, int, int], ...]
    when: Union[Program, None]
    value: Union[Program, None]
    labels: tuple[tuple[str, Program], ...]
    label_maps: tuple[Program, ...]
    places: int
    reads: frozenset[str]
    surroundings: tuple[str, ...] = ()
    taken: Container[str] = OBJECT_LABELS

    @property
    def per_sample(self) -> list[Program]:
        """The expressions that every sample evaluates."""
        own = [program for program in (self.when, self.value) if program]
        return [*own, *(program for _, program in self.labels), *self.label_maps]


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
    surroundings = mentioned(metric)
    variables = list(surroundings)
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
    reads = frozenset[str]().union(*(program.reads for program in programs))
    return Compiled(tuple(loops), when, value, labels, maps, places, reads, surroundings)


Repeat = Callable[[Frame], Iterable[None]]
"""Sets the variables of all loops to each combination in turn, where the condition holds."""

MakeRow = Callable[[Frame, tuple[str, ...], Number], Row]
"""Makes the row of a sample, with the values of the labels that the type adds."""


def generate_of(metric: Metric, compiled: Compiled, namespace_labels: ReadLabels = no_labels) -> Generate:
    """Return the generate function of a family: rows of (label values..., number), or of ((name, value) pairs, number).

    It raises ExpressionError for an object for which an expression fails; an absent field leaves out its sample or its label.
    """
    add = {"stateset": _add_states, "count": _add_counts}.get(metric.type, _add_numbers)(metric, compiled)
    frame_of = _frames(compiled, readers(compiled.surroundings, namespace_labels))

    def generate(obj: Object) -> list[Row]:
        rows: list[Row] = []
        add(frame_of(obj), rows)
        return rows

    return generate


def _frames(compiled: Compiled, variables: list[Callable[[Object], Any]]) -> Callable[[Object], Frame]:
    template = new_frame(compiled.places, None, (), MAX_STEPS)

    def frame_of(obj: Object) -> Frame:
        frame = template.copy()
        frame[OBJECT] = obj
        for place, read in enumerate(variables, FIRST_VARIABLE):
            frame[place] = read(obj)
        return frame

    return frame_of


# Repetitions.


def _repetition(compiled: Compiled) -> Repeat:
    steps = 1 + sum(program.size for program in compiled.per_sample)
    when = compiled.when.run if compiled.when else None

    def once(frame: Frame) -> Iterable[None]:
        charge(frame, steps)
        return (None,) if when is None or _is_wanted(when, frame) else ()

    repeat: Repeat = once
    for over, item, key in reversed(compiled.loops):
        repeat = _loop(over, item, key, repeat)
    return repeat


def _loop(over: Program, item: int, key: int, inner: Repeat) -> Repeat:
    def repeat(frame: Frame) -> Iterator[None]:
        charge(frame, over.size)
        value = _or_none(over.run, frame)
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
    truth = _or_none(when, frame)
    if truth is None:
        return False
    if not isinstance(truth, bool):
        raise no_overload("when", truth)
    return truth


def _or_none(run: Evaluate, frame: Frame) -> Any:
    try:
        return run(frame)
    except NoSuchField:
        return None


# Labels.


def _row_maker(metric: Metric, compiled: Compiled) -> MakeRow:
    texts = _texts([program.run for _, program in compiled.labels])
    if not compiled.label_maps:
        return lambda frame, own, number: (*texts(frame), *own, number)
    names = tuple(compiled_name for compiled_name, _ in compiled.labels)

    def make(frame: Frame, own: tuple[str, ...], number: Number) -> Row:
        # Single labels replace those of maps.
        labels = {**_map_labels(compiled, frame), **dict(zip(names, texts(frame))), **dict(zip((metric.label,), own))}
        return tuple(labels.items()), number

    return make


def _texts(runs: list[Evaluate]) -> Callable[[Frame], list[str]]:
    """Return the reader of the values of labels; an absent field is an empty text."""

    def texts(frame: Frame) -> list[str]:
        # PERF: 0.5 us for two labels.
        try:
            return [value if (value := run(frame)).__class__ is str else text_of(value) for run in runs]
        except NoSuchField:
            return [text_of(_or_none(run, frame)) for run in runs]

    return texts


def _map_labels(compiled: Compiled, frame: Frame) -> dict[str, str]:
    """Return the labels of maps. Of keys that become one label name, the last one in sorted order counts."""
    found: dict[str, str] = {}
    for program in compiled.label_maps:
        labels = _or_none(program.run, frame)
        if labels is None:
            continue
        if not isinstance(labels, dict):
            raise no_overload("labelsFrom", labels)
        charge(frame, len(labels))
        found.update({_label_of(str(key), compiled.taken): text_of(labels[key]) for key in sorted(labels, key=str)})
    return found


def _label_of(key: str, taken: Container[str]) -> str:
    """Return the label name of a key of a map. Taken names get a prefix: a repeated label makes the page invalid."""
    name = star_name(key)
    return f"exported_{name}" if name in taken else name


# Types.

Add = Callable[[Frame, list[Row]], None]
"""Adds the rows of an object."""


def _add_numbers(metric: Metric, compiled: Compiled) -> Add:
    repeat, row, numbers, scale = _repetition(compiled), _row_maker(metric, compiled), metric.numbers, metric.scale
    run: Evaluate = compiled.value.run if compiled.value else lambda frame: 1

    def add(frame: Frame, rows: list[Row]) -> None:
        for _ in repeat(frame):
            value = _or_none(run, frame)
            number = numbers.get(text_of(value)) if numbers else number_of(value)
            if number is not None:
                rows.append(row(frame, (), number if scale == 1 else number * scale))

    return add


def _add_states(metric: Metric, compiled: Compiled) -> Add:
    repeat, row = _repetition(compiled), _row_maker(metric, compiled)
    run: Evaluate = compiled.value.run if compiled.value else lambda frame: ""
    known, states = frozenset(metric.states), (*metric.states, *filter(None, (metric.other,)))

    def add(frame: Frame, rows: list[Row]) -> None:
        for _ in repeat(frame):
            current = text_of(_or_none(run, frame))
            if current:
                state = current if current in known else metric.other
                rows.extend([row(frame, (one,), int(one == state)) for one in states])

    return add


def _add_counts(metric: Metric, compiled: Compiled) -> Add:
    repeat, row = _repetition(compiled), _row_maker(metric, compiled)

    def add(frame: Frame, rows: list[Row]) -> None:
        counts = Counter(row(frame, (), 0)[:-1] for _ in repeat(frame))
        rows.extend([(*labels, number) for labels, number in counts.items()])

    return add
