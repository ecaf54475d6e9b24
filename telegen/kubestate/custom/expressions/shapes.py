"""Keys of a metric with expressions that its type needs, or that have no effect beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from telegen.kubestate.custom.expressions import written
from telegen.kubestate.custom.expressions.model import Metric
from telegen.kubestate.custom.labels import LABEL_NAME

Problem = tuple[str, str]
"""Key of a metric, "" for the metric itself, and message."""

_UNUSED: Mapping[str, tuple[str, ...]] = {
    "count": ("value", "map", "scale", "states", "other", "label"),
    "info": ("value", "map", "scale", "states", "other", "label"),
    "stateset": ("map", "scale", "by"),
}
"""Keys without effect by type."""
_UNUSED_ELSE = ("by", "states", "other", "label")
_UNUSED_BY_AGGREGATES = ("labelsFrom", "states", "other", "label")


def is_set(given: written.Metric, key: str) -> bool:
    """Return True for a key that does not have its default."""
    return bool(getattr(given, key) != _DEFAULTS[key])


_DEFAULTS = {key: getattr(written.Metric(""), key) for key in written.Metric.__struct_fields__}


def misplaced(given: written.Metric, metric: Metric) -> Iterator[Problem]:
    """Yield the problems of the keys of a metric."""
    if given.value and given.celExpr:
        yield "celExpr", "celExpr is another name of value; remove one of the two"
    yield from _of_aggregate(given) if metric.aggregate else _of_type(given, metric)
    for place, loop in enumerate(metric.loops):
        for name in filter(None, (loop.variable, loop.key)):
            if not LABEL_NAME.fullmatch(name):
                yield f"forEach[{place}]", f"{name!r} is not a legal name of a variable; use letters, digits and '_'"


def _of_type(given: written.Metric, metric: Metric) -> Iterator[Problem]:
    if metric.type == "stateset" and not (metric.states and metric.value):
        yield "", "a StateSet needs value and states; add value: the expression of the state, and states: [A, B]"
    if metric.type in ("gauge", "counter") and not metric.value:
        yield "", "no value; write an expression, or value: 1"
    if metric.type == "count" and not metric.loops:
        yield "", "a Count needs forEach; add forEach: [{in: the list that it counts, as: item}]"
    for key in filter(lambda key: is_set(given, key), _UNUSED.get(metric.type, _UNUSED_ELSE)):
        yield key, f"{key} has no effect beside type {given.type}; remove it"


def _of_aggregate(given: written.Metric) -> Iterator[Problem]:
    if given.type != "Gauge":
        yield "type", f"an aggregate is a Gauge, as it falls when objects go; remove type {given.type}"
    if given.aggregate != "count" and not (given.value or given.celExpr):
        yield "", f"no value to take the {given.aggregate} of; write an expression"
    if given.labels:
        yield "labels", "an aggregate has no labels of objects; write by: the labels of its groups"
    for key in (*_UNUSED_BY_AGGREGATES, *(("value", "celExpr", "map", "scale") if given.aggregate == "count" else ())):
        if is_set(given, key):
            yield key, f"{key} has no effect beside aggregate: {given.aggregate}; remove it"
