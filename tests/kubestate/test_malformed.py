"""Malformed objects: the exposition stays valid with any value in any field."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telegen.cli.render import ObjectRenderer
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection
from tests.kubestate.fixtures import COMPLETE, objects

EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})
WRONG: tuple[Any, ...] = (None, 5, -1.5, True, "text", 'q"\\\n', [], [None], [5], {}, {"a": None}, {"a": {"b": [1]}})
STEP = 12
"""Interval of the changes whose page is parsed: parsing takes ten times longer than rendering."""


def richest(resource: str) -> dict[str, Any]:
    """Return the largest object of a case."""
    return max(objects(resource), key=lambda obj: len(json.dumps({**obj, "metadata": {}})))


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field and element."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from paths(item, (*path, key))


def changed(obj: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy with another value at a path."""
    result = copy.deepcopy(obj)
    parent: Any = result
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return result


def rendered(resource: str, *objs: dict[str, Any], openmetrics: bool = False) -> str:
    """Return the page of objects; families may fail."""
    page = ObjectRenderer([RESOURCES[resource]], EVERYTHING)
    for obj in objs:
        page.add({**obj, "apiVersion": RESOURCES[resource].api_version, "kind": RESOURCES[resource].kind})
    return "".join(page.lines(openmetrics))


def check(resource: str, obj: dict[str, Any]) -> None:
    """Check that the page can be parsed and that no series is repeated."""
    found = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in parse_text(rendered(resource, obj))
        for sample in family.samples
    ]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("resource", COMPLETE)
def test_any_field_of_any_wrong_type(resource: str) -> None:
    """Replace each field in turn by null and by values of other types: no exception, and a valid page."""
    obj = richest(resource)
    obj["metadata"].pop("managedFields", None)
    number = 0
    for path in paths(obj):
        if path[0] in ("kind", "apiVersion"):
            continue
        for value in WRONG:
            number += 1
            broken = changed(obj, path, value)
            text = rendered(resource, broken)
            assert "None" not in text and "{'" not in text, path
            if number % STEP == 0:
                check(resource, broken)
    assert number >= 60


@pytest.mark.parametrize("resource", COMPLETE)
def test_nearly_empty_objects(resource: str) -> None:
    """Objects without metadata, spec or status, or with empty ones, have a valid page."""
    for obj in ({"metadata": {}}, {"metadata": {"name": "x"}, "spec": {}, "status": {}}, {"metadata": None}, {}):
        check(resource, obj)


@pytest.mark.parametrize("resource", COMPLETE)
def test_special_and_huge_texts(resource: str) -> None:
    """Names with quotes, backslashes, newlines, non-ASCII and 200 kB are on the page unchanged."""
    obj = objects(resource)[0]
    special = 'a"b\\c\nd é 漢 ' + "x" * 200_000
    obj["metadata"]["name"] = special
    obj["metadata"]["labels"] = {"special": special}
    samples = [sample for family in parse_text(rendered(resource, obj)) for sample in family.samples]
    assert any(special in sample.labels.values() for sample in samples)


@pytest.mark.parametrize("resource", COMPLETE)
def test_openmetrics_of_the_cases(resource: str) -> None:
    """A strict OpenMetrics parser accepts the page of the objects."""
    assert list(parse_openmetrics(rendered(resource, *objects(resource), openmetrics=True)))
