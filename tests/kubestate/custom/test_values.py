"""Numbers and paths whose last bit depends on the arithmetic of floats, with the results of kube-state-metrics."""

from __future__ import annotations

import pytest

from telegen.kubestate.custom.paths import compile_path
from telegen.kubestate.custom.values import number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e31", 1e31),
        ("1e40", 1e40),
        ("1e99", 1.0000000000000001e99),
        ("1.5e99", 1.5e99),
        ("7e33", 7e33),
        ("1e308", 1e308),
        ("1e309", float("inf")),
        ("-1e400", float("-inf")),
    ],
)
def test_large_quantity(text: str, number: float) -> None:
    """A quantity with a large exponent is the product of the peer, which need not be the nearest float."""
    assert number_of(text) == number


@pytest.mark.parametrize(("wanted", "size"), [("9223372036854775808", 2**63 - 1), ("9007199254740993", 2**53)])
def test_large_number_in_a_path(wanted: str, size: int) -> None:
    """A condition finds an integer that is the same number as a float."""
    element = {"size": size}
    assert compile_path([f"[size={wanted}]"])([{"size": 1}, element]) is element
