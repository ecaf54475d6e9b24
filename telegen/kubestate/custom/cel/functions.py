"""Functions and methods of the subset, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegen.kubestate.custom.cel.conversions import CONVERSIONS, by_type, identity
from telegen.kubestate.custom.cel.errors import NoSuchField, no_overload
from telegen.kubestate.custom.cel.numbers import UInt, checked_int
from telegen.kubestate.custom.cel.operators import add
from telegen.kubestate.custom.cel.texts import TEXT_METHODS, Function, matches
from telegen.kubestate.custom.cel.types import NOTHING, SECOND, Duration, Optional, Quantity, Timestamp


def _sum(items: Any) -> Any:
    if items.__class__ is not list or items and items[0].__class__ not in (int, UInt, float, Duration, Quantity):
        raise no_overload("sum()", items)
    total = items[0] if items else 0
    for item in items[1:]:
        total = add(total, item)
    return total


def _extreme(name: str, choose: Function) -> Function:
    def method(items: Any) -> Any:
        kinds = {item.__class__ for item in items} if items.__class__ is list else set()
        if not kinds <= {int, UInt, float} and (len(kinds) != 1 or not kinds <= {str, Duration, Timestamp, Quantity}):
            raise no_overload(f"{name}()", items)
        if not items:
            raise NoSuchField(f"{name}() of an empty list")
        return choose(items)

    return method


def _time_part(name: str, of_time: Function, of_duration: Function | None = None) -> Function:
    return by_type(name, {Timestamp: of_time, Duration: of_duration} if of_duration else {Timestamp: of_time})


def _of_optional(name: str, code: Function) -> Function:
    def method(value: Any, *arguments: Any) -> Any:
        if value.__class__ is not Optional:
            raise no_overload(f"{name}()", value)
        return code(value.values, *arguments)

    return method


def _value(values: tuple[Any, ...]) -> Any:
    if not values:
        raise NoSuchField("the optional value is absent")
    return values[0]


def _label_prefix(labels: Any, prefix: Any) -> dict[str, Any]:
    if labels.__class__ is not dict or prefix.__class__ is not str:
        raise no_overload("labelPrefix()", labels, prefix)
    return {f"{prefix}{key}": value for key, value in labels.items()}


def _cut(nanoseconds: int, unit: int) -> int:
    return -(-nanoseconds // unit) if nanoseconds < 0 else nanoseconds // unit


def _milliseconds(value: Duration) -> int:
    """Return the milliseconds of a duration beside its whole seconds."""
    return _cut(value.nanoseconds - _cut(value.nanoseconds, SECOND) * SECOND, 10**6)


def _compared(left: Any, right: Any) -> int:
    if left.__class__ is not Quantity or right.__class__ is not Quantity:
        raise no_overload("compareTo()", left, right)
    return (left.amount > right.amount) - (left.amount < right.amount)


def _of_non_zero(value: Any) -> Optional:
    """Return an optional value that is absent for null, 0, false, and an empty text, list or map."""
    return Optional((value,)) if value or isinstance(value, (Duration, Timestamp, Quantity, Optional)) else NOTHING


FUNCTIONS: Mapping[str, tuple[Function, int, int]] = {
    **{name: (by_type(name, overloads), 1, 1) for name, overloads in CONVERSIONS.items()},
    "dyn": (identity, 1, 1),
    "matches": (matches, 2, 2),
    "labelPrefix": (_label_prefix, 2, 2),
    "optional.of": (lambda value: Optional((value,)), 1, 1),
    "optional.ofNonZeroValue": (_of_non_zero, 1, 1),
    "optional.none": (lambda: NOTHING, 0, 0),
}
"""Function, and its fewest and most arguments."""

LINEAR = frozenset(
    (
        "matches contains startsWith endsWith lowerAscii upperAscii trim indexOf lastIndexOf split join replace substring "
        "string bytes sum min max labelPrefix"
    ).split()
)
"""Functions and methods whose time grows with the size of their arguments: each item, and every 64 characters, is a step."""

METHODS: Mapping[str, tuple[Function, int, int]] = {
    "size": (by_type("size", CONVERSIONS["size"]), 1, 1),
    **TEXT_METHODS,
    "sum": (_sum, 1, 1),
    "min": (_extreme("min", min), 1, 1),
    "max": (_extreme("max", max), 1, 1),
    "getFullYear": (_time_part("getFullYear", lambda value: value.utc.year), 1, 1),
    "getMonth": (_time_part("getMonth", lambda value: value.utc.month - 1), 1, 1),
    "getDate": (_time_part("getDate", lambda value: value.utc.day), 1, 1),
    "getDayOfMonth": (_time_part("getDayOfMonth", lambda value: value.utc.day - 1), 1, 1),
    "getDayOfWeek": (_time_part("getDayOfWeek", lambda value: value.utc.isoweekday() % 7), 1, 1),
    "getDayOfYear": (_time_part("getDayOfYear", lambda value: value.utc.timetuple().tm_yday - 1), 1, 1),
    "getHours": (_time_part("getHours", lambda value: value.utc.hour, lambda value: _cut(value.nanoseconds, 3600 * SECOND)), 1, 1),
    "getMinutes": (_time_part("getMinutes", lambda value: value.utc.minute, lambda value: _cut(value.nanoseconds, 60 * SECOND)), 1, 1),
    "getSeconds": (_time_part("getSeconds", lambda value: value.utc.second, lambda value: _cut(value.nanoseconds, SECOND)), 1, 1),
    "getMilliseconds": (
        _time_part("getMilliseconds", lambda value: value.nanoseconds % SECOND // 10**6, _milliseconds),
        1,
        1,
    ),
    "asApproximateFloat": (by_type("asApproximateFloat", {Quantity: lambda value: float(value.amount)}), 1, 1),
    "asInteger": (by_type("asInteger", {Quantity: lambda value: checked_int(int(value.amount))}), 1, 1),
    "isInteger": (by_type("isInteger", {Quantity: lambda value: value.amount == int(value.amount)}), 1, 1),
    "sign": (by_type("sign", {Quantity: lambda value: (value.amount > 0) - (value.amount < 0)}), 1, 1),
    "compareTo": (_compared, 2, 2),
    "isLessThan": (lambda left, right: _compared(left, right) < 0, 2, 2),
    "isGreaterThan": (lambda left, right: _compared(left, right) > 0, 2, 2),
    "hasValue": (_of_optional("hasValue", bool), 1, 1),
    "value": (_of_optional("value", _value), 1, 1),
}
"""Method, and its fewest and most arguments, the target included."""
