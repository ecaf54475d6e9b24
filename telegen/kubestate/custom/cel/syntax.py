"""Syntax trees of expressions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Union

MAX_HEIGHT = 100
"""Nodes above each other in the highest tree. Compilation and evaluation take up to three Python frames per node."""


@dataclass(frozen=True)
class Node:
    """A part of an expression.

    Attributes:
        position: of its first character in the text.
        height: nodes on the longest way to a leaf.
        size: nodes of the tree: the steps of one evaluation.
    """

    position: int
    height: int = field(init=False, default=1)
    size: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        children = list(self.children())
        object.__setattr__(self, "height", 1 + max((child.height for child in children), default=0))
        object.__setattr__(self, "size", 1 + sum(child.size for child in children))

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        for value in vars(self).values():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Node):
                    yield item


@dataclass(frozen=True)
class Literal(Node):
    value: Any


@dataclass(frozen=True)
class Name(Node):
    """A variable, or a field of the object."""

    name: str


@dataclass(frozen=True)
class Select(Node):
    """`operand.field`, or `operand.?field`."""

    operand: Node
    field_name: str
    is_optional: bool = False


@dataclass(frozen=True)
class Has(Node):
    """`has(operand.field)`."""

    select: Select


@dataclass(frozen=True)
class Index(Node):
    """`operand[key]`, or `operand[?key]`."""

    operand: Node
    key: Node
    is_optional: bool = False


@dataclass(frozen=True)
class Operation(Node):
    """An operator with one or two operands: `!`, `-`, `+`, `==`, `in` and the like."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Logic(Node):
    """`a && b && c` (`&&`), or `a || b || c` (`||`)."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Conditional(Node):
    """`condition ? yes : no`."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True)
class Call(Node):
    """`function(arguments)`, or `target.function(arguments)`."""

    function: str
    target: Union[Node, None]
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class MapOf(Node):
    """`{key: value}`."""

    keys: tuple[Node, ...]
    values: tuple[Node, ...]


@dataclass(frozen=True)
class Macro(Node):
    """`range.macro(variable, body)`, or `range.map(variable, condition, body)`.

    Attributes:
        condition: of `map` with three arguments.
    """

    macro: str
    range: Node
    variable: str
    body: Node
    condition: Union[Node, None] = None
