"""Values of the chart: the table made from the comments of values.yaml, and values of tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml


class Undocumented(Exception):
    """A value has no comment; the message names it."""


def table(text: str) -> str:
    """Return a Markdown table of all values: path, default, and the comment above it.

    Raises:
        Undocumented: a value has no comment.
    """
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    rows = [f"| `{path}` | `{default}` | {comment} |\n" for path, default, comment in _rows(root, text.splitlines())]
    return "| value | default | meaning |\n|---|---|---|\n" + "".join(rows)


def _rows(node: yaml.MappingNode, lines: list[str], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield path, default and comment of the values below a node."""
    for key, value in node.value:
        path = f"{prefix}{key.value.replace('.', chr(92) + '.')}"
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _rows(value, lines, f"{path}.")
            continue
        comment = _comment_above(lines, key.start_mark.line)
        if not comment:
            raise Undocumented(f"values.yaml: {path} has no comment: add one above it")
        yield path, _default(value), comment.replace("|", r"\|")


def _comment_above(lines: list[str], line: int) -> str:
    """Return the text of the comment that ends above a line."""
    found: list[str] = []
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].lstrip().removeprefix("#").strip())
    return " ".join(found)


def _default(node: yaml.Node) -> str:
    """Return a value in one line, as JSON."""
    return json.dumps(yaml.safe_load(yaml.serialize(node)))


def state(**settings: Any) -> dict[str, Any]:
    """Return values with settings of kube_state."""
    return {"config": {"kube_metrics": {"kube_state": settings}}}


def kube(**settings: Any) -> dict[str, Any]:
    """Return values with settings of kube_metrics."""
    return {"config": {"kube_metrics": settings}}
