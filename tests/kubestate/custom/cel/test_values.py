"""Values, errors and limits of expressions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from telegen.kubestate.custom.cel.compiler import compile_expression
from telegen.kubestate.custom.cel.errors import EvaluationError, ExpressionError, InvalidExpression, OutOfSteps
from telegen.kubestate.custom.cel.operators import equal
from tests.kubestate.custom.cel.cases import CASES
from tests.kubestate.custom.cel.drawn_expressions import OBJECT
from tests.kubestate.custom.cel.oracle import FAILED


@pytest.mark.parametrize("text, expected", [(text, value) for text, value, _ in CASES])
def test_values(text: str, expected: Any) -> None:
    """Each part of the subset gives the value of the specification, or none."""
    if expected is FAILED:
        with pytest.raises((ExpressionError, InvalidExpression)):
            compile_expression(text).value(OBJECT)
    else:
        value = compile_expression(text).value(OBJECT)
        assert equal(value, expected) and isinstance(value, type(expected))


INVALID = {
    "spec.replicas +": "column 16: expected a value, got the end",
    "spec.replicas) + 1": "column 14: unexpected )",
    "now() - 1": "column 1: now() is not supported: the value would be that of the last change",
    "status.phase = 'a'": "column 14: unexpected character '='",
    "a ?. b": "column 3: ? has no field before it; write an optional field as a.?b",
    "spec.items.mapp(x, x)": "column 12: unknown method mapp()",
    "startswith('a')": "column 1: unknown function startswith()",
    "size(1, 2)": "column 1: size() expects 1 arguments, got 2",
    "startsWith(status.phase, 'a')": "column 1: unknown function startsWith(); write x.startsWith()",
    "has(spec)": "column 1: has() expects one field, such as has(status.phase)",
    "spec.items.map(1, x)": "column 12: map() expects a variable and an expression: map(x, x.ready)",
    "namespace.name": "column 1: namespace is a reserved word; for a field of the object write object.namespace",
    "'a": "column 1: the string that begins here has no closing '",
    r"'\d'": r"column 2: unknown escape \d; write \\d for a backslash, or r'...'",
    "9223372036854775808": "column 1: 9223372036854775808 is out of range",
    "99999999999999999999999": "column 1: 99999999999999999999... is out of range",
    "Foo{a: 1}": "column 1: Foo{} constructs a message, which is not supported",
    "status.phase.matches('(')": "column 14: the regular expression '(' is malformed: missing )",
    "duration('1 hour')": "column 1: '1 hour' is not a duration; expected the like of 1h30m or 1.5s",
    "": "column 1: expected a value, got the end",
    "a #": "column 3: unexpected character '#'",
    "(" * 5000 + "1" + ")" * 3000: "more than 50 levels of nesting",
    "[" * 200 + "]" * 200: "more than 50 levels of nesting",
    "{1: " * 200 + "1" + "}" * 200: "more than 50 levels of nesting",
    "size(" * 200 + "a" + ")" * 200: "more than 50 levels of nesting",
    "[1].map(x, " * 200 + "1" + ")" * 200: "more than 50 levels of nesting",
    "-!true": "column 2: expected a value, got !",
    "a" + ".b" * 4000: "more than 100 operators in a row or levels of nesting",
    "1" + " + 1" * 2000: "more than 100 operators in a row or levels of nesting",
    "a" * 9000: "9000 characters; at most 8192 are accepted",
}


@pytest.mark.parametrize("text, message", INVALID.items(), ids=[text[:20] for text in INVALID])
def test_invalid(text: str, message: str) -> None:
    """A text that is no expression is refused with the column, the cause and, where there is one, the cure."""
    with pytest.raises(InvalidExpression) as refused:
        compile_expression(text)
    assert message in str(refused.value)


def test_long_conditions() -> None:
    """A condition of hundreds of parts is one level."""
    text = " || ".join(f"status.phase == 'p{number}'" for number in range(300))
    assert compile_expression(text).value({"status": {"phase": "p299"}}) is True


HOSTILE = (
    "l.map(a, l.map(b, l.map(c, l.map(d, 1))))",
    "l.all(a, l.all(b, l.all(c, a == b || c == c)))",
    "l.exists(a, l.all(b, 1 / 0 == 1))",
    "l.map(a, l == l)",
    "l.map(a, [l, l, l, l]).map(x, [x, x, x, x]).map(x, [x, x, x, x]) == l.map(a, [l, l, l, l]).map(x, [x, x, x, x]).map(x, [x, x, x, x])",
    "l.map(a, text.matches('(a*)*b'))",
    "l.map(a, 1.0 in l)",
    "l.map(a, text.replace('a', 'bb'))",
    "l.map(a, text + text)",
    "l.map(a, text.substring(1))",
    "l.map(a, string(bytes(text)))",
    "l.map(a, bytes(text) + bytes(text))",
    "l.map(a, l + l)",
    "l.map(a, text.substring(0, 99).replace('a', text.substring(0, 9999)))",
    "l.map(a, [text, text].join())",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_steps(text: str) -> None:
    """An expression that would take long ends at its steps."""
    obj = {"l": list(range(2000)), "text": "a" * 100_000}
    with pytest.raises(OutOfSteps):
        compile_expression(text).value(obj)


def test_sums_of_lists() -> None:
    """Lists and texts have no sum: joining them would take quadratic time before the result is refused."""
    for text in ("l.map(a, [a]).sum()", "l.map(a, text).sum()"):
        with pytest.raises(EvaluationError, match="does not accept list"):
            compile_expression(text).value({"l": list(range(1000)), "text": "a"})


def test_sizes() -> None:
    """An expression makes no text or list that is many times larger than the object."""
    doubled = "[text]" + ".map(x, x + x)" * 40 + ".size()"
    for text in (doubled, "text.replace('', text)", "l.map(a, text).join(text)", "l.map(a, text).join()"):
        with pytest.raises(ExpressionError):
            compile_expression(text).value({"l": list(range(1000)), "text": "a" * 10_000}, steps=10**9)


def test_regular_expressions_take_linear_time() -> None:
    """A pattern that other engines search for ages is decided at once."""
    begun = time.process_time()
    assert compile_expression("text.matches('^(a+)+$')").value({"text": "a" * 30_000 + "b"}) is False
    assert time.process_time() - begun < 5
    with pytest.raises(EvaluationError, match="at most 1000"):
        compile_expression("text.matches(text)").value({"text": "a" * 30_000})


@pytest.mark.parametrize("pattern", ["'a{500}b'", "'a{900}' + string(x)"])
def test_regular_expressions_cost_steps(pattern: str) -> None:
    """A short pattern with a large program costs as many steps as it takes time."""
    with pytest.raises(OutOfSteps):
        compile_expression(f"l.map(x, text.matches({pattern}))").value({"l": list(range(400)), "text": "a" * 500})


READS = {
    "spec.replicas + status.ready.total": {"spec.replicas", "status.ready"},
    "has(spec.a.b)": {"spec.a"},
    "status.conditions.exists(c, c.type == spec.kind && c.x)": {"status.conditions", "spec.kind"},
    "object.metadata.name": {"metadata.name"},
    "size(object)": {""},
    "data": {"data"},
    "p.name == spec.items[0].name": {"spec.items"},
    "spec.items.map(spec, spec.a)": {"spec.items"},
    "object[spec.field]": {"", "spec.field"},
}


@pytest.mark.parametrize("text, reads", READS.items())
def test_reads(text: str, reads: set[str]) -> None:
    """An expression names the fields of the object that have to be decoded for it."""
    assert compile_expression(text, ["p"]).reads == reads


def test_variables() -> None:
    """Variables of the caller hide fields of the object."""
    assert compile_expression("spec.name + object.spec.name", ["spec"]).value({"spec": {"name": "b"}}, [{"name": "a"}]) == "ab"


def test_shadowed_variables() -> None:
    """Of two variables with one name the later one counts, and the variable of a macro does not replace it."""
    program = compile_expression("[1, 2, 3].filter(x, x < v).size() + v", ["v", "v"])
    assert program.value({}, [0, 3]) == 5
