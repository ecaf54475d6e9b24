"""Fields and items of values, and of optional values."""

from __future__ import annotations

from typing import Any

from telegen.kubestate.custom.cel.errors import EvaluationError, NoSuchField, no_overload
from telegen.kubestate.custom.cel.operators import index, is_key
from telegen.kubestate.custom.cel.types import NOTHING, Optional


def field(value: Any, name: str) -> Any:
    """Return a field of a map, or of the map that an optional value has."""
    if value.__class__ is dict:
        if name in value:
            return value[name]
        raise NoSuchField(f"no such field: {name}")
    if value.__class__ is Optional:
        return optional_field(value, name)
    raise no_overload(f".{name}", value)


def optional_field(value: Any, name: str) -> Optional:
    if value.__class__ is Optional:
        return optional_field(value.values[0], name) if value.values else NOTHING
    if value.__class__ is not dict:
        raise no_overload(f".{name}", value)
    return Optional((value[name],)) if name in value else NOTHING


def item_of(value: Any, key: Any) -> Any:
    return optional_item(value, key) if value.__class__ is Optional else index(value, key)


def optional_item(value: Any, key: Any) -> Optional:
    if value.__class__ is Optional:
        return optional_item(value.values[0], key) if value.values else NOTHING
    try:
        return Optional((index(value, key),))
    except NoSuchField:
        return NOTHING


def make_map(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    for key, _ in pairs:
        if not is_key(key) or key.__class__ is float:
            raise no_overload("a key of a map", key)
    made = dict(pairs)
    if len(made) != len(pairs):
        raise EvaluationError("a map has one key twice")
    return made
