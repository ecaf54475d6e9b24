"""The parser of libyaml gives the nodes that PyYAML's own gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telegen.config.document import MAX_VALUES, _FastLoader, _Loader, first_node
from telegen.config.errors import ConfigError

FILES = sorted(Path(__file__).parents[1].glob("**/config.yaml"))
SCALARS = st.text(max_size=8) | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3))


def tree(node: yaml.Node | None) -> Any:
    """Return a node as tuples, with tags, values and lines."""
    if isinstance(node, yaml.MappingNode):
        return node.tag, node.start_mark.line, [(tree(key), tree(value)) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return node.tag, node.start_mark.line, [tree(item) for item in node.value]
    return node and (node.tag, node.start_mark.line, node.value)


def nodes(text: bytes) -> list[Any]:
    """Return the tree of a document by each of the two parsers, or the type of the error."""
    found = []
    for kind in (_FastLoader, _Loader):
        try:
            loader = kind(text, MAX_VALUES * 10)
            found.append(tree(loader.get_node() if loader.check_node() else None))
        except yaml.YAMLError:
            found.append("refused")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_files(path: Path) -> None:
    """A configuration of custom resources has the same keys, values, tags and lines by both parsers."""
    fast, slow = nodes(path.read_bytes())
    assert fast == slow != "refused"


@given(VALUES, st.sampled_from([None, True, False]))
def test_drawn_values(value: Any, flow: bool) -> None:
    """Drawn values in block and in flow style are the same by both parsers."""
    fast, slow = nodes(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True).encode())
    assert fast == slow


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "a: &x [*x]", "a: b: c", "\ta: 1", "a: *x"])
def test_messages(text: str) -> None:
    """An invalid document has the message of PyYAML's own parser."""
    loader = _Loader(text.encode())
    with pytest.raises(yaml.MarkedYAMLError) as own:
        loader.get_single_node()
    with pytest.raises(ConfigError) as refused:
        first_node(text.encode(), "f")
    assert str(own.value.problem) in str(refused.value)
