"""Syntax tree of a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from telegen.adapter.templates.lexer import Text


@dataclass(frozen=True)
class Constant:
    """A text, a number, a truth value or nil."""

    value: Any


@dataclass(frozen=True)
class Path:
    """Fields of a value: `.a.b`, `$x.a`, `(pipeline).a`.

    Attributes:
        base: name of a variable, a pipeline, or None for the dot.
    """

    base: str | Pipeline | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """The name of a function."""

    name: str


Operand = Constant | Path | Function
Command = tuple[Operand, ...]
"""A function with its arguments, or one value."""


@dataclass(frozen=True)
class Pipeline:
    """Commands, each with the result of the one before it as its last argument.

    Attributes:
        variables: names that get the result; for `range` up to two.
        declares: True for `:=`, False for `=`.
    """

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = True


@dataclass(frozen=True)
class Block:
    """`if`, `with` or `range`, with the nodes of its two branches."""

    kind: Literal["if", "with", "range"]
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


Node = Text | Pipeline | Block
