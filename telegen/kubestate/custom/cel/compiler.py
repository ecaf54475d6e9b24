"""Compiler of expressions: from a syntax tree to closures over a frame.

A frame is a list: the steps that are left, the object, and a place per variable. Variables of macros get their places when the
expression is compiled, so an evaluation makes no scopes.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from telegen.kubestate.custom.cel import syntax
from telegen.kubestate.custom.cel.errors import EvaluationError, InvalidConstant, InvalidExpression, no_overload
from telegen.kubestate.custom.cel.fields import (
    fields_reader,
    item_of,
    make_map,
    optional_field,
    optional_item,
    read_fields,
)
from telegen.kubestate.custom.cel.functions import FUNCTIONS, LINEAR, METHODS
from telegen.kubestate.custom.cel.macros import MACROS, Evaluate, Frame, alternative, decided, optional_macro
from telegen.kubestate.custom.cel.operators import (
    BINARY,
    FIRST_VARIABLE,
    OBJECT,
    SIZED,
    UNARY,
    charge,
    contains,
    equal,
    text_steps,
)
from telegen.kubestate.custom.cel.parser import parse
from telegen.kubestate.custom.cel.reads import WHOLE_OBJECT, reads, uses
from telegen.kubestate.custom.cel.texts import Function, compiled_pattern, matching_steps

MAX_STEPS = 10_000
"""Steps that the expressions of one family may take for one object."""


class Program(NamedTuple):
    """A compiled expression.

    Attributes:
        run: from a frame to the value; it does not count the steps of the expression itself, only those of its macros and functions.
            Raises ExpressionError.
        size: steps of the expression itself.
        places: items of the frame that it needs.
        reads: paths of the fields of the object that it reads, of at most two names with a dot; "" for all.
        uses: variables of the caller that it reads.
    """

    run: Evaluate
    size: int
    places: int
    reads: frozenset[str]
    uses: frozenset[str]

    def value(self, obj: Mapping[str, Any], variables: Sequence[Any] = (), steps: int = MAX_STEPS) -> Any:
        """Return the value for an object.

        Raises:
            ExpressionError: there is none.
        """
        frame = new_frame(self.places, obj, variables, steps)
        charge(frame, self.size)
        return self.run(frame)


def new_frame(places: int, obj: Any, variables: Sequence[Any] = (), steps: int = MAX_STEPS) -> Frame:
    """Return the frame of an evaluation."""
    frame = [steps, obj, *variables]
    return frame + [None] * (places - len(frame))


def compile_expression(text: str, variables: Iterable[str] = ()) -> Program:
    """Compile an expression. Metrics have few different ones for their labels, and each is checked before its table is made.

    Args:
        variables: names whose values stand in the frame after the object.

    Raises:
        InvalidExpression: with the column, the cause and the cure.
    """
    return _compiled(text, tuple(variables))


@lru_cache(maxsize=4096)
def _compiled(text: str, names: tuple[str, ...]) -> Program:
    # PERF: 0.15 ms an expression otherwise, 8 s for 3.7 MB of them.
    tree = parse(text)
    compiler = _Compiler()
    # Of two variables with one name the later one counts, but both have a place.
    scope = {name: FIRST_VARIABLE + place for place, name in enumerate(names)}
    run = compiler.compile(tree, scope, FIRST_VARIABLE + len(names))
    known = frozenset(scope)
    return Program(run, tree.size, compiler.places, frozenset(reads(tree, known)), frozenset(uses(tree, known)))


class _Compiler:
    """Compiler of one expression.

    Attributes:
        places: items of the frame that all closures need.
    """

    def __init__(self) -> None:
        self.places = FIRST_VARIABLE

    def compile(self, node: syntax.Node, scope: Mapping[str, int], free: int) -> Evaluate:
        """Return the closure of a tree.

        Args:
            scope: place of each variable.
            free: the first place that no variable has.
        """
        self.places = max(self.places, free)
        method = getattr(self, f"_{type(node).__name__.lower()}")
        return cast(Evaluate, method(node, scope, free))

    def _each(self, nodes: Iterable[syntax.Node], scope: Mapping[str, int], free: int) -> list[Evaluate]:
        return [self.compile(node, scope, free) for node in nodes]

    def _literal(self, node: syntax.Literal, scope: Mapping[str, int], free: int) -> Evaluate:
        value = node.value
        return lambda frame: value

    def _name(self, node: syntax.Name, scope: Mapping[str, int], free: int) -> Evaluate:
        name = node.name
        if name in scope:
            place = scope[name]
            return lambda frame: frame[place]
        if name == WHOLE_OBJECT:
            return lambda frame: frame[OBJECT]
        return fields_reader(OBJECT, (name,))

    def _select(self, node: syntax.Select, scope: Mapping[str, int], free: int) -> Evaluate:
        if node.is_optional:
            operand, name = self.compile(node.operand, scope, free), node.field_name
            return lambda frame: optional_field(operand(frame), name)
        root, names = _field_path(node)
        if isinstance(root, syntax.Name) and root.name in scope:
            return fields_reader(scope[root.name], names)
        if isinstance(root, syntax.Name):
            return fields_reader(OBJECT, names if root.name == WHOLE_OBJECT else (root.name, *names))
        of = self.compile(root, scope, free)
        return lambda frame: read_fields(of(frame), names)

    def _has(self, node: syntax.Has, scope: Mapping[str, int], free: int) -> Evaluate:
        operand, name = self.compile(node.select.operand, scope, free), node.select.field_name

        def has(frame: Frame) -> bool:
            value = operand(frame)
            if value.__class__ is dict:
                return name in value
            return bool(optional_field(value, name).values)

        return has

    def _index(self, node: syntax.Index, scope: Mapping[str, int], free: int) -> Evaluate:
        operand, key = self._each((node.operand, node.key), scope, free)
        look_up = optional_item if node.is_optional else item_of
        return lambda frame: look_up(operand(frame), key(frame))

    def _operation(self, node: syntax.Operation, scope: Mapping[str, int], free: int) -> Evaluate:
        operands = self._each(node.operands, scope, free)
        if len(operands) == 1:
            operand, unary = operands[0], UNARY[node.operator]
            return lambda frame: unary(operand(frame))
        left, right = operands
        if node.operator == "==":
            return lambda frame: equal(left(frame), right(frame), frame)
        if node.operator == "!=":
            return lambda frame: not equal(left(frame), right(frame), frame)
        if node.operator == "in":
            return lambda frame: contains(left(frame), right(frame), frame)
        binary = BINARY[node.operator]
        if node.operator == "+":
            return lambda frame: _charged(binary(left(frame), right(frame)), frame)
        return lambda frame: binary(left(frame), right(frame))

    def _logic(self, node: syntax.Logic, scope: Mapping[str, int], free: int) -> Evaluate:
        operands, decisive = self._each(node.operands, scope, free), node.operator == "||"
        return lambda frame: decided(node.operator, decisive, operands, frame)

    def _conditional(self, node: syntax.Conditional, scope: Mapping[str, int], free: int) -> Evaluate:
        condition, yes, no = self._each((node.condition, node.yes, node.no), scope, free)

        def choose(frame: Frame) -> Any:
            truth = condition(frame)
            if truth is True:
                return yes(frame)
            if truth is False:
                return no(frame)
            raise no_overload("?:", truth)

        return choose

    def _listof(self, node: syntax.ListOf, scope: Mapping[str, int], free: int) -> Evaluate:
        items = self._each(node.items, scope, free)
        return lambda frame: [item(frame) for item in items]

    def _mapof(self, node: syntax.MapOf, scope: Mapping[str, int], free: int) -> Evaluate:
        pairs = list(zip(self._each(node.keys, scope, free), self._each(node.values, scope, free)))
        return lambda frame: make_map([(key(frame), value(frame)) for key, value in pairs])

    def _call(self, node: syntax.Call, scope: Mapping[str, int], free: int) -> Evaluate:
        name, nodes = _called(node, scope)
        if name in ("or", "orValue") and len(nodes) == 2:
            return alternative(name, *self._each(nodes, scope, free))
        is_method = node.target is not None and len(nodes) > len(node.arguments)
        function = _known(METHODS if is_method else FUNCTIONS, name, len(nodes), node)
        arguments = self._each(nodes, scope, free)
        if name == "matches" and isinstance(nodes[1], syntax.Literal) and isinstance(nodes[1].value, str):
            _constant(node, lambda: compiled_pattern(nodes[1].value))  # type: ignore[attr-defined]
        if nodes and all(isinstance(argument, syntax.Literal) for argument in nodes):
            value = _constant(node, lambda: function(*[argument.value for argument in nodes]))  # type: ignore[attr-defined]
            return lambda frame: value
        if name == "matches":
            return lambda frame: _matching(function, [argument(frame) for argument in arguments], frame)
        if name in LINEAR:
            return lambda frame: _linear(function, [argument(frame) for argument in arguments], frame)
        if len(arguments) == 1:
            only = arguments[0]
            return lambda frame: function(only(frame))
        return lambda frame: function(*[argument(frame) for argument in arguments])

    def _macro(self, node: syntax.Macro, scope: Mapping[str, int], free: int) -> Evaluate:
        over, inner = self.compile(node.range, scope, free), {**scope, node.variable: free}
        body = self.compile(node.body, inner, free + 1)
        condition = self.compile(node.condition, inner, free + 1) if node.condition else None
        if node.macro in ("optMap", "optFlatMap"):
            return optional_macro(node.macro, over, body, free)
        steps = node.body.size + (node.condition.size if node.condition else 0)

        def items(frame: Frame) -> Iterable[Any]:
            value = over(frame)
            if value.__class__ is not list and value.__class__ is not dict:
                raise no_overload(f"{node.macro}()", value)
            for item in value:
                charge(frame, steps)
                frame[free] = item
                yield item

        return MACROS[node.macro](items, body, condition)


def _field_path(node: syntax.Node) -> tuple[syntax.Node, tuple[str, ...]]:
    """Return what a chain of fields begins with, and the fields."""
    names: list[str] = []
    while isinstance(node, syntax.Select) and not node.is_optional:
        names.append(node.field_name)
        node = node.operand
    return node, tuple(reversed(names))


def _called(node: syntax.Call, scope: Mapping[str, int]) -> tuple[str, tuple[syntax.Node, ...]]:
    """Return the name of a function or a method, and its arguments with the target."""
    target = node.target
    if target is None:
        return node.function, node.arguments
    if isinstance(target, syntax.Name) and target.name == "optional" and "optional" not in scope:
        return f"optional.{node.function}", node.arguments
    return node.function, (target, *node.arguments)


def _known(table: Mapping[str, tuple[Function, int, int]], name: str, count: int, node: syntax.Call) -> Function:
    if name not in table:
        kind = "method" if table is METHODS else "function"
        other = METHODS if table is FUNCTIONS else FUNCTIONS
        close = [f"{match}()" for match in difflib.get_close_matches(name, table, 1)]
        cure = f"did you mean {close[0]}?" if close else f"docs/expressions.md lists each {kind}"
        if name in other:
            cure = f"write x.{name}()" if other is METHODS else f"write {name}(x)"
        raise InvalidExpression(f"unknown {kind} {name}(); {cure}", node.position)
    function, fewest, most = table[name]
    if not fewest <= count <= most:
        less = int(table is METHODS)
        expected = str(fewest - less) if fewest == most else f"{fewest - less} to {most - less}"
        raise InvalidExpression(f"{name}() expects {expected} arguments, got {count - less}", node.position)
    return function


def _constant(node: syntax.Call, evaluate: Callable[[], Any]) -> Any:
    """Return the value of a call whose arguments are literals; an error is one of the expression."""
    try:
        return evaluate()
    except EvaluationError as error:
        raise InvalidConstant(str(error), node.position) from error


def _matching(function: Function, values: list[Any], frame: Frame) -> Any:
    charge(frame, matching_steps(*values))
    return _linear(function, values, frame)


def _linear(function: Function, values: list[Any], frame: Frame) -> Any:
    charge(frame, sum(map(text_steps, values)))
    return _charged(function(*values), frame)


def _charged(made: Any, frame: Frame) -> Any:
    """Return what an operator or a function has made, after its steps: a macro that makes a large text of each item fills the memory."""
    if made.__class__ in SIZED:
        charge(frame, text_steps(made))
    return made
