"""Values of expressions beside the CEL of its authors."""

import pytest
from hypothesis import assume, given, settings

from tests.kubestate.custom.cel.cases import CASES
from tests.kubestate.custom.cel.drawn_expressions import OBJECT, expressions
from tests.kubestate.custom.cel.oracle import REFUSED, oracle, ours


@given(expressions())
@settings(max_examples=12000, deadline=None)
def test_drawn_expressions(text: str) -> None:
    """Any expression has the value that the authors' CEL gives it, or none in both."""
    value = ours(text, OBJECT)
    assume(value != REFUSED)
    expected = oracle(text, OBJECT)
    # The oracle refuses an end that is the size of the string; CEL of Kubernetes takes it.
    assume(expected != "failed" or ".substring(" not in text)
    assert value == expected


@pytest.mark.parametrize("text", [text for text, _, is_standard in CASES if is_standard])
def test_cases(text: str) -> None:
    """The expected values of the cases are those of the authors' CEL."""
    assert ours(text, OBJECT) == oracle(text, OBJECT)
