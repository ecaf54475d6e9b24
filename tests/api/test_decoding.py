"""Decoders that build only what is read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from telegen.api.decoding import event_decoder, list_decoder

PATHS = ("metadata.uid", "spec.nodeName", "spec.containers[].name", "spec.containers[].image", "status")
POD = {
    "kind": "Pod",
    "metadata": {"uid": "u", "managedFields": [{"manager": "kubelet"}]},
    "spec": {"nodeName": "n", "dnsPolicy": "x", "containers": [{"name": "a", "env": []}, {"image": "i"}]},
    "status": {"phase": "Running", "conditions": []},
}
KEPT = {
    "metadata": {"uid": "u"},
    "spec": {"nodeName": "n", "containers": [{"name": "a"}, {"image": "i"}]},
    "status": {"phase": "Running", "conditions": []},
}


def test_only_what_is_read_is_built() -> None:
    """Paths are kept whole, within lists too; everything else is not there."""
    assert event_decoder(PATHS)(orjson.dumps({"object": POD, "type": "MODIFIED"})) == ("MODIFIED", KEPT)
    page = {"kind": "PodList", "metadata": {"continue": "c"}, "items": [POD, POD]}
    assert list_decoder(PATHS)(orjson.dumps(page)) == {"metadata": {"continue": "c"}, "items": [KEPT, KEPT]}


def test_without_paths_everything_is_built() -> None:
    """That is what a collection asks for which says nothing of what it reads."""
    assert event_decoder(())(orjson.dumps({"type": "ADDED", "object": POD})) == ("ADDED", POD)
    assert list_decoder(())(orjson.dumps({"items": [POD]})) == {"items": [POD]}


@pytest.mark.parametrize(
    "obj",
    [
        {"metadata": {"uid": "u"}, "spec": None},
        {"metadata": {"uid": "u"}, "spec": {"containers": None, "nodeName": None}},
        {"metadata": {}},
        {},
    ],
)
def test_what_is_absent_or_null_stays_so(obj: dict[str, Any]) -> None:
    """Optional fields are nothing to stumble over."""
    assert event_decoder(PATHS)(orjson.dumps({"type": "ADDED", "object": obj})) == ("ADDED", obj)


@pytest.mark.parametrize(
    "obj", [{"spec": "text", "other": 1}, {"spec": {"containers": [1, None]}}, {"spec": {"containers": {}}}, None, [1]]
)
def test_what_the_api_would_never_send(obj: Any) -> None:
    """An object that is not as its type has it comes whole: what reads it says what is wrong."""
    assert event_decoder(PATHS)(orjson.dumps({"type": "ADDED", "object": obj})) == ("ADDED", obj)
    assert list_decoder(PATHS)(orjson.dumps({"items": [obj]})) == {"items": [obj]}


@pytest.mark.parametrize("kind", ["BOOKMARK", "ERROR", "SOMETHING"])
def test_events_without_an_object_of_the_collection_come_whole(kind: str) -> None:
    """A bookmark's annotations, the code of a status."""
    obj = {"kind": "Status", "code": 410, "metadata": {"annotations": {"a": "b"}}}
    assert event_decoder(PATHS)(orjson.dumps({"type": kind, "object": obj})) == (kind, obj)


@pytest.mark.parametrize("line", [b"{", b"{}", b"[]", b'{"type": "ADDED"}', b"null", b"\xff"])
@pytest.mark.parametrize("paths", [PATHS, ()])
def test_what_is_no_event(line: bytes, paths: tuple[str, ...]) -> None:
    """It raises what the reflector expects, whichever decoder came first."""
    with pytest.raises((orjson.JSONDecodeError, KeyError, TypeError)):
        event_decoder(paths)(line)


def test_numbers_and_strings_are_those_of_the_other_decoder() -> None:
    """Large and negative integers, fractions, escapes, all of Unicode."""
    status = {"a": [2**63 - 1, -(2**63), 2**64 - 1, 0.1, 1e300, -0.0, True], "b": "\u2028\u0000\"\\\U0001f600\x7f"}
    obj = {"metadata": {"uid": "u"}, "status": status}
    assert event_decoder(PATHS)(orjson.dumps({"type": "ADDED", "object": obj})) == ("ADDED", obj)
