"""The expressions of a metric, compiled."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple, Union

from telegen.kubestate.custom.cel.compiler import Program, compile_expression
from telegen.kubestate.custom.cel.errors import InvalidExpression
from telegen.kubestate.custom.cel.operators import FIRST_VARIABLE
from telegen.kubestate.custom.expressions.model import OBJECT_LABELS, Metric
from telegen.kubestate.custom.expressions.surroundings import mentioned


class Compiled(NamedTuple):
    """The compiled expressions of a metric.

    Attributes:
        loops: list or map of each repetition, and the places of its item and of its key, 0 for none.
        places: items of the frame.
        reads: paths that are read.
        surroundings: variables that the frame begins with; see `telegen.kubestate.custom.expressions.surroundings`.
        variables: names of the items and the keys of the repetitions.
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
    variables: frozenset[str] = frozenset()
    taken: Container[str] = OBJECT_LABELS

    @property
    def of_labels(self) -> list[Program]:
        """The expressions of labels."""
        return [*(program for _, program in self.labels), *self.label_maps]

    @property
    def steps(self) -> int:
        """Steps of one sample, besides those of macros and functions."""
        own = [program for program in (self.when, self.value) if program]
        return 1 + sum(program.size for program in (*own, *self.of_labels))

    def is_shared(self, program: Program) -> bool:
        """Return True if an expression has one value for all samples of an object."""
        return not program.uses & self.variables


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
    of_loops = frozenset(variables[len(surroundings) :])
    return Compiled(tuple(loops), when, value, labels, maps, places, reads, surroundings, of_loops)
