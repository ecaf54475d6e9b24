"""Paths of the configuration format, compiled to functions from a JSON value to the value at the path.

Segments: a key of a map, an index of a list, `[key=value]` for the first element of a list that has it, and `key=value` for a
string of a map, if it is equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from telegen.kubestate.custom.values import boolean_of, number_of

Read = Callable[[Any], Any]
"""From a JSON value to the value at a path; None if there is none."""

_INDEX = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


class InvalidPath(ValueError):
    """A segment is malformed."""


def compile_path(segments: Sequence[str]) -> Read:
    """Return the function that reads a path; without segments it returns the value itself.

    Raises:
        InvalidPath: a segment in brackets has no `=`.
    """
    steps = [_step(segment) for segment in segments]
    if not steps:
        return lambda value: value
    if all(map(is_key, segments)):
        return _keys(tuple(segments))

    def read(value: Any) -> Any:
        for step in steps:
            if value is None:
                return None
            value = step(value)
        return value

    return read


def is_key(segment: str) -> bool:
    """Return True if a segment can only be the key of a map."""
    return not (segment.startswith("[") and segment.endswith("]")) and "=" not in segment and not _INDEX.fullmatch(segment)


def _keys(keys: tuple[str, ...]) -> Read:
    # PERF: most paths are keys of maps, and most paths from an element are one key: 0.1 us instead of 0.3.
    first, *rest = keys
    if not rest:
        return lambda value: value.get(first) if value.__class__ is dict else None

    def read(value: Any) -> Any:
        try:
            for key in keys:
                value = value[key]
        except (KeyError, TypeError):
            # A text and a list have no value at a key, either.
            return None
        return value

    return read


def _step(segment: str) -> Read:
    """Return the function of one segment."""
    if segment.startswith("[") and segment.endswith("]") and len(segment) > 1:
        key, equals, wanted = segment[1:-1].partition("=")
        if not equals:
            raise InvalidPath(f"{segment}: no condition; write [key=value], or a key or index without brackets")
        return _finder(key, wanted)
    index = int(segment) if _INDEX.fullmatch(segment) else None
    key, equals, wanted = segment.partition("=")
    is_comparison = bool(equals) and "=" not in wanted

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            found = value.get(key) if is_comparison else None
            return found if isinstance(found, str) and found == wanted else value.get(segment)
        if isinstance(value, list) and index is not None and -len(value) <= index < len(value):
            return value[index]
        return None

    return read


def _finder(key: str, wanted: str) -> Read:
    """Return the function that finds the first element whose `key` equals a text: as text, as number or as truth value."""
    number, truth = number_of(wanted), boolean_of(wanted)

    def is_equal(value: Any) -> bool:
        if value == wanted and isinstance(value, str):
            return True
        # As floats: Python compares a large integer and a float exactly, the peer does not.
        if number is not None and (one := number_of(value)) is not None and float(one) == number:
            return True
        return truth is not None and value is truth

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return None
        return next((item for item in value if isinstance(item, dict) and key in item and is_equal(item[key])), None)

    return read


def decoded_path(segments: Sequence[str]) -> str:
    """Return the path, with dots, of the field that has to be decoded for a path to be read; "" for the whole object."""
    names: list[str] = []
    for segment in segments[:2]:
        if not _PLAIN.fullmatch(segment):
            break
        names.append(segment)
    return ".".join(names)
