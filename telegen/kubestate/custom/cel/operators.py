"""Operators of CEL on Python values. Python's own differ: True == 1, [1] == [True], 7 // -2 == -4."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, NoSuchField, OutOfSteps, no_overload
from telegen.kubestate.custom.cel.numbers import UInt, checked_int, checked_uint
from telegen.kubestate.custom.cel.types import Duration, Optional, Quantity, Timestamp

STEPS, OBJECT, FIRST_VARIABLE = 0, 1, 2
"""Places of a frame: the list of the steps that are left, the object, and the variables."""

MAX_SIZE = 1 << 20
"""Characters or items of the longest text or list that an expression makes."""

NUMBERS = (int, float, UInt)
_ORDERED = (int, float, str, bytes, bool, Duration, Timestamp, Quantity)
_PLAIN = frozenset((str, bytes, type(None), Duration, Timestamp, Quantity))


def equal(left: Any, right: Any, frame: list[Any] | None = None) -> bool:
    """Return True for equal values; numbers are compared across their types, other values of different types are not equal.

    Args:
        frame: of the evaluation; each item of a list or a map is a step.
    """
    # PERF: nearly all comparisons are of strings: 0.1 us.
    kind, other = left.__class__, right.__class__
    if kind is other and kind in _PLAIN:
        return bool(left == right)
    if kind in NUMBERS and other in NUMBERS:
        return bool(left == right) if (kind is float) is (other is float) else float(left) == float(right)
    if kind is not other:
        return False
    if kind is list or kind is dict:
        return len(left) == len(right) and _equal_items(left, right, frame)
    if kind is Optional:
        return len(left.values) == len(right.values) and all(equal(*pair, frame) for pair in zip(left.values, right.values))
    return bool(left == right)


def _equal_items(left: Any, right: Any, frame: list[Any] | None) -> bool:
    charge(frame, len(left))
    if left.__class__ is list:
        return all(equal(item, other, frame) for item, other in zip(left, right))
    return all(key in right and equal(value, right[key], frame) for key, value in left.items())


def contains(value: Any, container: Any, frame: list[Any] | None = None) -> bool:
    """Return `value in container`."""
    if container.__class__ is list:
        charge(frame, len(container))
        return any(equal(value, item, frame) for item in container)
    if container.__class__ is dict and (is_key(value) or value.__class__ is bool):
        return is_key(value) and value in container
    raise no_overload("in", value, container)


def charge(frame: list[Any] | None, steps: int) -> None:
    """Take steps off those that an evaluation has left.

    Raises:
        OutOfSteps: none are left.
    """
    if frame is not None:
        frame[STEPS] -= steps
        if frame[STEPS] < 0:
            raise OutOfSteps("the expression takes too many steps for this object")


SIZED = frozenset((str, bytes, list, dict))


def text_steps(value: Any) -> int:
    """Return the steps for reading or making a value: one per item, and one per 64 characters."""
    if value.__class__ in (list, dict):
        return len(value)
    return len(value) >> 6 if value.__class__ in SIZED else 0


def is_key(value: Any) -> bool:
    """Return True for a value that can be the key of a map. True and 1 are one key in Python, so truth values are none here."""
    return value.__class__ is str or value.__class__ in NUMBERS


def index(value: Any, key: Any) -> Any:
    """Return `value[key]`.

    Raises:
        NoSuchField: the list or the map has no such item.
    """
    if value.__class__ is dict:
        if is_key(key) and key in value:
            return value[key]
        raise NoSuchField(f"no such key: {str(key)[:100]}")
    if value.__class__ is not list:
        raise no_overload("[]", value, key)
    if key.__class__ is float and key.is_integer():
        key = int(key)
    if key.__class__ not in (int, UInt):
        raise no_overload("[]", value, key)
    if not 0 <= key < len(value):
        raise NoSuchField(f"no such index: {key}")
    return value[key]


def _comparison(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        kind, other = left.__class__, right.__class__
        if kind is other and kind in _ORDERED:
            return compare(left, right)
        if kind in NUMBERS and other in NUMBERS:
            # A large whole number is rounded to the float that it is compared with.
            return compare(left, right) if (kind is float) is (other is float) else compare(float(left), float(right))
        raise no_overload(symbol, left, right)

    return ordered


def add(left: Any, right: Any) -> Any:
    kind, other = left.__class__, right.__class__
    if kind is other:
        if kind is int:
            return checked_int(left + right)
        if kind is float:
            return left + right
        if kind in (str, bytes, list):
            return _joined(left, right)
        if kind is UInt:
            return checked_uint(int(left) + int(right))
        if kind is Duration:
            return Duration(left.nanoseconds + right.nanoseconds)
        if kind is Quantity:
            return Quantity(left.amount + right.amount)
    if {kind, other} == {Timestamp, Duration}:
        return Timestamp(left.nanoseconds + right.nanoseconds)
    raise no_overload("+", left, right)


def _joined(left: Any, right: Any) -> Any:
    check_size(len(left) + len(right))
    return left + right


def check_size(size: int) -> None:
    """Check the size of a text or a list before it is made.

    Raises:
        EvaluationError: it is too large.
    """
    if size > MAX_SIZE:
        raise EvaluationError(f"a text or a list of {size} characters or items; at most {MAX_SIZE} are accepted")


def subtract(left: Any, right: Any) -> Any:
    kind, other = left.__class__, right.__class__
    if kind is other:
        if kind is int:
            return checked_int(left - right)
        if kind is float:
            return left - right
        if kind is UInt:
            return checked_uint(int(left) - int(right))
        if kind in (Duration, Timestamp):
            return Duration(left.nanoseconds - right.nanoseconds)
        if kind is Quantity:
            return Quantity(left.amount - right.amount)
    if kind is Timestamp and other is Duration:
        return Timestamp(left.nanoseconds - right.nanoseconds)
    raise no_overload("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    kind = left.__class__
    if kind is right.__class__:
        if kind is int:
            return checked_int(left * right)
        if kind is float:
            return left * right
        if kind is UInt:
            return checked_uint(int(left) * int(right))
    raise no_overload("*", left, right)


def divide(left: Any, right: Any) -> Any:
    kind = left.__class__
    if kind is right.__class__:
        if kind is float:
            return _divide_floats(left, right)
        if kind in (int, UInt):
            return _truncated(left, right)[0]
    raise no_overload("/", left, right)


def _divide_floats(left: float, right: float) -> float:
    if right:
        return left / right
    if not left or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def modulo(left: Any, right: Any) -> Any:
    if left.__class__ is right.__class__ and left.__class__ in (int, UInt):
        return _truncated(left, right)[1]
    raise no_overload("%", left, right)


def _truncated(left: int, right: int) -> tuple[int, int]:
    """Return quotient and rest; the quotient is cut toward 0, and the rest has the sign of `left`."""
    if not right:
        raise EvaluationError("division by zero")
    quotient, rest = divmod(abs(left), abs(right))
    if left.__class__ is UInt:
        return UInt(quotient), UInt(rest)
    return checked_int(quotient if (left < 0) == (right < 0) else -quotient), -rest if left < 0 else rest


def negate(value: Any) -> Any:
    if value.__class__ is int:
        return checked_int(-value)
    if value.__class__ is float:
        return -value
    raise no_overload("-", value)


def invert(value: Any) -> bool:
    """Return `!value`."""
    if value.__class__ is bool:
        return not value
    raise no_overload("!", value)


UNARY: Mapping[str, Callable[[Any], Any]] = {"-": negate, "!": invert}
BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": _comparison("<", operator.lt),
    "<=": _comparison("<=", operator.le),
    ">": _comparison(">", operator.gt),
    ">=": _comparison(">=", operator.ge),
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
}
