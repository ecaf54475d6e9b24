"""Functions and methods of the subset, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, NoSuchField, no_overload
from telegen.kubestate.custom.cel.numbers import UInt, checked_int, checked_uint
from telegen.kubestate.custom.cel.operators import add, check_size
from telegen.kubestate.custom.cel.types import (
    NOTHING,
    SECOND,
    Duration,
    Optional,
    Quantity,
    Timestamp,
    parse_duration,
    parse_quantity,
    parse_timestamp,
)
from telegen.kubestate.custom.values import boolean_of, text_of

Function = Callable[..., Any]
Overloads = Mapping[type, Callable[[Any], Any]]

MAX_PATTERN = 1000
"""Characters of the longest regular expression."""


def _by_type(name: str, overloads: Overloads) -> Function:
    """Return the function of one argument that chooses its code by the type of the argument."""

    def function(value: Any) -> Any:
        code = overloads.get(value.__class__)
        if code is None:
            raise no_overload(f"{name}()", value)
        return code(value)

    return function


def _identity(value: Any) -> Any:
    return value


def _parsed(kind: str, read: Callable[[str], Any], text: str) -> Any:
    if len(text) <= 64 and text == text.strip() and "_" not in text:
        try:
            return read(text)
        except ValueError:
            pass
    raise EvaluationError(f"{text[:64]!r} is not a number of type {kind}")


def _truncated(value: float) -> int:
    if not math.isfinite(value):
        raise EvaluationError(f"{value} has no whole number")
    return int(value)


def _truth(text: str) -> bool:
    truth = boolean_of(text)
    if truth is None:
        raise EvaluationError(f"{text[:64]!r} is not a truth value")
    return truth


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise EvaluationError("the bytes are not valid UTF-8") from error


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except EvaluationError:
        return False
    return True


_CONVERSIONS: Mapping[str, Overloads] = {
    "int": {
        int: _identity,
        UInt: lambda value: checked_int(int(value)),
        float: lambda value: checked_int(_truncated(value)),
        str: lambda value: checked_int(_parsed("int", int, value)),
        Timestamp: lambda value: value.nanoseconds // SECOND,
    },
    "uint": {
        UInt: _identity,
        int: checked_uint,
        float: lambda value: checked_uint(_truncated(value)),
        str: lambda value: checked_uint(_parsed("uint", int, value)),
    },
    "double": {float: _identity, int: float, UInt: float, str: lambda value: _parsed("double", float, value)},
    "string": {
        str: _identity,
        int: str,
        UInt: lambda value: str(int(value)),
        float: text_of,
        bool: text_of,
        bytes: _decoded,
        Duration: str,
        Timestamp: str,
    },
    "bool": {bool: _identity, str: _truth},
    "bytes": {bytes: _identity, str: str.encode},
    "duration": {Duration: _identity, str: parse_duration, int: lambda value: Duration(value * SECOND)},
    "timestamp": {Timestamp: _identity, str: parse_timestamp, int: lambda value: Timestamp(value * SECOND)},
    "quantity": {
        Quantity: _identity,
        str: parse_quantity,
        int: lambda value: Quantity(Decimal(value)),
        float: lambda value: parse_quantity(repr(value)),
    },
    "isQuantity": {str: _is_quantity, int: lambda value: True, float: math.isfinite},
    "unixSeconds": {
        Timestamp: lambda value: value.seconds,
        str: lambda value: parse_timestamp(value).seconds,
    },
    "size": {str: len, bytes: len, list: len, dict: len},
}


# Methods of strings.


def _on_texts(name: str, code: Function) -> Function:
    """Return a method of a string whose arguments are strings."""

    def method(*values: Any) -> Any:
        if any(value.__class__ is not str for value in values):
            raise no_overload(f"{name}()", *values)
        return code(*values)

    return method


@lru_cache(maxsize=256)
def compiled_pattern(pattern: str) -> Any:
    """Return a regular expression of RE2, whose search takes linear time whatever the pattern.

    Raises:
        EvaluationError: the pattern is malformed or too long, or the package is not installed.
    """
    if len(pattern) > MAX_PATTERN:
        raise EvaluationError(f"a regular expression of {len(pattern)} characters; at most {MAX_PATTERN} are accepted")
    try:
        import re2
    except ImportError as error:
        raise EvaluationError("matches() needs the package google-re2; install telegen[cel]") from error
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise EvaluationError(f"the regular expression {pattern[:100]!r} is malformed: {error}") from error


def _matches(text: str, pattern: str) -> bool:
    return compiled_pattern(pattern).search(text) is not None


def _split(text: Any, separator: Any, limit: Any = -1) -> list[str]:
    if text.__class__ is not str or separator.__class__ is not str or limit.__class__ is not int:
        raise no_overload("split()", text, separator, limit)
    if limit == 0:
        return []
    if not separator:
        return list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)  # type: ignore[no-any-return]


def _join(items: Any, separator: Any = "") -> str:
    if items.__class__ is not list or separator.__class__ is not str or any(item.__class__ is not str for item in items):
        raise no_overload("join()", items, separator)
    check_size(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)  # type: ignore[no-any-return]


def _replace(text: Any, old: Any, new: Any, limit: Any = -1) -> str:
    if any(value.__class__ is not str for value in (text, old, new)) or limit.__class__ is not int:
        raise no_overload("replace()", text, old, new, limit)
    check_size(len(text) + len(new) * (text.count(old) if old else len(text) + 1))
    return text.replace(old, new, limit if limit >= 0 else -1)  # type: ignore[no-any-return]


def _substring(text: Any, start: Any, end: Any = None) -> str:
    stop = len(text) if end is None and text.__class__ is str else end
    if text.__class__ is not str or start.__class__ is not int or stop.__class__ is not int:
        raise no_overload("substring()", text, start, end)
    if not 0 <= start <= stop <= len(text):
        raise EvaluationError(f"substring({start}, {stop}) is outside of the text")
    return text[start:stop]  # type: ignore[no-any-return]


def _char_at(text: Any, place: Any) -> str:
    if text.__class__ is not str or place.__class__ is not int:
        raise no_overload("charAt()", text, place)
    if not 0 <= place <= len(text):
        raise EvaluationError(f"charAt({place}) is outside of the text")
    return text[place : place + 1]  # type: ignore[no-any-return]


_ASCII_LOWER = {code: code + 32 for code in range(65, 91)}
_ASCII_UPPER = {code: code - 32 for code in range(97, 123)}


# Methods of lists, times, quantities and optional values.


def _sum(items: Any) -> Any:
    if items.__class__ is not list:
        raise no_overload("sum()", items)
    total = items[0] if items else 0
    for item in items[1:]:
        total = add(total, item)
    if items and total.__class__ not in (int, UInt, float, Duration, Quantity):
        raise no_overload("sum()", total)
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


def _time_part(name: str, of_time: Function | None, of_duration: Function | None = None) -> Function:
    overloads = {Timestamp: of_time and (lambda value: of_time(value)), Duration: of_duration}
    return _by_type(name, {kind: code for kind, code in overloads.items() if code})


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


def _compared(left: Any, right: Any) -> int:
    if left.__class__ is not Quantity or right.__class__ is not Quantity:
        raise no_overload("compareTo()", left, right)
    return (left.amount > right.amount) - (left.amount < right.amount)


FUNCTIONS: Mapping[str, tuple[Function, int, int]] = {
    **{name: (_by_type(name, overloads), 1, 1) for name, overloads in _CONVERSIONS.items()},
    "dyn": (_identity, 1, 1),
    "matches": (_on_texts("matches", _matches), 2, 2),
    "labelPrefix": (_label_prefix, 2, 2),
    "optional.of": (lambda value: Optional((value,)), 1, 1),
    "optional.none": (lambda: NOTHING, 0, 0),
}
"""Function, and its fewest and most arguments."""

LINEAR = frozenset(
    "matches contains startsWith endsWith lowerAscii upperAscii trim indexOf lastIndexOf split join replace sum min max labelPrefix".split()
)
"""Functions and methods whose time grows with the size of their arguments: each item, and every 64 characters, is a step."""

METHODS: Mapping[str, tuple[Function, int, int]] = {
    "size": (_by_type("size", _CONVERSIONS["size"]), 1, 1),
    "contains": (_on_texts("contains", lambda text, part: part in text), 2, 2),
    "startsWith": (_on_texts("startsWith", str.startswith), 2, 2),
    "endsWith": (_on_texts("endsWith", str.endswith), 2, 2),
    "matches": (_on_texts("matches", _matches), 2, 2),
    "lowerAscii": (_on_texts("lowerAscii", lambda text: text.translate(_ASCII_LOWER)), 1, 1),
    "upperAscii": (_on_texts("upperAscii", lambda text: text.translate(_ASCII_UPPER)), 1, 1),
    "trim": (_on_texts("trim", str.strip), 1, 1),
    "lastIndexOf": (_on_texts("lastIndexOf", str.rfind), 2, 2),
    "indexOf": (_on_texts("indexOf", str.find), 2, 2),
    "split": (_split, 2, 3),
    "join": (_join, 1, 2),
    "replace": (_replace, 3, 4),
    "substring": (_substring, 2, 3),
    "charAt": (_char_at, 2, 2),
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
        _time_part("getMilliseconds", lambda value: value.nanoseconds % SECOND // 10**6, lambda value: _cut(value.nanoseconds, 10**6)),
        1,
        1,
    ),
    "asApproximateFloat": (_by_type("asApproximateFloat", {Quantity: lambda value: float(value.amount)}), 1, 1),
    "asInteger": (_by_type("asInteger", {Quantity: lambda value: checked_int(int(value.amount))}), 1, 1),
    "isInteger": (_by_type("isInteger", {Quantity: lambda value: value.amount == int(value.amount)}), 1, 1),
    "sign": (_by_type("sign", {Quantity: lambda value: (value.amount > 0) - (value.amount < 0)}), 1, 1),
    "compareTo": (_compared, 2, 2),
    "isLessThan": (lambda left, right: _compared(left, right) < 0, 2, 2),
    "isGreaterThan": (lambda left, right: _compared(left, right) > 0, 2, 2),
    "hasValue": (_of_optional("hasValue", bool), 1, 1),
    "value": (_of_optional("value", _value), 1, 1),
    "orValue": (_of_optional("orValue", lambda values, other: values[0] if values else other), 2, 2),
    "or": (_of_optional("or", lambda values, other: Optional(values) if values else other), 2, 2),
}
"""Method, and its fewest and most arguments, the target included."""
