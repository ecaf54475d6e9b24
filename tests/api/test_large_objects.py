"""Memory while large objects arrive."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

from telegen.api.collection import Collection
from telegen.api.decoding import event_decoder
from tests.api.wire import added, bookmark, lines, raw, reflecting

READS = ("metadata.name", "metadata.resourceVersion", "metadata.uid", "spec.size")
COUNT = 60


def large(number: int) -> dict[str, Any]:
    """Return an event with an object of 100 kB of JSON, of which one field is read."""
    event = added(f"n{number}", 10)
    rest = [{"name": f"field-{one}", "value": [one, "x" * 20]} for one in range(1500)]
    return {**event, "object": {**event["object"], "spec": {"size": 1, "rest": rest}}}


def test_streamed_list_of_large_objects() -> None:
    """Of 60 large objects of which little is read, a streamed list never has one as dicts, and few as JSON: those of one read."""
    events = [large(number) for number in range(COUNT)]
    data, size = lines([*events, bookmark(10, end=True)]), len(json.dumps(events[0]))
    # Made before the measurement, as at the start of the agent.
    event_decoder(READS)
    tracemalloc.start()
    try:
        with reflecting(raw(data, piece=1 << 16), collection=Collection("/api/v1/pods", reads=READS)) as running:
            running.wait_held(*(f"n{number}" for number in range(COUNT)))
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * size
