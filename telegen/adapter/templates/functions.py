"""Functions of templates."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from telegen.adapter.templates.lexer import TemplateError

MAX_TEXT = 1 << 20
"""Characters of a text that a template makes, in the end or on the way."""
KNOWN_BUT_ABSENT = frozenset(("call", "html", "js", "printf", "println", "slice", "urlquery"))
"""Functions of Go's templates that rules files have no use for."""


def text_of(value: Any) -> str:
    """Return a value as an action prints it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(map(text_of, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{text_of(value[key])}' for key in sorted(value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _index(value: Any, *keys: Any) -> Any:
    """Return an element. A key that a map does not have gives the empty text; an index out of range is an error."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key, "")
        elif isinstance(value, (list, tuple)) and isinstance(key, int) and not isinstance(key, bool):
            if not 0 <= key < len(value):
                raise TemplateError(f"index out of range: {key} of {len(value)}")
            value = value[key]
        else:
            raise TemplateError(f"cannot index {_type(value)} with {_type(key)}")
    return value


def _equals(first: Any, *others: Any) -> bool:
    """Return True if the first value equals one of the others."""
    if not others:
        raise TemplateError("eq needs two values")
    return any(_is_equal(first, other) for other in others)


def _is_equal(first: Any, second: Any) -> bool:
    """Return True for equal values; nil equals nil alone."""
    return first is second if first is None or second is None else _comparable(first, second) and bool(first == second)


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda first, second: _comparable(first, second) and compare(first, second)


def _comparable(first: Any, second: Any) -> bool:
    """Return True. Raises TemplateError for values of two types, and for lists and maps."""
    if _type(first) != _type(second) or _type(first) in ("a list", "a map"):
        raise TemplateError(f"cannot compare {_type(first)} with {_type(second)}")
    return True


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    names: Mapping[type, str] = {str: "a text", int: "a number", float: "a fraction", list: "a list", tuple: "a list"}
    return "nil" if value is None else names.get(type(value), "a map")


def _length(value: Any) -> int:
    if not isinstance(value, (str, list, tuple, dict)):
        raise TemplateError(f"{_type(value)} has no length")
    return len(value.encode() if isinstance(value, str) else value)


def _print(*values: Any) -> str:
    """Return the values as one text, with a space between two that are not texts."""
    result = ""
    for place, value in enumerate(values):
        spaced = place and not isinstance(value, str) and not isinstance(values[place - 1], str)
        result += " " * bool(spaced) + ("<nil>" if value is None else text_of(value))
        if len(result) > MAX_TEXT:
            raise TemplateError(f"a text is longer than {MAX_TEXT} characters")
    return result


STOPS_AT: Mapping[str, bool] = {"and": False, "or": True}
"""Functions that take the first value of one truth, or else the last value; the values after it are not worked out."""
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "eq": _equals,
    "ge": _comparison(operator.ge),
    "gt": _comparison(operator.gt),
    "index": _index,
    "le": _comparison(operator.le),
    "len": _length,
    "lt": _comparison(operator.lt),
    "ne": lambda first, second: not _is_equal(first, second),
    "not": operator.not_,
    "print": _print,
}
NAMES = sorted([*FUNCTIONS, *STOPS_AT])
