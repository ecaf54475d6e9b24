"""Functions of one argument: conversions between types, and sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, no_overload
from telegen.kubestate.custom.cel.numbers import INT_MIN, UInt, checked_int, checked_uint
from telegen.kubestate.custom.cel.types import (
    SECOND,
    Duration,
    Quantity,
    Timestamp,
    parse_duration,
    parse_quantity,
    parse_timestamp,
)
from telegen.kubestate.custom.values import boolean_of, text_of

Overloads = Mapping[type, Callable[[Any], Any]]


def by_type(name: str, overloads: Overloads) -> Callable[[Any], Any]:
    """Return the function of one argument that chooses its code by the type of the argument."""

    def function(value: Any) -> Any:
        code = overloads.get(value.__class__)
        if code is None:
            raise no_overload(f"{name}()", value)
        return code(value)

    return function


def identity(value: Any) -> Any:
    return value


def _parsed(kind: str, read: Callable[[str], Any], text: str) -> Any:
    # Python accepts spaces, underscores, and the digits of other scripts.
    if len(text) <= 64 and text == text.strip() and "_" not in text and text.isascii():
        try:
            return read(text)
        except ValueError:
            pass
    raise EvaluationError(f"{text[:64]!r} is not a number of type {kind}")


def _truncated(value: float) -> int:
    """Return the whole part. The smallest int is out of range, as in other implementations: it may stand for a smaller number."""
    if not math.isfinite(value) or value <= INT_MIN:
        raise EvaluationError(f"{value} has no whole number of 64 bits")
    return int(value)


def _unsigned(value: float) -> int:
    if value < 0:
        raise EvaluationError(f"{value} is negative")
    return checked_uint(_truncated(value))


def _whole(text: str) -> int:
    if text.startswith("-"):
        raise ValueError("-0 has a sign, too")
    return int(text)


def _double(text: str) -> float:
    return float.fromhex(text) if text.lstrip("+-")[:2] in ("0x", "0X") else float(text)


def _text_of_double(value: float) -> str:
    return "-0" if value == 0 and math.copysign(1, value) < 0 else text_of(value)


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


CONVERSIONS: Mapping[str, Overloads] = {
    "int": {
        int: identity,
        bool: int,
        UInt: lambda value: checked_int(int(value)),
        float: lambda value: checked_int(_truncated(value)),
        str: lambda value: checked_int(_parsed("int", int, value)),
        Timestamp: lambda value: value.nanoseconds // SECOND,
    },
    "uint": {
        UInt: identity,
        int: checked_uint,
        float: _unsigned,
        str: lambda value: checked_uint(_parsed("uint", _whole, value)),
    },
    "double": {float: identity, int: float, UInt: float, str: lambda value: _parsed("double", _double, value)},
    "string": {
        str: identity,
        int: str,
        UInt: lambda value: str(int(value)),
        float: _text_of_double,
        bool: text_of,
        bytes: _decoded,
        Duration: str,
        Timestamp: str,
    },
    "bool": {bool: identity, str: _truth},
    "bytes": {bytes: identity, str: str.encode},
    "duration": {Duration: identity, str: parse_duration},
    "timestamp": {Timestamp: identity, str: parse_timestamp, int: lambda value: Timestamp(value * SECOND)},
    "quantity": {
        Quantity: identity,
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
