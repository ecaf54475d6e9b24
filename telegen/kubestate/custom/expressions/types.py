"""Types of the keys of a configuration with expressions: which value does not fit, and what to write instead."""

from __future__ import annotations

import difflib
import math
import re
import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

import msgspec

Problem = tuple[str, str]
"""Path of a value, and message."""

_NAMES = {dict: "a map", list: "a list", str: "a text", type(None): "nothing"}
_CURES = {
    "array": ("a list", "write [a, b], or one item per line after '- '"),
    "object": ("a map", "write {key: value}, or one key per line"),
    "str": ("a text", "write one text"),
    "int": ("a whole number", "write one such as 10"),
    "float": ("a number", "write one such as 0.5"),
    "bool": ("true or false", "write one of the two"),
    "str | array": ("a text or a list", "write one text, or a list of texts"),
    "str | array | null": ("a text or a list", "write one text, or a list of texts"),
    "str | null": ("a text", "write one text"),
}
"""Name of a type, and what to write, by the name that msgspec has."""
_EXPECTED = re.compile(r"Expected `([^`]+)`(?:, got `[^`]+`)?")


def without_nulls(data: Any) -> Any:
    """Return the value without the keys of maps that have none: they have their defaults."""
    if isinstance(data, dict):
        return {key: without_nulls(value) for key, value in data.items() if value is not None}
    return [without_nulls(item) for item in data] if isinstance(data, list) else data


def type_problems(hint: Any, data: Any, path: str) -> Iterator[Problem]:
    """Yield the problem of each value that does not have the type that a hint says."""
    kind = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(data, dict):
        yield from _of_block(kind, data, path)
    elif typing.get_origin(kind) is list and isinstance(data, list):
        for place, item in enumerate(data):
            yield from type_problems(typing.get_args(kind)[0], item, f"{path}[{place}]")
        most = next((one.max_length for one in typing.get_args(hint)[1:] if one.max_length), len(data))
        if len(data) > most:
            yield path, f"{len(data)} items; write at most {most}"
    elif typing.get_origin(kind) is dict and isinstance(data, dict):
        for key, value in without_nulls(data).items():
            yield from type_problems(typing.get_args(kind)[1], value, f"{path}.{key}")
    else:
        try:
            found = msgspec.convert(data, hint, strict=False)
            if isinstance(found, float) and not math.isfinite(found):
                raise msgspec.ValidationError("Expected `float`")
        except msgspec.ValidationError as error:
            message, _, inner = str(error).partition(" - at `$")
            yield path + inner.rstrip("`"), _message(kind, data, message)


def _message(kind: Any, data: Any, message: str) -> str:
    """Return cause and cure of an error of msgspec."""
    got = _NAMES[data.__class__] if not isinstance(data, str) else f"the text {data[:60]!r}"
    if typing.get_origin(kind) is typing.Literal:
        words = [word for word in typing.get_args(kind) if word]
        close = difflib.get_close_matches(data, words, 1) if isinstance(data, str) else []
        return f"expected one of {', '.join(words)}, got {got}; " + (f"did you mean {close[0]}?" if close else "choose one of these")
    expected = _EXPECTED.fullmatch(message)
    name, cure = _CURES.get(expected[1] if expected else "", ("", ""))
    if "matching regex" in message:
        is_label = "A-Z" in message
        cure = "use letters, digits, '.', '-', '_' and '/'" if is_label else "use lower-case letters, digits and '-'"
        return f"{got} is no legal name{' of a label' if is_label else ''}; {cure}"
    if name:
        return f"expected {name}, got {got}; {cure}"
    bound = message[0].lower() + message[1:].replace("`int`", "a whole number").replace("`", "")
    return f"{bound}, got {got}; write one within this bound"


@lru_cache(maxsize=None)
def _keys_and_hints(kind: type[msgspec.Struct]) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """Return the field of each key of a block, and the type of each field: 0.4 ms a block otherwise."""
    return dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__)), typing.get_type_hints(kind, include_extras=True)


@lru_cache(maxsize=None)
def _required(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """Return the keys that a block must have, with their descriptions."""
    hints = _keys_and_hints(kind)[1]
    return {field.encode_name: _about(hints[field.name]) for field in msgspec.structs.fields(kind) if field.required}


def _about(hint: Any) -> str:
    descriptions = [one.description for one in typing.get_args(hint)[1:] if isinstance(one, msgspec.Meta) and one.description]
    about = descriptions[0] if descriptions else "group and kind of the objects."
    return about[0].lower() + about[1:].rstrip(".")


def _of_block(kind: type[msgspec.Struct], data: dict[str, Any], path: str) -> Iterator[Problem]:
    names, hints = _keys_and_hints(kind)
    for key, value in data.items():
        where = f"{path}.{key}" if path else key
        if key in names and value is None:
            continue
        if key not in names:
            close = difflib.get_close_matches(key, names, 1)
            yield where, f"unknown key; did you mean {close[0]}?" if close else f"unknown key; choose from {', '.join(names)}"
        else:
            yield from type_problems(hints[names[key]], value, where)
    yield from ((path, f"no {key}; add {key}: {about}") for key, about in _required(kind).items() if data.get(key) is None)
