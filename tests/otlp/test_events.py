"""Kubernetes events as log records: recorded cases of the collector's receiver, the stream, the filters and the buffer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from telegen.config.model import LogsStreaming
from telegen.otlp.event_buffer import Entry, EventBuffer, EventSender, encode_logs
from telegen.otlp.event_filter import RateLimit, event_filter
from telegen.otlp.event_records import record_of, resource_of
from telegen.otlp.event_stream import EventStream
from telegen.otlp.outcome import Accepted, Outcome, Retry
from telegen.otlp.retries import Delivery

CASES = json.loads((Path(__file__).parent / "events.json").read_text())
STEPS = [(case["case"], number, step) for case in CASES for number, step in enumerate(case["steps"])]
SPECIFIC = {"series", "eventtime-and-last"}
"""Cases in which the agent differs on purpose."""


def texts(record: LogRecord) -> dict[str, Any]:
    """Return the attributes of a record."""
    return {item.key: item.value.string_value or item.value.int_value for item in record.attributes}


def peer_attributes(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return attributes of the collector's record, without the empty ones."""
    found = {item["key"]: item["value"].get("stringValue") or int(item["value"].get("intValue") or 0) for item in attributes}
    return {key: value for key, value in found.items() if value}


def event(name: str = "a", version: int = 1, count: int = 0, **fields: Any) -> dict[str, Any]:
    """Make an event."""
    metadata = {"name": name, "uid": name, "namespace": "shop", "resourceVersion": str(version)}
    regarding = {"kind": "Pod", "name": "web-1", "namespace": "shop", "uid": "u"}
    base = {"metadata": metadata, "regarding": regarding, "reason": "BackOff", "type": "Warning", "deprecatedCount": count}
    return {**base, "eventTime": "2026-11-28T10:06:32.400038Z", **fields}


class Scripted:
    """A client of a receiver with these outcomes."""

    def __init__(self, outcomes: Iterator[Outcome]) -> None:
        self.outcomes, self.bodies = outcomes, list[bytes]()

    def pack(self, body: bytes) -> bytes:
        return body

    def send(self, packed: bytes) -> Outcome:
        self.bodies.append(packed)
        return next(self.outcomes)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("case", "number", "step"), STEPS, ids=[f"{case}-{number}" for case, number, _ in STEPS])
def test_records_have_what_the_collector_sends(case: str, number: int, step: Mapping[str, Any]) -> None:
    """Whatever the collector's receiver makes of an event is in our record too, but for the node of the reporter."""
    source, peer = step["event"], step["peer"]
    record = record_of(source, 5, {})
    assert record.observed_time_unix_nano == 5 and record.time_unix_nano > 0
    if peer is None:
        return
    theirs = peer["logRecord"]
    assert record.body.string_value == theirs["body"].get("stringValue", "")
    assert peer_attributes(theirs["attributes"]).items() <= texts(record).items()
    resource = {key: value for key, value in peer_attributes(peer["resource"]["attributes"]).items() if key != "k8s.node.name"}
    assert resource.items() <= resource_of(source).items()
    if case not in SPECIFIC:
        assert record.time_unix_nano == int(theirs["timeUnixNano"])
        assert (record.severity_number, record.severity_text) == (theirs.get("severityNumber", 9), theirs.get("severityText", ""))


def test_time_rule() -> None:
    """The time is that of the last occurrence, then the kubelet's, then the creation's."""
    times = {
        "series": {"lastObservedTime": "2026-01-05T00:00:00.000001Z", "count": 7},
        "deprecatedLastTimestamp": "2026-01-04T00:00:00Z",
        "eventTime": "2026-01-03T00:00:00Z",
        "deprecatedFirstTimestamp": "2026-01-02T00:00:00Z",
    }
    source = event(**times)
    source["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    found = []
    for name in [*times, "nothing"]:
        found.append(record_of(source, 1, {}).time_unix_nano)
        source[name] = None
    day = 86400 * 10**9
    first = found[4]
    assert found == [first + 4 * day + 1000, first + 3 * day, first + 2 * day, first + day, first]


@pytest.mark.parametrize(("kind", "number"), [("Normal", 9), ("WARNING", 13), ("error", 17), ("Critical", 21), ("Odd", 9), (None, 9)])
def test_severity(kind: str | None, number: int) -> None:
    """The severity follows the type in any case; an unknown type keeps its text."""
    record = record_of(event(type=kind), 1, {"telegen.signal.category": "Kubernetes Events"})
    assert (record.severity_number, record.severity_text) == (number, kind or "")
    assert texts(record)["telegen.signal.category"] == "Kubernetes Events"


def test_malformed_events_become_records() -> None:
    """Fields of other types than the API sends are left out."""
    record = record_of({"metadata": {"resourceVersion": "1"}, "note": 5, "series": {"count": "x"}, "eventTime": 7}, 1, {})
    assert (record.time_unix_nano, record.body.string_value, texts(record)) == (0, "", {})


@pytest.mark.parametrize(
    ("fields", "seconds", "count"),
    [
        ({"eventTime": "9999-12-31T23:59:59.000000Z"}, 1, 3),
        ({"eventTime": "0001-01-01T00:00:00+14:00"}, 1, 3),
        ({"series": {"count": 2**63, "lastObservedTime": "2300-01-01T00:00:00Z"}, "eventTime": None}, 1, 0),
        ({"deprecatedCount": True}, 1795860392, 0),
        ({"series": [1], "regarding": "x", "related": 2, "deprecatedSource": "s", "type": ["Normal"], "reason": {}}, 1795860392, 3),
    ],
)
def test_events_beyond_the_types_of_otlp(fields: dict[str, Any], seconds: int, count: int) -> None:
    """A time or number that a record cannot hold, and a field of another type, are absent; the event is sent all the same."""
    source = event(count=3, note="n", **{"eventTime": "2026-11-28T10:06:32Z", **fields})
    source["metadata"]["creationTimestamp"] = "1970-01-01T00:00:01Z"
    record = LogRecord.FromString(record_of(source, 1, {}).SerializeToString())
    assert (record.time_unix_nano, texts(record).get("k8s.event.count", 0), record.body.string_value) == (seconds * 10**9, count, "n")
    assert isinstance(resource_of(source), dict) and RateLimit(1).check(source) == 0
    assert isinstance(event_filter(LogsStreaming(kinds=("Pod",), reasons=("BackOff",)))(source), bool)


class Sent(list[tuple[str, int]]):
    """Names and versions of the events that a stream has passed on."""

    def __call__(self, source: dict[str, Any], version: int) -> None:
        self.append((source["metadata"]["name"], version))


def test_stream_begins_after_its_first_state() -> None:
    """Without a position nothing of the first state is sent; then each new occurrence once, and no update of a label."""
    sent = Sent()
    stream = EventStream(0, sent)
    stream.replace([("ADDED", event("a", 5, 1)), ("ADDED", event("b", 3, 1))])
    stream.upsert(event("a", 6, 1))
    stream.upsert(event("a", 7, 2))
    stream.upsert(event("c", 8, 1))
    stream.upsert(event("c", 9, 1))
    stream.delete(event("c", 10, 1))
    assert sent == [("a", 7), ("c", 8)]


@pytest.mark.parametrize(("names", "position"), [(("a", "b"), 6), ((), 9)])
def test_position_before_the_first_event(names: tuple[str, ...], position: int) -> None:
    """The position is known before anything is sent, so that a successor sends what this process could not; only once."""
    begun: list[int] = []
    stream = EventStream(0, Sent(), begun.append)
    stream.replace([("ADDED", event(name, 5 + place)) for place, name in enumerate(names)])
    stream.bookmark("9")
    stream.upsert(event("c", 10))
    stream.bookmark("12")
    assert begun == [position]
    sent = Sent()
    successor = EventStream(position, sent, begun.append)
    successor.replace([("ADDED", event("c", 10))])
    assert sent == [("c", 10)] and begun == [position]


def test_stream_goes_on_from_a_position() -> None:
    """At a restart, a hand-over or a new state after 410 what is newer than the position is sent, in the order of the versions."""
    sent = Sent()
    stream = EventStream(5, sent)
    stream.replace([("ADDED", event("c", 9, 1)), ("ADDED", event("a", 5, 1)), ("ADDED", event("b", 7, 1)), ("DELETED", event("d", 8))])
    assert sent == [("b", 7), ("c", 9)]
    stream.upsert(event("e", 11))
    stream.replace([("ADDED", event("e", 11)), ("ADDED", event("f", 14)), ("ADDED", event("c", 12, 2))])
    assert sent[2:] == [("e", 11), ("c", 12), ("f", 14)]


def test_stream_after_a_restored_backup() -> None:
    """Versions that are lower than before stop nothing."""
    sent = Sent()
    stream = EventStream(1000, sent)
    stream.replace([("ADDED", event("a", 5))])
    stream.upsert(event("b", 6))
    assert sent == [("b", 6)]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (LogsStreaming(), True),
        (LogsStreaming(event_types=("Normal",)), False),
        (LogsStreaming(event_types=()), True),
        (LogsStreaming(minimum_severity="warning"), True),
        (LogsStreaming(minimum_severity="error"), False),
        (LogsStreaming(reasons=("BackOff",)), True),
        (LogsStreaming(reasons=("Killing",)), False),
        (LogsStreaming(kinds=("Node",)), False),
        (LogsStreaming(namespaces=("shop",)), True),
        (LogsStreaming(namespaces=("other",)), False),
        (LogsStreaming(namespaces_exclude=("shop",)), False),
    ],
)
def test_filters(settings: LogsStreaming, wanted: bool) -> None:
    """Each filter by itself."""
    assert event_filter(settings)(event()) is wanted


def test_rate_limit_counts_what_it_holds_back() -> None:
    """An object has so many events a minute; the next one that passes knows how many were held back."""
    now = [0.0]
    limit = RateLimit(2, lambda: now[0])
    assert [limit.check(event()) for _ in range(5)] == [0, 0, None, None, None]
    assert limit.check(event(regarding={"kind": "Pod", "name": "other"})) == 0
    now[0] = 60.0
    assert [limit.check(event()) for _ in range(3)] == [3, 0, None]


def test_buffer_keeps_the_newest_and_batches_by_bytes() -> None:
    """A full buffer drops the oldest; a batch ends before the limit of bytes, and one event larger than it goes alone."""
    buffer = EventBuffer(4, 2000)
    notes = ["x" * 100, "x" * 100, "y" * 5000, "z", "z"]
    assert [buffer.put(Entry({}, record_of(event(note=note), 1, {}), number)) for number, note in enumerate(notes)] == [0, 0, 0, 0, 1]
    assert [[entry.version for entry in buffer.take(0.0)] for _ in range(3)] == [[1], [2], [3, 4]]
    assert not len(buffer)


def test_buffer_is_bounded_in_bytes() -> None:
    """Huge events fill a buffer before their number does; each that is dropped for them is counted, and the newest one stays."""
    buffer = EventBuffer(10, 1 << 20)
    sizes = [1000, 1000, 60_000, 30_000, 500_000, 1000]
    assert [buffer.put(Entry({}, record_of(event(note="x" * size), 1, {}), size)) for size in sizes] == [0, 0, 0, 3, 1, 1]
    assert [entry.version for entry in buffer.take(0.0)] == [1000] and not len(buffer)


def test_full_buffer_waits_while_batches_are_taken() -> None:
    """Events that come faster than they are sent wait for room and are not dropped; once a wait was in vain, nothing waits any more."""
    buffer = EventBuffer(4, 1 << 20)
    entries = [Entry({}, record_of(event(version=number), 1, {}), number) for number in range(40)]
    dropped: list[int] = []
    producer = threading.Thread(target=lambda: dropped.extend(buffer.put(entry, 60.0) for entry in entries))
    producer.start()
    taken: list[int] = []
    while len(taken) < len(entries):
        taken += [entry.version for entry in buffer.take(0.01)]
    producer.join()
    assert taken == list(range(40)) and not any(dropped)
    assert [buffer.put(entry, 0.01) for entry in entries[:5]] == [0, 0, 0, 0, 1]
    assert [buffer.put(entry, 1e6) for entry in entries[:2]] == [1, 1]


def test_requests_of_objects_with_many_labels_are_within_the_limit() -> None:
    """Labels of the object, which its resource has, count for the size of a request: receivers refuse a larger one as a whole."""
    buffer, limit = EventBuffer(1000, 256 << 10), 256 << 10
    for number in range(500):
        labels = {f"k8s.pod.label.example.com/{'x' * 50}-{key}": "y" * 63 for key in range(20)}
        buffer.put(Entry({"k8s.pod.name": f"p{number}", **labels}, record_of(event(), 1, {}), number))
    sizes = []
    while batch := buffer.take(0.0):
        sizes.append(len(encode_logs(batch, {"service.name": "telegen"})))
    assert len(sizes) > 1 and max(sizes) <= limit


def test_batch_that_is_given_up_stays_first() -> None:
    """Events whose sending is given up, as when the worker stops, are the next ones again: the position must not move past them."""
    buffer, sent = EventBuffer(100, 1 << 20), []
    for version in range(3):
        buffer.put(Entry({}, record_of(event(version=version), 5, {}), version))
    outcomes: Iterator[Outcome] = iter([Retry("503", "busy", 0.0), Accepted()])
    client = Scripted(outcomes)
    delivery = Delivery(client, threading.Event(), lambda outcome, size: None)
    sender = EventSender(buffer, delivery, {}, lambda batch: None, lambda *done: sent.append(done))
    sender.flush(0.0, lambda: not client.bodies)
    assert (sent, len(buffer)) == ([], 3)
    buffer.put(Entry({}, record_of(event(version=3), 5, {}), 3))
    sender.flush(60.0, lambda: True, is_over=lambda: True)
    ((batch, outcome),) = sent
    assert [entry.version for entry in batch] == [0, 1, 2, 3] and isinstance(outcome, Accepted)


def test_position_passes_events_that_are_left_out() -> None:
    """Events that are left out are settled once every event before them has its outcome: not while one waits or is put back."""
    buffer, settled = EventBuffer(4, 1 << 20), list[int]()
    outcomes = iter([None, Accepted()])
    delivery = SimpleNamespace(deliver=lambda body, is_wanted: next(outcomes))
    sender = EventSender(buffer, cast(Delivery, delivery), {}, lambda batch: None, lambda *done: None, settled=settled.append)
    found = []
    for kept, left_out in ((0, 5), (6, 7), (0, 8)):
        if kept:
            buffer.put(Entry({}, record_of(event(version=kept), 1, {}), kept))
            buffer.leave(kept)
        buffer.leave(left_out)
        sender.flush(0.0, lambda: True)
        found.append(settled.copy())
    assert found == [[5], [5], [5, 8]]


def test_requests_group_by_object() -> None:
    """Events of one object share a resource, which has the agent's attributes as well."""
    entries = [Entry({"k8s.pod.name": name}, record_of(event(), 1, {}), 1) for name in ("a", "b", "a")]
    request = ExportLogsServiceRequest.FromString(encode_logs(entries, {"service.name": "telegen"}))
    found = []
    for logs in request.resource_logs:
        (scope,) = logs.scope_logs
        attributes = {item.key: item.value.string_value for item in logs.resource.attributes}
        found.append((attributes, scope.scope.name, len(scope.log_records)))
    assert found == [
        ({"k8s.pod.name": "a", "service.name": "telegen"}, "telegen.events", 2),
        ({"k8s.pod.name": "b", "service.name": "telegen"}, "telegen.events", 1),
    ]
