"""Functions of one argument: conversions between types, and sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, no_overload
from telegen.kubestate.custom.cel.numbers import UInt, checked_int, checked_uint
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
        float: lambda value: checked_uint(_truncated(value)),
        str: lambda value: checked_uint(_parsed("uint", int, value)),
    },
    "double": {float: identity, int: float, UInt: float, str: lambda value: _parsed("double", float, value)},
    "string": {
        str: identity,
        int: str,
        UInt: lambda value: str(int(value)),
        float: text_of,
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
