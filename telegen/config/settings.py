"""Introspection of the model: the path, type and metadata of every setting, and its value in a configuration."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from telegen.config.model import Config
from telegen.config.section import Section

_USER = re.compile(r"(?<=://)[^/@\s]+@")
"""User and password of a URL."""


def settings(
    section: type[Section] = Config, prefix: str = ""
) -> Iterator[tuple[str, msgspec.inspect.Field, msgspec.Meta]]:
    """Yield (path, field, metadata) of every setting, in the order of the model."""
    hints = typing.get_type_hints(section, include_extras=True)
    for member in msgspec.structs.fields(section):
        hint = hints[member.name]
        path = f"{prefix}{member.name}"
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from settings(hint, f"{path}.")
            continue
        meta = next((meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)), None)
        if meta is None or not meta.description:
            # Guides contributors: the reference and the loader both read the metadata.
            raise TypeError(f"{path}: the setting has no help; declare it as Annotated[type, text('Help.')] in config/model.py")
        yield path, member, meta  # type: ignore[misc]


def value_at(config: Config, path: str) -> Any:
    """Return the value of a setting by its path."""
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def shown_value(config: Config, path: str, meta: msgspec.Meta) -> Any:
    """Return the value of a setting as people may see it: secret parts are replaced."""
    value = value_at(config, path)
    return _hidden(value) if is_secret(meta) else _shown(value)


def _hidden(value: Mapping[str, str]) -> dict[str, str]:
    return {key: "(hidden)" for key in value}


def _shown(value: Any) -> Any:
    """Return a value whose elements are blocks of settings without their secrets and the users in their URLs."""
    if not isinstance(value, tuple) or not all(isinstance(one, Section) for one in value):
        return value
    return tuple(
        msgspec.structs.replace(one, **{key: _masked(key, getattr(one, key), one) for key in one.__struct_fields__}) for one in value
    )


def _masked(key: str, value: Any, block: Section) -> Any:
    if isinstance(value, str):
        return _USER.sub("(hidden)@", value)
    hint = typing.get_type_hints(type(block), include_extras=True)[key]
    secret = any(isinstance(meta, msgspec.Meta) and is_secret(meta) for meta in hint.__metadata__)
    return _hidden(value) if secret else value


@cache
def _kinds() -> Mapping[str, Any]:
    """Types by path. Cached, as a file can have thousands of variables."""
    return {known: typing.get_args(member.type)[0] for known, member, _ in settings()}


def is_text(path: str) -> bool:
    """Return True if the setting at `path` is a string, or if `path` is an element of a list or a mapping of strings."""
    name, element, _ = path.partition("[")
    if _kinds().get(name.rpartition(".")[0]) == Mapping[str, str]:
        return True
    return _kinds().get(name) == (tuple[str, ...] if element else str)


def choices(path: str) -> list[str]:
    """Return the words that a setting of type Literal accepts, and "a number", "a list" and "null" if it accepts these as well.

    Args:
        path: of a setting, or of an element of a list of words.
    """
    name, element, _ = path.partition("[")
    kind = typing.get_args(_kinds()[name])[0] if element else _kinds()[name]
    words: list[str] = []
    for choice in typing.get_args(kind):
        if isinstance(choice, str):
            words.append(choice)
        elif typing.get_origin(choice) is typing.Literal:
            words += typing.get_args(choice)
        else:
            words.append("null" if choice is type(None) else "a list" if typing.get_origin(choice) is tuple else "a number")
    return words


def least(meta: msgspec.Meta) -> float | None:
    """Return the lower bound of a duration or size, None if it has none (see `telegen.config.model.text`)."""
    return (meta.extra or {}).get("least")


def is_secret(meta: msgspec.Meta) -> bool:
    """Return True for a setting whose value is never shown."""
    return (meta.extra or {}).get("secret") is True


def is_effective(meta: msgspec.Meta) -> bool:
    """Return False for a setting that is accepted and checked for compatibility, and has no effect."""
    return (meta.extra or {}).get("effective") is not False


def not_effective(config: Config) -> list[str]:
    """Return the paths of settings that differ from their defaults and have no effect."""
    default = Config()
    return [
        path
        for path, _, meta in settings()
        if not is_effective(meta) and value_at(config, path) != value_at(default, path)
    ]
