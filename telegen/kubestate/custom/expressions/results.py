"""Numbers and texts of the results of expressions."""

from __future__ import annotations

import math
from typing import Any, Union

from telegen.kubestate.custom.cel.errors import EvaluationError, NoSuchField, no_overload
from telegen.kubestate.custom.cel.macros import Evaluate, Frame
from telegen.kubestate.custom.cel.numbers import UInt
from telegen.kubestate.custom.cel.types import Duration, Optional, Quantity, Timestamp, parse_duration
from telegen.kubestate.custom.values import number_of as number_of_json
from telegen.kubestate.custom.values import text_of as text_of_json
from telegen.metrics.family import Number


def or_none(run: Evaluate, frame: Frame) -> Any:
    """Return the result of an expression; None for an absent field.

    Raises:
        ExpressionError: another error.
    """
    try:
        return run(frame)
    except NoSuchField:
        return None


def number_of(value: Any) -> Union[Number, None]:
    """Return the number of a result: times and durations in seconds, quantities in their unit; None for null and what is absent.

    Texts are read as by kube-state-metrics (a number, a quantity, a percentage, a time, True or False), else as a duration.

    Raises:
        EvaluationError: the result has no number.
    """
    # PERF: most results are numbers: 0.1 us.
    kind = value.__class__
    if kind is int or kind is float or kind is bool:
        return value  # type: ignore[no-any-return]
    if value is None:
        return None
    if kind is str:
        number = number_of_json(value)
        return parse_duration(value).seconds if number is None else number
    if kind is UInt:
        return int(value)
    if isinstance(value, (Duration, Timestamp)):
        return value.seconds
    if isinstance(value, Quantity):
        return float(value.amount) if math.isfinite(float(value.amount)) else None
    if isinstance(value, Optional):
        return number_of(value.values[0]) if value.values else None
    raise no_overload("a number", value)


def text_of(value: Any) -> str:
    """Return the text of a result; "" for null and what is absent.

    Raises:
        EvaluationError: the result is a list or a map.
    """
    # PERF: most labels are texts: 0.05 us.
    if value.__class__ is str:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, Optional):
        return text_of(value.values[0]) if value.values else ""
    if isinstance(value, (bool, float)):
        return text_of_json(value)
    if isinstance(value, (int, Duration, Timestamp)):
        return str(int(value) if isinstance(value, int) else value)
    if isinstance(value, Quantity):
        return text_of_json(float(value.amount))
    raise EvaluationError("a label cannot be a list, a map or bytes; choose one value, or join() the items of a list")
