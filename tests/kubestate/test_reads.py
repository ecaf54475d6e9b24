"""Resources that say what they read of an object: what is said of it is the same when the rest is not even built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from telegen.api.decoding import event_decoder, list_decoder
from telegen.cli.render import ObjectRenderer
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection
from tests.kubestate.schema_objects import Mood, draw

CASES = Path(__file__).parent / "cases"
READING = [resource for resource in RESOURCES.values() if resource.reads]
EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})
DRAWN = 300


def said(resource: Resource, obj: Any) -> tuple[list[str], dict[str, int]]:
    """The page of an object with all families on, and the families that could not be read."""
    page = ObjectRenderer([resource], EVERYTHING)
    page.add({**obj, "apiVersion": resource.api_version, "kind": resource.kind})
    return list(page.lines(False)), dict(page.errors)


@pytest.mark.parametrize("resource", READING, ids=lambda resource: resource.name)
def test_what_is_read_is_enough(resource: Resource) -> None:
    """Of every object of the cases and of many drawn from the schema, whether it comes in a list or as an event."""
    recorded = orjson.loads((CASES / resource.name / "objects.json").read_bytes())["items"]
    drawn = [
        draw(resource.name, resource.api_version, resource.kind, Mood(seed, 0.9, seed % 3 / 2, seed % 5))
        for seed in range(DRAWN)
    ]
    objects = [*recorded, *drawn]
    decode, decode_list = event_decoder(resource.needs), list_decoder(resource.needs)
    listed = decode_list(orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": objects}))
    assert listed["metadata"] == {"resourceVersion": "1"}
    for obj, of_list in zip(objects, listed["items"], strict=True):
        kind, of_event = decode(orjson.dumps({"type": "ADDED", "object": obj}))
        assert kind == "ADDED"
        assert said(resource, of_event) == said(resource, of_list) == said(resource, obj)


@pytest.mark.parametrize("resource", READING, ids=lambda resource: resource.name)
def test_nothing_is_read_for_nothing(resource: Resource) -> None:
    """Each path that is kept is one that objects have: a misspelt one, or one of an older version of the table, is found."""
    objects = [
        draw(resource.name, resource.api_version, resource.kind, Mood(seed, 1.0, 0.0, 2)) for seed in range(DRAWN)
    ]
    for path in resource.needs:
        assert any(_found(obj, path.split(".")) for obj in objects), path


def _found(value: Any, names: list[str]) -> bool:
    """Whether there is something at a path."""
    if not names or value is None:
        return value is not None
    first, *rest = names
    inner = value.get(first.removesuffix("[]")) if isinstance(value, dict) else None
    if first.endswith("[]"):
        return any(_found(item, rest) for item in inner or ())
    return _found(inner, rest)
