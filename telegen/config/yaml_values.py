"""Values of settings as a configuration file has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from telegen.config.types import Duration, Size


def yaml_value(value: Any) -> str:
    """Format a value on one line."""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").rstrip("\n")


def _plain(value: Any) -> Any:
    """Return the value as a file would have it."""
    if isinstance(value, (Duration, Size)):
        return str(value)
    if isinstance(value, str):
        # A file expands `${NAME}`, and `$$` is a dollar sign in it.
        return str(value).replace("$", "$$")
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value
