"""Logic and macros. An error of a part counts only where no other part decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, no_overload
from telegen.kubestate.custom.cel.types import NOTHING, Optional

Frame = list[Any]
"""State of an evaluation: the steps that are left, the object, and the variables."""

Evaluate = Callable[[Frame], Any]


def decided(name: str, decisive: bool, operands: Iterable[Evaluate], frame: Frame) -> bool:
    error: EvaluationError | None = None
    for operand in operands:
        try:
            truth = operand(frame)
        except EvaluationError as failed:
            error = error or failed
            continue
        if truth is decisive:
            return bool(decisive)
        if truth.__class__ is not bool:
            error = error or no_overload(name, truth)
    if error:
        raise error
    return not decisive


Items = Callable[[Frame], Iterable[Any]]
"""Sets the variable of a macro to each item in turn."""


def _quantified(name: str, decisive: bool) -> Callable[[Items, Evaluate, Evaluate | None], Evaluate]:
    def make(items: Items, body: Evaluate, condition: Evaluate | None) -> Evaluate:
        return lambda frame: decided(f"{name}()", decisive, (body for _ in items(frame)), frame)

    return make


def _is_true(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise no_overload(f"{name}()", value)


def _exists_one(items: Items, body: Evaluate, condition: Evaluate | None) -> Evaluate:
    return lambda frame: sum([_is_true("exists_one", body(frame)) for _ in items(frame)]) == 1


def _filter(items: Items, body: Evaluate, condition: Evaluate | None) -> Evaluate:
    return lambda frame: [item for item in items(frame) if _is_true("filter", body(frame))]


def _mapped(items: Items, body: Evaluate, condition: Evaluate | None) -> Evaluate:
    if condition is None:
        return lambda frame: [body(frame) for _ in items(frame)]
    wanted = condition
    return lambda frame: [body(frame) for _ in items(frame) if _is_true("map", wanted(frame))]


MACROS: Mapping[str, Callable[[Items, Evaluate, Evaluate | None], Evaluate]] = {
    "all": _quantified("all", False),
    "exists": _quantified("exists", True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _mapped,
}


def optional_macro(name: str, over: Evaluate, body: Evaluate, place: int) -> Evaluate:
    def run(frame: Frame) -> Optional:
        value = over(frame)
        if value.__class__ is not Optional:
            raise no_overload(f"{name}()", value)
        if not value.values:
            return NOTHING
        frame[place] = value.values[0]
        result = body(frame)
        if name == "optMap":
            return Optional((result,))
        if not isinstance(result, Optional):
            raise no_overload(f"{name}()", result)
        return result

    return run


def alternative(name: str, first: Evaluate, second: Evaluate) -> Evaluate:
    """Return the closure of `first.or(second)` or `first.orValue(second)`; the second is evaluated only if the first is absent."""

    def run(frame: Frame) -> Any:
        value = first(frame)
        if value.__class__ is not Optional:
            raise no_overload(f"{name}()", value)
        if value.values:
            return value if name == "or" else value.values[0]
        other = second(frame)
        if name == "or" and other.__class__ is not Optional:
            raise no_overload("or()", value, other)
        return other

    return run
