"""Objects as no API server should send them: whatever a field holds, the exposition stays valid."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telegen.cli.render import ObjectRenderer
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection

CASES = Path(__file__).parent / "cases"
EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})
WRONG: tuple[Any, ...] = (None, 5, -1.5, True, "text", 'q"\\\n', [], [None], [5], {}, {"a": None}, {"a": {"b": [1]}})
STEP = 12
"""Every so many-th change is parsed: each renders, but parsing takes ten times longer."""


def objects(resource: str) -> list[dict[str, Any]]:
    """The objects of a case."""
    return json.loads((CASES / resource / "objects.json").read_text())["items"]  # type: ignore[no-any-return]


def richest(resource: str) -> dict[str, Any]:
    """The object of a case that says most."""
    return max(objects(resource), key=lambda obj: len(json.dumps({**obj, "metadata": {}})))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field and element inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(obj: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at a path."""
    result = copy.deepcopy(obj)
    place: Any = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result


def rendered(resource: str, *objs: dict[str, Any], openmetrics: bool = False) -> str:
    """The page of these objects, whatever families fail."""
    page = ObjectRenderer([RESOURCES[resource]], EVERYTHING)
    for obj in objs:
        page.add({**obj, "apiVersion": RESOURCES[resource].api_version, "kind": RESOURCES[resource].kind})
    return "".join(page.lines(openmetrics))


def check(resource: str, obj: dict[str, Any]) -> None:
    """The page parses, and no series stands twice."""
    found = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in parse_text(rendered(resource, obj))
        for sample in family.samples
    ]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_any_field_of_any_wrong_type(resource: str) -> None:
    """Each field in turn absent, null, or of each other type: no exception, and valid exposition."""
    obj = richest(resource)
    obj["metadata"].pop("managedFields", None)
    number = 0
    for path in places(obj):
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


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_nearly_empty_objects(resource: str) -> None:
    """Only metadata, or empty spec and status: what is there is said."""
    for obj in ({"metadata": {}}, {"metadata": {"name": "x"}, "spec": {}, "status": {}}, {"metadata": None}, {}):
        check(resource, obj)


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_odd_and_huge_texts(resource: str) -> None:
    """Quotes, backslashes, newlines, non-ASCII and 200 kB in names and labels come through as they are."""
    obj = objects(resource)[0]
    odd = 'a"b\\c\nd é 漢 ' + "x" * 200_000
    obj["metadata"]["name"] = odd
    obj["metadata"]["labels"] = {"odd": odd}
    samples = [sample for family in parse_text(rendered(resource, obj)) for sample in family.samples]
    assert any(odd in sample.labels.values() for sample in samples)


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_openmetrics_of_the_cases(resource: str) -> None:
    """The same objects as OpenMetrics: a strict parser takes the page."""
    assert list(parse_openmetrics(rendered(resource, *objects(resource), openmetrics=True)))
