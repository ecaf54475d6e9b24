"""The CEL of its authors, with values in the form of ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from telegen.kubestate.custom.cel.compiler import compile_expression
from telegen.kubestate.custom.cel.errors import ExpressionError, InvalidConstant, InvalidExpression, type_name
from telegen.kubestate.custom.cel.types import Duration, Timestamp

FAILED, REFUSED = "failed", "refused"
VARIABLES = ("metadata", "spec", "status", "x")
_ENVIRONMENT = cel.NewEnv(
    variables={name: cel.Type.DYN for name in VARIABLES}, extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()]
)


def oracle(text: str, obj: dict[str, Any]) -> Any:
    """Return the value that the authors' CEL gives an expression, FAILED for none."""
    try:
        result = _ENVIRONMENT.compile(text, disable_check=True).eval(data=obj)
        return _plain(result) if "ERROR" not in str(result.type()) else FAILED
    except (RuntimeError, ValueError, KeyError, TypeError, OverflowError):
        return FAILED


def ours(text: str, obj: dict[str, Any]) -> Any:
    """Return the value that our CEL gives an expression, FAILED for none."""
    try:
        return _comparable(compile_expression(text).value(obj, steps=10**6))
    except InvalidConstant:
        return REFUSED
    except (ExpressionError, InvalidExpression):
        return FAILED


def _plain(result: Any) -> Any:
    """Return a value of the oracle, with the name of its type: 1, 1u and 1.0 differ."""
    kind = str(result.type()).partition("<")[0].lower()
    if kind == "null":
        # The package takes a reference to None too few each time that it returns None.
        return (kind, None)
    value = result.value()
    if kind == "list":
        return (kind, [_plain(item) for item in value])
    if kind == "map":
        return (kind, {key: _plain(item) for key, item in value.items()})
    if kind == "double":
        return (kind, repr(value))
    if kind == "duration":
        return (kind, value // timedelta(microseconds=1))
    return (kind, value.timestamp() if kind == "timestamp" else bytes(value) if kind == "bytes" else value)


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return ("list", [_comparable(item) for item in value])
    if isinstance(value, dict):
        return ("map", {key: _comparable(item) for key, item in value.items()})
    if isinstance(value, Duration):
        return ("duration", value.nanoseconds // 1000)
    return (type_name(value), repr(value) if isinstance(value, float) else value.seconds if isinstance(value, Timestamp) else value)
