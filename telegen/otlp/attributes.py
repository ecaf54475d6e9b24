"""Attributes of resources, points and logs as encoded KeyValue messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

from telegen.otlp.wire import double, message, number, text

Attribute = Union[str, bool, int, float, Sequence[str]]
"""Value of an attribute."""
Attributes = Mapping[str, Attribute]


def key_value(field: int, key: str, value: Attribute) -> bytes:
    """Encode an attribute as the repeated field `field` of its owner."""
    return message(field, text(1, key), message(2, any_value(value)))


def attributes(field: int, values: Attributes) -> bytes:
    """Encode attributes as the repeated field `field` of their owner."""
    return b"".join(key_value(field, key, value) for key, value in values.items())


def any_value(value: Attribute) -> bytes:
    """Encode the content of an AnyValue (opentelemetry/proto/common/v1)."""
    if isinstance(value, str):
        return text(1, value)
    if isinstance(value, bool):
        return number(2, int(value))
    if isinstance(value, int):
        return number(3, value)
    if isinstance(value, float):
        return double(4, value)
    return message(5, *(message(1, any_value(item)) for item in value))
