"""Parse a template."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Literal, cast

from telegen.adapter.templates.functions import KNOWN_BUT_ABSENT, NAMES
from telegen.adapter.templates.lexer import Piece, TemplateError, Text, Token, pieces
from telegen.adapter.templates.syntax import Block, Command, Constant, Function, Node, Operand, Path, Pipeline

MAX_DEPTH = 50
"""Levels of blocks and parentheses."""
MAX_LENGTH = 64 * 1024
"""Characters of a template."""
_CONSTANTS = {"true": True, "false": False, "nil": None}
_BLOCKS = ("if", "with", "range")
_ABSENT = ("block", "break", "continue", "define", "template")
Kind = Literal["if", "with", "range"]


def parse(source: str, fields: Collection[str]) -> tuple[Node, ...]:
    """Return the nodes of a template.

    Args:
        fields: names of the fields of the value that the template is rendered with.

    Raises:
        TemplateError: the template is not valid, or uses what is not supported.
    """
    if len(source) > MAX_LENGTH:
        raise TemplateError(f"longer than {MAX_LENGTH} characters")
    parser = _Parser(pieces(source), fields)
    nodes, end = parser.body(0)
    if end:
        raise TemplateError(f"unexpected {end[0].text!r}: no block is open")
    return nodes


class _Parser:
    """Parser of blocks."""

    def __init__(self, source: Iterator[Piece], fields: Collection[str]) -> None:
        self._source, self._fields = source, fields
        self._variables = ["$"]
        self._dot_is_root = True

    def body(self, depth: int) -> tuple[tuple[Node, ...], tuple[Token, ...]]:
        """Return the nodes up to `end` or `else`, and the tokens of that action; () at the end of the template."""
        if depth > MAX_DEPTH:
            raise TemplateError(f"more than {MAX_DEPTH} levels")
        nodes = list[Node]()
        for piece in self._source:
            if isinstance(piece, Text):
                nodes += [piece] if piece.text else []
                continue
            word = piece[0].text if piece else ""
            if word in ("end", "else"):
                return tuple(nodes), piece
            if word in _ABSENT:
                raise TemplateError(f"{word} is not supported")
            nodes.append(self._block(cast(Kind, word), piece[1:], depth) if word in _BLOCKS else self._pipeline(piece))
        return tuple(nodes), ()

    def _block(self, kind: Kind, tokens: tuple[Token, ...], depth: int) -> Block:
        """Return a block; its variables end with it."""
        variables, was_root = len(self._variables), self._dot_is_root
        pipeline = self._pipeline(tokens, 2 if kind == "range" else 1)
        self._dot_is_root = was_root and kind == "if"
        body, end = self.body(depth + 1)
        self._dot_is_root = was_root
        otherwise = self._otherwise(kind, end, depth)
        del self._variables[variables:]
        return Block(kind, pipeline, body, otherwise)

    def _otherwise(self, kind: Kind, end: tuple[Token, ...], depth: int) -> tuple[Node, ...]:
        """Return the branch after `else`, also of `else if`."""
        words = [token.text for token in end]
        if words == ["end"]:
            return ()
        if words[:1] != ["else"]:
            raise TemplateError(f"{kind} without end")
        if words[1:2] == [kind] and kind != "range":
            return (self._block(kind, end[2:], depth + 1),)
        if len(words) > 1:
            raise TemplateError(f"unexpected {words[1]!r} after else")
        nodes, end = self.body(depth + 1)
        if [token.text for token in end] != ["end"]:
            raise TemplateError(f"{kind} without end")
        return nodes

    def _pipeline(self, tokens: tuple[Token, ...], most: int = 1) -> Pipeline:
        reader = _Actions(tokens, self._fields, self._variables, self._dot_is_root)
        pipeline = reader.assignment(most)
        if pipeline.declares:
            self._variables += pipeline.variables
        return pipeline


class _Actions:
    """Parser of one action."""

    def __init__(self, tokens: tuple[Token, ...], fields: Collection[str], variables: Collection[str], dot_is_root: bool) -> None:
        self._tokens, self._place = tokens, 0
        self._fields, self._variables, self._dot_is_root = fields, variables, dot_is_root

    def _next(self, *texts: str) -> Token | None:
        """Return the next token and pass it, if it is one of some signs; of no signs: any token."""
        if self._place < len(self._tokens) and (not texts or self._tokens[self._place].text in texts):
            self._place += 1
            return self._tokens[self._place - 1]
        return None

    def assignment(self, most: int) -> Pipeline:
        """Return the pipeline of the whole action, with the variables that it sets."""
        names = [token.text for token in self._tokens[: 2 * most - 1 : 2]]
        for count in range(len(names), 0, -1):
            signs = [token.text for token in self._tokens[1 : 2 * count : 2]]
            if signs[:-1] == [","] * (count - 1) and signs[-1:] in ([":="], ["="]) and all(n.startswith("$") for n in names[:count]):
                self._place = 2 * count
                declares = signs[-1] == ":="
                for name in () if declares else names[:count]:
                    self._check_variable(name)
                return Pipeline(self._commands(0, ""), tuple(names[:count]), declares)
        return Pipeline(self._commands(0, ""))

    def _commands(self, depth: int, end: str) -> tuple[Command, ...]:
        """Return the commands up to a closing parenthesis, or to the end of the action."""
        if depth > MAX_DEPTH:
            raise TemplateError(f"more than {MAX_DEPTH} levels")
        commands = [self._command(depth)]
        while self._next("|"):
            commands.append(self._command(depth))
            if not isinstance(commands[-1][0], Function):
                raise TemplateError("only a function can take the result of a pipeline")
        closing = self._next()
        if (closing.text if closing else "") != end:
            raise TemplateError(f"unexpected {closing.text!r}" if closing else "a parenthesis is not closed")
        return tuple(commands)

    def _command(self, depth: int) -> Command:
        operands = list[Operand]()
        while self._place < len(self._tokens) and self._tokens[self._place].text not in ("|", ")"):
            operands.append(self._operand(depth))
        if not operands:
            raise TemplateError("an action has no value")
        if len(operands) > 1 and not isinstance(operands[0], Function):
            raise TemplateError("only a function takes arguments")
        return tuple(operands)

    def _operand(self, depth: int) -> Operand:
        token = self._next()
        assert token
        if token.text == "(":
            return self._path(Pipeline(self._commands(depth + 1, ")")))
        if token.kind == "field" or token.text == ".":
            return self._path(None, (token.text[1:],) if token.kind == "field" else ())
        if token.kind == "variable":
            self._check_variable(token.text)
            return self._path(token.text)
        return Function(_function(token.text)) if token.kind == "word" and token.text not in _CONSTANTS else _constant(token)

    def _path(self, base: str | Pipeline | None, fields: tuple[str, ...] = ()) -> Operand:
        """Return a path with the fields that follow without a space."""
        while self._place < len(self._tokens) and self._tokens[self._place].kind == "field" and not self._tokens[self._place].spaced:
            fields = (*fields, self._tokens[self._place].text[1:])
            self._place += 1
        is_root = base == "$" or (base is None and self._dot_is_root)
        if is_root and fields and fields[0] not in self._fields:
            raise TemplateError(f"no field .{fields[0]}; choose from {', '.join('.' + name for name in self._fields)}")
        return Path(base, fields)

    def _check_variable(self, name: str) -> None:
        if name not in self._variables:
            raise TemplateError(f"variable {name} is not declared")


def _function(name: str) -> str:
    if name in KNOWN_BUT_ABSENT:
        raise TemplateError(f"function {name} is not supported; choose from {', '.join(NAMES)}")
    if name not in NAMES:
        raise TemplateError(f"no function {name}; choose from {', '.join(NAMES)}")
    return name


def _constant(token: Token) -> Constant:
    if token.kind == "word":
        return Constant(_CONSTANTS[token.text])
    if token.kind == "raw":
        return Constant(token.text[1:-1])
    if token.kind == "number" and len(token.text) < 20:
        return Constant(float(token.text) if "." in token.text else int(token.text))
    if token.kind == "string":
        try:
            # Escapes of Go's interpreted strings are those of Python, but for \N{...}, which Go does not have.
            return Constant(ast.literal_eval(token.text))
        except (ValueError, SyntaxError) as error:
            raise TemplateError(f"{token.text[:40]}: not a valid string") from error
    raise TemplateError(f"unexpected {token.text!r}")
