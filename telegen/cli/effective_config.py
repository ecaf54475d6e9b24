"""`telegen config`: every setting as YAML, in force with the origin of its value, or with its default and its help."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator

import msgspec

from telegen.config import Config
from telegen.config.origins import Origins
from telegen.config.settings import is_effective, settings, shown_value, value_at
from telegen.config.yaml_values import yaml_value

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
    metas = {path: meta for path, _, meta in settings()}

    def lines(path: str, indent: str) -> Iterator[str]:
        line = f"{indent}{path.rpartition('.')[2]}: {yaml_value(shown_value(config, path, metas[path]))}"
        yield f"{line:<{MARGIN}}  # {origins.of(path)}"

    return _with_blocks(lines)


def full_lines() -> Iterator[str]:
    """Yield the lines of a file with every setting at its default, each below its help as a comment."""
    default, help = Config(), {path: _help(meta) for path, _, meta in settings()}

    def lines(path: str, indent: str) -> Iterator[str]:
        yield from textwrap.wrap(help[path], WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        yield f"{indent}{path.rpartition('.')[2]}: {yaml_value(value_at(default, path))}"

    yield from _HEADER.splitlines()
    yield from _with_blocks(lines)


def _help(meta: msgspec.Meta) -> str:
    return f"{meta.description}{'' if is_effective(meta) else ' No effect.'}"


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
