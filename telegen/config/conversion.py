"""Conversion of YAML-like data to the model, with every error and not only the first."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from telegen.config.errors import INVALID
from telegen.config.flags import read_allowlist
from telegen.config.messages import explain, explain_unknown_key
from telegen.config.model import Config
from telegen.config.section import Section
from telegen.config.types import READERS
from telegen.config.variables import Report


def convert(data: Any, report: Report) -> Config:
    """Convert data; settings with an error keep their defaults.

    Args:
        report: called for each error.
    """
    config: Config = _section(Config, data, "", report)
    return config


def checked_text(value: Any, report: Report, path: str = "") -> Any:
    """Return data in which `INVALID` replaces every text with characters that no setting can have: NUL would end a path, and a
    lone surrogate cannot be written to a log."""
    if isinstance(value, dict):
        pairs = [(key, f"{path}.{key}" if path else str(key), inner) for key, inner in value.items()]
        return {key: checked_text(inner, report, at) for key, at, inner in pairs if not _is_bad(key, report, at)}
    if isinstance(value, (list, tuple, set)):
        return [checked_text(inner, report, f"{path}[{at}]") for at, inner in enumerate(value)]
    return INVALID if _is_bad(value, report, path) else value


def _is_bad(value: Any, report: Report, path: str) -> bool:
    if not isinstance(value, str) or not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
        return False
    report(path, f"{value[:50]!a}: NUL and lone surrogates are not allowed")
    return True


def _section(kind: type[Any], data: Any, path: str, report: Report) -> Any:
    """Convert a block of settings."""
    if data is INVALID:
        return kind()
    if not isinstance(data, dict):
        report(path, f"expected a block of settings, got {_kind(data)}")
        return kind()
    hints = typing.get_type_hints(kind, include_extras=True)
    values = {}
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        hint = hints.get(key)
        if hint is None:
            report(where, explain_unknown_key(path, str(key)))
        elif isinstance(hint, type) and issubclass(hint, Section):
            values[key] = _section(hint, value, where, report)
        else:
            errors = list(_errors(hint, value, where))
            for at, message in errors:
                report(at, message)
            if not errors and not _has_invalid(value):
                values[key] = msgspec.convert(value, hint, dec_hook=_read_value)
    return kind(**values)


def _errors(hint: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, message) of each error of a value, or of its elements."""
    kind = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    form = _form(origin, inner, value)
    if form:
        yield path, form if inner[1:] == (str,) else f"{form}, got the text {value[:100]!r}"
        return
    found = False
    if origin is tuple and isinstance(value, list):
        for at, element in enumerate(value):
            for error in _errors(inner[0], element, f"{path}[{at}]"):
                found = True
                yield error
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        for key, element in value.items():
            for error in _errors(inner[1], element, f"{path}.{key}"):
                found = True
                yield error
    if found or _has_invalid(value):
        return
    try:
        msgspec.convert(value, hint, dec_hook=_read_value)
    except msgspec.ValidationError as error:
        yield explain(str(error), path)


def _has_invalid(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_invalid, value.values()))
    return any(map(_has_invalid, value)) if isinstance(value, list) else value is INVALID


def _form(origin: Any, inner: tuple[Any, ...], value: Any) -> str:
    """Return `expected a list, as [pods, nodes]` if a list or a mapping is given as text, "" otherwise."""
    if not isinstance(value, str):
        return ""
    if origin is tuple:
        names = [name.strip() for name in value.strip("[]").split(",") if name.strip()]
        return f"expected a list, as [{', '.join(names)[:200]}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if inner[1] is str:
            # The text may be a secret.
            return "expected a block, as {authorization: Bearer TOKEN}"
        try:
            allowed = read_allowlist(value)
        except ValueError:
            allowed = {}
        shown = ", ".join(f"{name}: [{', '.join(names)}]" for name, names in (allowed or {"pods": ["app"]}).items())
        return f"expected a block of lists, as {{{shown[:200]}}}"
    return ""


def _kind(value: Any) -> str:
    """Return the term for YAML users of a value's type."""
    return {"str": "a text", "list": "a list", "NoneType": "nothing"}.get(type(value).__name__, repr(value)[:50])


def _read_value(kind: type, value: Any) -> Any:
    """Convert a value to a type that YAML does not have: msgspec's `dec_hook`."""
    return READERS[kind](value)
