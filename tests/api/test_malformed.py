"""Objects that JSON decoders refuse, among objects that they accept: the others are served, in streams, lists and Tables."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegen.api import salvage
from telegen.api.collection import Collection
from tests.api.wire import Step, added, bookmark, lines, page, pod, raw, reflecting, refusal, whole

READS = ("metadata.name", "metadata.uid", "metadata.resourceVersion", "spec.nodeName")
REFUSED = refusal(422, "Invalid", "sendInitialEvents is forbidden")


def nested(levels: int, opening: str = '{"f:a":', closing: str = "}") -> str:
    """A value that is nested so many levels deep."""
    return opening * levels + "1" + closing * levels


READABLE = {
    **{f"depth-{levels}": f'"managedFields":[{nested(levels)}]' for levels in (980, 992, 1018, 1024, 3000, 9990)},
    "arrays": f'"annotations":{{"a":"b"}},"x":{nested(5000, "[", "]")}',
    "integer": f'"x":{"9" * 5000}',
    "exponent": '"x":1e999',
    "surrogate": r'"x":"\ud800 \udc00\ud800 \ud83d\ude00"',
    "nan": '"x":NaN,"y":-Infinity',
    "control": '"x":"a\tb\x01"',
    "twice": '"x":1,"x":2',
    "wide": '"x":{' + ",".join(f'"k{number}":"v"' for number in range(20000)) + "}",
    "long": '"x":"' + "y" * 2_000_000 + '"',
    "brackets": r'"x":"]}]}\"{{[[\\"',
}
"""Fields in metadata that are no reason to hide the object."""
UNREADABLE = {"trailing-comma": '"x":[1,]', "bare-word": '"x":nothing', "no-value": '"x":', "hexadecimal": '"x":0x1F'}
"""Fields that make the object no JSON."""


def odd(extra: str, name: str = "odd", version: int = 9) -> str:
    """An object with extra text in its metadata."""
    return f'{{"metadata":{{"name":"{name}","namespace":"shop","uid":"uid-{name}","resourceVersion":"{version}",{extra}}}}}'


def streamed(extra: str, is_table: bool) -> list[Step]:
    """A streamed list with the object between two others, and a change of another one behind it."""
    obj = odd(extra)
    if not is_table:
        return [raw(lines([added("a", 8)]) + line(obj) + lines([*whole("b"), added("c", 11)]))]
    first = {"type": "ADDED", "object": {**table(json.dumps(pod("a", 8))), "columnDefinitions": [{"name": "Name"}]}}
    rest = [{"type": "ADDED", "object": table(json.dumps(pod(name, 11)))} for name in "bc"]
    end = bookmark(10, end=True)
    end = {"type": "BOOKMARK", "object": {"rows": [{"cells": [], "object": end["object"]}]}}
    return [raw(lines([first]) + line(f'{{"rows":[{row(obj)}]}}') + lines([rest[0], end, rest[1]]))]


def listed(extra: str, is_table: bool) -> list[Step]:
    """A list in pages, and a change of another object behind it."""
    objects = [json.dumps(pod("a", 8)), odd(extra), json.dumps(pod("b", 8))]
    if is_table:
        head = '{"columnDefinitions":[{"name":"Name"}],"metadata":{"resourceVersion":"10"},"rows":['
        body = f'{head}{",".join(map(row, objects))}]}}'
        change = [{"type": "ADDED", "object": {**table(json.dumps(pod("c", 11))), "columnDefinitions": [{"name": "Name"}]}}]
    else:
        body = f'{{"kind":"List","metadata":{{"resourceVersion":"10"}},"items":[{",".join(objects)}]}}'
        change = [added("c", 11)]
    return [REFUSED, raw(body.encode(), stay=False), raw(lines(change))]


def line(obj: str) -> bytes:
    """A watch event with this object."""
    return f'{{"type":"ADDED","object":{obj}}}\n'.encode()


def row(obj: str) -> str:
    """A row of a Table."""
    return f'{{"cells":["name"],"object":{obj}}}'


def table(obj: str) -> dict[str, Any]:
    """A Table of one row."""
    return {"kind": "Table", "rows": [json.loads(row(obj))]}


@pytest.mark.parametrize("representation", ["object", "reads", "table"])
@pytest.mark.parametrize("by", [streamed, listed])
@pytest.mark.parametrize("name", [*READABLE, *UNREADABLE])
def test_one_odd_object(name: str, by: Any, representation: str) -> None:
    """An odd object hides no other; it is served if it is JSON for any decoder, else counted under its name."""
    is_table = representation == "table"
    collection = Collection("/api/v1/pods", "table" if is_table else "object", reads=READS if representation == "reads" else ())
    extra = READABLE.get(name) or UNREADABLE[name]
    with reflecting(*by(extra, is_table), collection=collection) as running:
        if name in READABLE:
            running.wait_held("a", "odd", "b", "c")
            assert running.noted.left_out == []
        elif not (is_table and by is streamed):
            running.wait_held("a", "b", "c")
            # `reads` skips the field, so that the decoder may not even see the fault.
            assert running.noted.left_out in (["shop/odd"], ["an object without a name"])


@pytest.mark.parametrize("reads", [(), READS])
def test_object_that_becomes_unreadable(reads: tuple[str, ...]) -> None:
    """A change that cannot be decoded removes the older version: it is not served any more, and hides nothing that follows."""
    change = line(odd('"x":[1,]', "a", 11)).replace(b"ADDED", b"MODIFIED")
    collection = Collection("/api/v1/pods", reads=reads)
    with reflecting(raw(lines(whole("a")) + change + lines([added("b", 12)])), collection=collection) as running:
        running.wait_held("b")
        assert running.noted.left_out == ["shop/a"]
        assert running.noted.reasons == []


def test_deletion_of_a_deep_object() -> None:
    """An object with deep managedFields is deleted like any other."""
    deleted = line(odd(READABLE["depth-3000"], version=12)).replace(b"ADDED", b"DELETED")
    with reflecting(raw(line(odd(READABLE["depth-3000"])) + lines(whole("a")) + deleted)) as running:
        running.wait_held("a")


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
@settings(max_examples=300, deadline=None)
def test_decode_equals_json(value: Any) -> None:
    """The tolerant decoder agrees with the ordinary one on everything that both decode, and pruning leaves shallow values alone."""
    text = json.dumps(value)
    assert salvage.prune(text.encode()) == text.encode()
    assert salvage.decode(text.encode()) == json.loads(text)


@given(st.integers(1, 80), st.integers(1, 70), st.text(string.printable))
@settings(max_examples=200, deadline=None)
def test_prune(levels: int, depth: int, text: str) -> None:
    """Values deeper than the limit become null, whatever strings stand beside them."""
    value: Any = text
    for _ in range(levels):
        value = {"key": value, "text": text}
    pruned = json.loads(salvage.prune(json.dumps(value).encode(), depth))
    for _ in range(min(levels, depth)):
        assert pruned["text"] == text
        pruned = pruned["key"]
    assert pruned == (text if levels <= depth else None)


@given(st.binary(max_size=60))
@settings(max_examples=500, deadline=None)
def test_bytes_that_are_not_json(data: bytes) -> None:
    """Whatever the bytes are, the decoders raise nothing but `Malformed`."""
    for decode in (salvage.decode, salvage.decode_list):
        try:
            decode(data)
        except salvage.Malformed:
            continue
    assert isinstance(salvage.metadata(data), dict)


def test_page_of_one_malformed_object() -> None:
    """Of a list whose objects are all malformed, nothing is left but the list."""
    body = '{"metadata":{"resourceVersion":"10"},"items":[' + odd('"x":[1,]') + "]}"
    with reflecting(REFUSED, raw(body.encode(), stay=False), raw(lines([added("c", 11)]))) as running:
        running.wait_held("c")
        assert running.noted.left_out == ["shop/odd"]
    assert page()["items"] == []


def test_string_without_an_end() -> None:
    """A megabyte of quotes without an end takes linear time: in quadratic time it would take hours."""
    with pytest.raises(salvage.Malformed):
        salvage.decode(b'{"x":"' + b'\\"' * 500_000)
