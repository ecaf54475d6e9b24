"""Resources with `reads`: the samples are the same when nothing else of an object is decoded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from telegen.api.decoding import event_decoder, list_decoder
from telegen.cli.render import ObjectRenderer
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection
from tests.kubestate.fixtures import COMPLETE, objects
from tests.kubestate.schema_objects import Variation, random_object

READING = [RESOURCES[name] for name in COMPLETE if RESOURCES[name].reads]
EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})
RANDOM_OBJECTS = 300


def page_of(resource: Resource, obj: Any) -> tuple[list[str], dict[str, int]]:
    """Return the page of an object with all families, and the families that failed."""
    page = ObjectRenderer([resource], EVERYTHING)
    page.add({**obj, "apiVersion": resource.api_version, "kind": resource.kind})
    return list(page.lines(False)), dict(page.errors)


@pytest.mark.parametrize("resource", READING, ids=lambda resource: resource.name)
def test_reads_are_sufficient(resource: Resource) -> None:
    """Objects of the cases and random ones have the same page complete, decoded from a list, and decoded from an event."""
    generated = [
        random_object(resource.name, resource.api_version, resource.kind, Variation(seed, 0.9, seed % 3 / 2, seed % 5))
        for seed in range(RANDOM_OBJECTS)
    ]
    items = [*objects(resource.name), *generated]
    decode, decode_list = event_decoder(resource.needs), list_decoder(resource.needs)
    listed = decode_list(orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": items}))
    assert listed["metadata"] == {"resourceVersion": "1"}
    for obj, of_list in zip(items, listed["items"], strict=True):
        kind, of_event = decode(orjson.dumps({"type": "ADDED", "object": obj}))
        assert kind == "ADDED"
        assert page_of(resource, of_event) == page_of(resource, of_list) == page_of(resource, obj)


@pytest.mark.parametrize("resource", READING, ids=lambda resource: resource.name)
def test_reads_are_necessary(resource: Resource) -> None:
    """Each path exists in some object: a misspelt or outdated one is an error."""
    generated = [
        random_object(resource.name, resource.api_version, resource.kind, Variation(seed, 1.0, 0.0, 2))
        for seed in range(RANDOM_OBJECTS)
    ]
    for path in resource.needs:
        found = any(_found(obj, path.split(".")) for obj in generated)
        assert found, f"{resource.name}: no object has {path}; correct `reads` in telegen/kubestate/resources/{resource.name}.py"


def _found(value: Any, names: list[str]) -> bool:
    """Return True if there is a value at a path."""
    if not names or value is None:
        return value is not None
    first, *rest = names
    inner = value.get(first.removesuffix("[]")) if isinstance(value, dict) else None
    if first.endswith("[]"):
        return any(_found(item, rest) for item in inner or ())
    return _found(inner, rest)
