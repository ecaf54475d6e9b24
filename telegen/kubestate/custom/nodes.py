"""YAML nodes of a configuration of custom resources, with their paths and lines; scalars keep their spelling.

`True`, `010`, `1.10` and `2024-01-01` are label values as they are written, so no value is ever converted to a number or a date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from telegen.config.document import first_node
from telegen.config.errors import ConfigError

MAX_VALUES = 200_000
"""Maximum of values in a configuration, with aliases expanded. The published files of Cluster API have 6,000."""
_NULL, _MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"
_TRUE = frozenset(("true", "yes", "on", "y"))
_FALSE = frozenset(("false", "no", "off", "n"))


@dataclass
class Report:
    """Problems and warnings of a configuration, each with file, line, path, cause and cure."""

    source: str
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Node:
    """A value of the configuration. Every method that expects a type reports a problem if the value has another one.

    Attributes:
        path: of the value: `spec.resources[0].metrics[2].name`.
    """

    def __init__(self, node: yaml.Node, path: str, report: Report) -> None:
        self._node, self.path, self._report = node, path, report

    @property
    def is_null(self) -> bool:
        """True for `~`, `null` and nothing."""
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag == _NULL

    def problem(self, message: str) -> None:
        """Report a problem: the configuration is refused."""
        self._report.problems.append(self._line(message))

    def warn(self, message: str) -> None:
        """Report a warning."""
        self._report.warnings.append(self._line(message))

    def _line(self, message: str) -> str:
        return f"{self.place}: {message}"

    @property
    def place(self) -> str:
        """File, line and path of the value."""
        return f"{self._report.source}:{self._node.start_mark.line + 1}: {self.path or 'document'}"

    def reporting_to(self, report: Report) -> Node:
        """Return the value with another report for its problems and those of all values in it."""
        return Node(self._node, self.path, report)

    def fields(self) -> dict[str, Node]:
        """Return the values of a map by key; of null and of other types none. The key null is left out with a warning."""
        if isinstance(self._node, yaml.MappingNode):
            if any(key.tag == _NULL for key, _ in self._node.value):
                self.warn("null as a key has no effect; write it in quotes if it is a name")
            return {key: Node(value, f"{self.path}.{key}" if self.path else key, self._report) for key, value in _merged(self._node)}
        if not self.is_null:
            self.problem(f"expected a map, got {self._type}")
        return {}

    def known_fields(self, *known: str) -> dict[str, Node]:
        """Return the values of a map by key, without null ones; warn about keys that have no effect."""
        fields = self.fields()
        for key, value in fields.items():
            if key not in known:
                value.warn(f"unknown key without effect; choose from {', '.join(known)}")
        return {key: value for key, value in fields.items() if key in known and not value.is_null}

    def items(self) -> list[Node]:
        """Return the items of a list."""
        if isinstance(self._node, yaml.SequenceNode):
            return [Node(item, f"{self.path}[{place}]", self._report) for place, item in enumerate(self._node.value)]
        if not self.is_null:
            self.problem(f"expected a list, got {self._type}; write [a, b] or one item per line")
        return []

    def plain(self, nodes: dict[str, Node]) -> Any:
        """Return the value as maps, lists and texts; scalars as they are written, null as None.

        Args:
            nodes: gets each node by its path.
        """
        nodes[self.path] = self
        if isinstance(self._node, yaml.MappingNode):
            return {key: value.plain(nodes) for key, value in self.fields().items()}
        if isinstance(self._node, yaml.SequenceNode):
            return [item.plain(nodes) for item in self.items()]
        return None if self.is_null else self._valid_text()

    def _valid_text(self) -> str:
        text = self.text()
        if any("\ud800" <= character <= "\udfff" for character in text):
            self.problem("characters that are not valid Unicode (lone surrogates)")
            return ""
        return text

    def text(self) -> str:
        """Return a scalar as it is written; "" for null."""
        if isinstance(self._node, yaml.ScalarNode):
            return "" if self.is_null else str(self._node.value)
        self.problem(f"expected a text, got {self._type}")
        return ""

    def texts(self) -> tuple[str, ...]:
        """Return the items of a list of texts; null ones are dropped."""
        return tuple(item.text() for item in self.items() if not item.is_null)

    def truth(self) -> bool:
        """Return a truth value."""
        word = self.text().lower()
        if word not in _TRUE and word not in _FALSE:
            self.problem(f"expected true or false, got {word[:40]!r}")
        return word in _TRUE

    def integer(self) -> int:
        """Return a whole number."""
        text = self.text()
        if not text.lstrip("+-").isdecimal() or len(text) > 9:
            self.problem(f"expected a whole number, got {text[:40]!r}")
            return 0
        return int(text)

    @property
    def _type(self) -> str:
        if isinstance(self._node, yaml.CollectionNode):
            return "a map" if isinstance(self._node, yaml.MappingNode) else "a list"
        return f"the text {str(self._node.value)[:40]!r}"


def root_node(text: bytes, report: Report, parsed: yaml.Node | None = None) -> Node:
    """Return the root of the first document.

    Args:
        parsed: the document, if the text has been parsed already.

    Raises:
        ConfigError: the text is not valid YAML, or is empty.
    """
    node = parsed or first_node(text, report.source, MAX_VALUES)
    if node is None:
        raise ConfigError(f"{report.source}: the configuration is empty; expected metrics, or spec.resources")
    return Node(node, "", report)


def _merged(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the keys and values of a map; its own keys replace those of maps that it merges by `<<`."""
    own = [(key.value, value) for key, value in node.value if key.tag not in (_MERGE, _NULL)]
    seen = {key for key, _ in own}
    for merged in (value for key, value in node.value if key.tag == _MERGE):
        for other in merged.value if isinstance(merged, yaml.SequenceNode) else [merged]:
            for key, value in _merged(other) if isinstance(other, yaml.MappingNode) else ():
                if key not in seen:
                    seen.add(key)
                    yield key, value
    yield from own
