"""Reads of JSON from outside: what is missing or of another type than it should be counts as empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]


def text(values: Values, key: str) -> str:
    """A string."""
    value = values.get(key)
    return value if isinstance(value, str) else ""


def mapping(values: Values, key: str) -> Values:
    """An object."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def objects(values: Values, key: str) -> list[Values]:
    """A list of objects; what is in it besides is left out."""
    value = values.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
