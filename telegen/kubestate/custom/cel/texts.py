"""Methods of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, no_overload
from telegen.kubestate.custom.cel.operators import check_size

Function = Callable[..., Any]

MAX_PATTERN = 1000
"""Characters of the longest regular expression."""


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
        cause = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        raise EvaluationError(f"the regular expression {pattern[:100]!r} is malformed: {cause}; RE2 has the syntax") from error


def matching_steps(text: Any, pattern: Any) -> int:
    """Return the steps of `matches` besides those of its texts: time grows with the text and with the program of the pattern, of which
    `a{500}` has 500 instructions, and another pattern for each item is compiled anew.

    Raises:
        EvaluationError: see `compiled_pattern`.
    """
    if text.__class__ is not str or pattern.__class__ is not str:
        return 0
    size: int = compiled_pattern(pattern).programsize
    return (len(text) * size >> 12) + (size >> 5)


matches = _on_texts("matches", lambda text, pattern: compiled_pattern(pattern).search(text) is not None)


def _split(text: Any, separator: Any, limit: Any = -1) -> list[str]:
    if text.__class__ is not str or separator.__class__ is not str or limit.__class__ is not int:
        raise no_overload("split()", text, separator, limit)
    if limit == 0:
        return []
    if not separator:
        return list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _join(items: Any, separator: Any = "") -> str:
    if items.__class__ is not list or separator.__class__ is not str or any(item.__class__ is not str for item in items):
        raise no_overload("join()", items, separator)
    check_size(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def _replace(text: Any, old: Any, new: Any, limit: Any = -1) -> str:
    if any(value.__class__ is not str for value in (text, old, new)) or limit.__class__ is not int:
        raise no_overload("replace()", text, old, new, limit)
    check_size(len(text) + len(new) * (text.count(old) if old else len(text) + 1))
    return str(text.replace(old, new, limit if limit >= 0 else -1))


def _substring(text: Any, start: Any, *end: Any) -> str:
    (stop,) = end or (len(text) if text.__class__ is str else 0,)
    if text.__class__ is not str or start.__class__ is not int or stop.__class__ is not int:
        raise no_overload("substring()", text, start, *end)
    if not 0 <= start <= stop <= len(text):
        raise EvaluationError(f"substring({start}, {stop}) is outside of the text")
    return text[start:stop]


def _char_at(text: Any, place: Any) -> str:
    if text.__class__ is not str or place.__class__ is not int:
        raise no_overload("charAt()", text, place)
    if not 0 <= place <= len(text):
        raise EvaluationError(f"charAt({place}) is outside of the text")
    return text[place : place + 1]


def _index_of(name: str, find: Function) -> Function:
    """Return a method that finds a part of a text.

    Args:
        find: from text, part and, if there is one, offset to the place.
    """

    def method(text: Any, part: Any, *offset: Any) -> int:
        if text.__class__ is not str or part.__class__ is not str or any(one.__class__ is not int for one in offset):
            raise no_overload(f"{name}()", text, part, *offset)
        if offset and not 0 <= offset[0] <= len(text):
            raise EvaluationError(f"{name}(): the offset {offset[0]} is outside of the text")
        return int(find(text, part, *offset))

    return method


def _last_index(text: str, part: str, offset: int | None = None) -> int:
    return text.rfind(part) if offset is None else text.rfind(part, 0, offset + len(part))


_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space of Unicode. Python's own has four control characters besides."""
_ASCII_LOWER = {code: code + 32 for code in range(65, 91)}
_ASCII_UPPER = {code: code - 32 for code in range(97, 123)}


TEXT_METHODS: Mapping[str, tuple[Function, int, int]] = {
    "contains": (_on_texts("contains", lambda text, part: part in text), 2, 2),
    "startsWith": (_on_texts("startsWith", str.startswith), 2, 2),
    "endsWith": (_on_texts("endsWith", str.endswith), 2, 2),
    "matches": (matches, 2, 2),
    "lowerAscii": (_on_texts("lowerAscii", lambda text: text.translate(_ASCII_LOWER)), 1, 1),
    "upperAscii": (_on_texts("upperAscii", lambda text: text.translate(_ASCII_UPPER)), 1, 1),
    "trim": (_on_texts("trim", lambda text: text.strip(_SPACES)), 1, 1),
    "indexOf": (_index_of("indexOf", str.find), 2, 3),
    "lastIndexOf": (_index_of("lastIndexOf", _last_index), 2, 3),
    "split": (_split, 2, 3),
    "join": (_join, 1, 2),
    "replace": (_replace, 3, 4),
    "substring": (_substring, 2, 3),
    "charAt": (_char_at, 2, 2),
}
"""Method, and its fewest and most arguments, the text included."""
