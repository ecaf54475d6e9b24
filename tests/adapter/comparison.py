"""Comparison of answers with recorded ones."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UNITS = {"m": 1e-3, "n": 1e-9, "u": 1e-6, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
NUMBERS = ("value", "cpu", "memory")


def decoded(document: Any) -> Any:
    """Return a document as clients read it: parts of it may be JSON text already."""
    return orjson.loads(orjson.dumps(document))


def agrees(status: int, document: Any, expected: dict[str, Any], tolerance: float = 0, unstable: bool = False) -> bool:
    """Return True if an answer is the expected one, but for times, the order of items, and small differences of numbers.

    Args:
        tolerance: relative; without it a thousandth.
        unstable: True if the numbers do not matter.
    """
    if status != expected["status"]:
        return False
    answer = expected.get("answer")
    if answer is None:
        return True
    if answer["kind"] == "Status":
        # The texts of the Go libraries for selectors and internal errors are not copied.
        same = ("kind", "apiVersion", "metadata", "status", "reason", "code")
        is_same = all(document.get(key) == answer[key] for key in same if key in answer)
        return is_same and (status != 404 or str(answer.get("message", document["message"])).startswith(document["message"]))
    return _close(_normal(document), _normal(answer), tolerance, unstable)


def _normal(value: Any) -> Any:
    """Return a document with its times replaced, its lists in order, and its quantities as numbers."""
    if isinstance(value, dict):
        return {key: _number(one) if key in NUMBERS and isinstance(one, str) else _normal(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted(map(_normal, value), key=lambda one: json.dumps(one, sort_keys=True) if not isinstance(one, str) else one)
    return "TIME" if isinstance(value, str) and TIME.fullmatch(value) else value


def _number(text: str) -> float:
    unit = text.lstrip("+-0123456789.")
    number = text[: len(text) - len(unit)] if unit else text
    return float(number) * {**UNITS, **BINARY}[unit]


def _close(one: Any, other: Any, tolerance: float, unstable: bool) -> bool:
    """Return True if two documents are the same but for small differences of numbers."""
    if isinstance(one, float) and isinstance(other, float):
        return unstable or abs(one - other) <= max(0.001, tolerance * abs(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key], tolerance, unstable) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(first, second, tolerance, unstable) for first, second in zip(one, other))
    return bool(one == other)
