"""Errors of expressions: of their text, and of their evaluation."""

from __future__ import annotations


class InvalidExpression(ValueError):
    """The text is not an expression of the subset.

    Attributes:
        column: of the fault, from 1.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(f"column {position + 1}: {message}")
        self.column = position + 1


class InvalidConstant(InvalidExpression):
    """A call whose arguments are literals has no value, for any object."""


class ExpressionError(ValueError):
    """An expression has no value for an object."""


class EvaluationError(ExpressionError):
    """A part of an expression has no value: a wrong type, an overflow, a division by zero. `&&`, `||`, `all` and `exists` absorb it."""


class NoSuchField(EvaluationError):
    """A field, a key or an item that an expression reads is absent."""


class OutOfSteps(ExpressionError):
    """An evaluation took more steps than an object may cost."""


def no_overload(name: str, *values: object) -> EvaluationError:
    """Return the error of an operator or a function that does not exist for the types of its arguments."""
    return EvaluationError(f"{name} does not accept {', '.join(map(type_name, values)) or 'no argument'}")


def type_name(value: object) -> str:
    """Return the name that CEL has for the type of a value."""
    return _NAMES.get(value.__class__, value.__class__.__name__.lower())


_NAMES = {bool: "bool", int: "int", float: "double", str: "string", bytes: "bytes", type(None): "null", list: "list", dict: "map"}
