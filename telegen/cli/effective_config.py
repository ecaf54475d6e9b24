"""`telegen config`: the configuration in force, as YAML, with the origin of each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from telegen.config import Config
from telegen.config.origins import Origins
from telegen.config.settings import is_secret, settings, value_at
from telegen.config.types import Duration, Size

MARGIN = 60
"""Column of the origins, unless a value is longer."""


def effective_lines(config: Config, origins: Origins) -> Iterator[str]:
    """Yield the lines of a file with every setting; each ends with a comment: `# telegen.yaml:3`."""
    open_blocks: list[str] = []
    for path, _, meta in settings():
        *blocks, name = path.split(".")
        shared = 0
        while shared < min(len(blocks), len(open_blocks)) and blocks[shared] == open_blocks[shared]:
            shared += 1
        for depth in range(shared, len(blocks)):
            yield f"{'  ' * depth}{blocks[depth]}:"
        open_blocks = blocks
        value = _hidden(value_at(config, path)) if is_secret(meta) else value_at(config, path)
        line = f"{'  ' * len(blocks)}{name}: {_yaml(value)}"
        yield f"{line:<{MARGIN}}  # {origins.of(path)}"


def _hidden(value: Mapping[str, str]) -> dict[str, str]:
    """Replace secret values."""
    return {key: "(hidden)" for key in value}


def _yaml(value: Any) -> str:
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
