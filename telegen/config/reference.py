"""docs/configuration.md, made from the model: `python -m telegen.config.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from telegen.config.load import is_effective, settings, value_at
from telegen.config.model import Config

_TITLE = """# Configuration

Made from `telegen/config/model.py` by `python -m telegen.config.reference`.
Durations are written `10s`, `1m30s` or `100ms`, sizes `512MiB`.
Settings marked *later* are accepted and checked but have no effect yet.
"""


def reference() -> str:
    """The document."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    default = Config()
    section = None
    yield _TITLE.rstrip()
    for path, _, meta in settings():
        block, _, name = path.rpartition(".")
        if block != section:
            section = block
            yield from ("", f"## {block}", "", "| key | default | meaning |", "|---|---|---|")
        note = "" if is_effective(meta) else " *later*"
        yield f"| {name} | {_shown(value_at(default, path))} | {meta.description}{note} |"


def _shown(value: Any) -> str:
    """A default as one would write it in YAML."""
    if isinstance(value, Mapping):
        return "; ".join(f"`{key}`: {', '.join(names)}" for key, names in value.items()) or "`{}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(str(item) for item in value) + "]`"
    if isinstance(value, bool) or value is None:
        return {True: "`true`", False: "`false`", None: "`null`"}[value]
    return f"`{value}`" if str(value) else '`""`'


if __name__ == "__main__":
    sys.stdout.write(reference())
