"""Facts about CEL: lines of [expression, type, value], or of [expression, "error"], over the object `OBJECT`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kubestate.custom.cel.oracle import FAILED, REFUSED, oracle, ours

FOLDER = Path(__file__).parent / "conformance"
OBJECT = {"x": {"a": 7, "n": None, "l": [{"m": 1}, {}, 3], "o": {"p": 4, "q": None}, "f": False}}
FILES = sorted(FOLDER.glob("*.jsonl"))
"""Facts in which all implementations agree."""
FURTHER = sorted(FOLDER.glob("further/*.jsonl"))
"""Facts in which the implementations in Go and in C++ differ, where Kubernetes has that in Go; and parts that the subset lacks."""


def cases(file: Path) -> dict[str, list[Any]]:
    """Return type and value by expression."""
    return {expression: fact for expression, *fact in map(json.loads, file.read_text().splitlines())}


def fact(value: Any) -> list[Any]:
    """Return a value as a line of a file has it."""
    if value in (FAILED, REFUSED):
        return ["error"]
    kind, found = value
    if kind == "list":
        return [kind, [fact(item) for item in found]]
    if kind == "map":
        return [kind, [[key, fact(item)] for key, item in sorted(found.items(), key=str)]]
    return [kind, found.hex() if kind == "bytes" else found]


@pytest.mark.parametrize("file", [*FILES, *FURTHER], ids=lambda file: file.stem)
def test_facts(file: Path) -> None:
    """Each expression has its value, or no value."""
    wanted = cases(file)
    assert {text: fact(ours(text, OBJECT)) for text in wanted} == wanted


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_facts_are_those_of_cel(file: Path) -> None:
    """The CEL of its authors agrees with each fact."""
    wanted = cases(file)
    assert {text: fact(oracle(text, OBJECT)) for text in wanted} == wanted


def test_number_of_facts() -> None:
    """No file is empty, and there are as many facts as parts of the subset need."""
    counts = [len(cases(file)) for file in (*FILES, *FURTHER)]
    assert min(counts) > 5 and sum(counts) > 900
