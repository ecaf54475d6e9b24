"""`telegen config`: every setting as YAML, in force with the origin of its value, or with its default and its help."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import yaml

from telegen.config import Config
from telegen.config.origins import Origins
from telegen.config.settings import is_effective, is_secret, settings, value_at
from telegen.config.types import Duration, Size

MARGIN = 60
"""Column of the origins, unless a value is longer."""
WIDTH = 120
"""Characters of a line of help."""
_HEADER = """\
# Every setting with its default and its help, printed by `telegen config --full`.
# A file needs only the settings that differ; docs/configuration.md describes units and variables.
"""


def effective_lines(config: Config, origins: Origins) -> Iterator[str]:
    """Yield the lines of a file with every setting; each ends with a comment: `# telegen.yaml:3`."""
    secret = {path for path, _, meta in settings() if is_secret(meta)}

    def lines(path: str, indent: str) -> Iterator[str]:
        value = _hidden(value_at(config, path)) if path in secret else value_at(config, path)
        line = f"{indent}{path.rpartition('.')[2]}: {_yaml(value)}"
        yield f"{line:<{MARGIN}}  # {origins.of(path)}"

    return _with_blocks(lines)


def full_lines() -> Iterator[str]:
    """Yield the lines of a file with every setting at its default, each below its help as a comment."""
    default, help = Config(), {path: _help(meta) for path, _, meta in settings()}

    def lines(path: str, indent: str) -> Iterator[str]:
        yield from textwrap.wrap(help[path], WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        yield f"{indent}{path.rpartition('.')[2]}: {_yaml(value_at(default, path))}"

    yield from _HEADER.splitlines()
    yield from _with_blocks(lines)


def _help(meta: msgspec.Meta) -> str:
    return f"{meta.description}{'' if is_effective(meta) else ' No effect yet.'}"


def _with_blocks(lines: Callable[[str, str], Iterable[str]]) -> Iterator[str]:
    """Yield the keys of all blocks, and for each setting `lines(path, indentation)`."""
    open_blocks: list[str] = []
    for path, _, _ in settings():
        *blocks, _ = path.split(".")
        shared = 0
        while shared < min(len(blocks), len(open_blocks)) and blocks[shared] == open_blocks[shared]:
            shared += 1
        for depth in range(shared, len(blocks)):
            yield f"{'  ' * depth}{blocks[depth]}:"
        open_blocks = blocks
        yield from lines(path, "  " * len(blocks))


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
