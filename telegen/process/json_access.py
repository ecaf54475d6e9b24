"""Typed access to untrusted JSON: a missing value, or one of another type, is read as empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]


def text(values: Values, key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def mapping(values: Values, key: str) -> Values:
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def objects(values: Values, key: str) -> list[Values]:
    """The objects of a list; items of other types are left out."""
    value = values.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
