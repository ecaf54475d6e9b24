"""kubectl's copy of an object in its annotations never leaves the reader of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telegen.api.collection import Collection
from telegen.api.decoding import LAST_APPLIED
from telegen.api.events import EventReader
from tests.api.wire import Noted

READS = ("metadata.name", "metadata.uid", "metadata.annotations", "type")


def marked(**more: Any) -> dict[str, Any]:
    """An object with the copy and another annotation."""
    annotations = {LAST_APPLIED: '{"data":{"password":"marked"}}', "owner": "ann"}
    return {"metadata": {"name": "a", "uid": "u", "annotations": annotations}, **more}


def table(obj: dict[str, Any]) -> dict[str, Any]:
    """An object as a row of a Table."""
    return {"kind": "Table", "columnDefinitions": [{"name": "Type"}], "rows": [{"cells": ["Opaque"], "object": obj}]}


# Refused by the fast decoders; the slow one reads it.
DEEP = json.dumps(marked(x=0)).replace('"x": 0', '"x": ' + '{"a":' * 3000 + "1" + "}" * 3000)


@pytest.mark.parametrize(
    ("representation", "reads"), [("object", READS), ("object", ()), ("metadata", READS), ("metadata", ()), ("table", ())]
)
@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_watch(kind: str, representation: Any, reads: tuple[str, ...]) -> None:
    """Events of each type and representation lose the copy and keep the other annotations, also if all fields are decoded."""
    obj = table(marked()) if representation == "table" else marked()
    lines = [json.dumps({"type": kind, "object": obj}).encode()]
    if representation != "table":
        lines.append(b'{"type":"%s","object":%s}' % (kind.encode(), DEEP.encode()))
    reader = EventReader(Collection("/x", representation, reads=reads), Noted())
    found = [event[1]["metadata"]["annotations"] for event in reader.events(lines)]
    assert found == [{"owner": "ann"}] * len(lines)


@pytest.mark.parametrize(
    ("representation", "reads"), [("object", READS), ("object", ()), ("metadata", READS), ("metadata", ()), ("table", ())]
)
def test_list(representation: Any, reads: tuple[str, ...]) -> None:
    """So do the objects of lists and Tables."""
    reader = EventReader(Collection("/x", representation, reads=reads), Noted())
    items = table(marked()) if representation == "table" else {"items": [marked()]}
    pages = [json.dumps(items).encode()]
    if representation != "table":
        pages.append(b'{"items":[%s]}' % DEEP.encode())
    for data in pages:
        objects, _ = reader.objects(reader.page(data), 10)
        assert [obj["metadata"]["annotations"] for obj in objects] == [{"owner": "ann"}]


def test_objects_without_annotations() -> None:
    """Null or malformed annotations are left as they are."""
    reader = EventReader(Collection("/x"), Noted())
    for value in (None, [], "x"):
        obj = {"metadata": {"name": "a", "uid": "u", "annotations": value}}
        (event,) = reader.events([json.dumps({"type": "ADDED", "object": obj}).encode()])
        assert event[1]["metadata"]["annotations"] == value
