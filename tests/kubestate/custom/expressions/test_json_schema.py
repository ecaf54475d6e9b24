"""The JSON Schema for editors accepts what the reader accepts as the right type, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from telegen.kubestate.custom.expressions import written
from telegen.kubestate.custom.expressions.json_schema import schema
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.expressions.types import type_problems
from telegen.kubestate.custom.nodes import Report, root_node

VALIDATOR = jsonschema.Draft202012Validator(json.loads(json.dumps(schema())))
EXPRESSIONS: dict[str, Any] = {
    "resource": {"group": "g", "kind": "Thing", "version": ["v1"], "everyVersion": False, "without": [{"kind": "A", "version": "v1"}]},
    "prefix": "p",
    "identity": "object",
    "labels": {"a": "spec.a"},
    "labelsFrom": ["metadata.labels"],
    "namespaceLabels": ["team"],
    "ownerLabels": True,
    "when": "spec.on",
    "selector": {"labels": "a=b", "fields": "metadata.name=x", "namespaces": ["shop"]},
    "limits": {"series": 10},
    "metrics": [
        {"name": "a", "help": "h", "value": "spec.x", "map": {"A": 1}, "scale": 2, "forEach": [{"in": "spec.l", "as": "v", "key": "k"}]},
        {"name": "b", "type": "StateSet", "value": "spec.s", "states": ["A"], "other": "O", "label": "l"},
        {"name": "c", "aggregate": "sum", "celExpr": "spec.x", "by": {"t": "spec.t"}},
        {"name": "d", "conditions": "status.conditions", "labelsFrom": ["spec.m"]},
    ],
}
PATHS: dict[str, Any] = {
    "resource": {"group": "g.example", "kind": "Other"},
    "labelsFromPath": {"n": "metadata.name"},
    "commonLabels": {"c": "d"},
    "metrics": [
        {"name": "e", "path": "spec.x", "valueFrom": ["a"], "elementLabels": {"e": ["b"]}, "labelFromKey": "k", "nilIsZero": True},
        {"name": "f", "path": ["a", "s"], "type": "StateSet", "states": ["A"], "commonLabels": {"q": "r"}, "labelsFromPath": {"z": "a"}},
    ],
}
WHOLE: Any = {"metrics": [EXPRESSIONS, PATHS]}
VALUES: tuple[Any, ...] = (
    *(None, True, 5, 0, 1.5, "x", "5", "1.5", "true", "yes", "", "inf", "nan"),
    *([], ["x"], [5], [None], [[]], [{}], {}, {"x": "1"}, {"x": 5}, {"x": None}, {"x": ["a"]}, {"x": {}}),
)
Path = tuple[Any, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of a value, and of all in it."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*path, key))


def with_value(path: Path, value: Any) -> Any:
    """Return the configuration with another value at a path."""
    made = copy.deepcopy(WHOLE)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


def test_every_key_has_a_value() -> None:
    """The configuration is valid, and has every key of every block."""
    read_metrics(json.dumps(WHOLE).encode(), "f")
    keys = {key for block in vars(written).values() for key in getattr(block, "__struct_encode_fields__", ())}
    assert keys <= {key for path in paths(WHOLE) for key in path}


@pytest.mark.parametrize("path", [path for path in paths(WHOLE) if path], ids=lambda path: ".".join(map(str, path)))
def test_values(path: Path) -> None:
    """With a value of any type at a place the schema refuses what the reader refuses."""
    found = {}
    for value in VALUES:
        made = with_value(path, value)
        problems = list(type_problems(written.File, root_node(json.dumps(made).encode(), Report("f")).plain({}), ""))
        found[json.dumps(value)] = (not problems, VALIDATOR.is_valid(made))
    assert {value: both for value, both in found.items() if both[0] != both[1]} == {}
