"""Buffer of encoded events, and the thread that sends them in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from telegen.otlp.outcome import Accepted, Refused
from telegen.otlp.retries import Delivery

BATCH = 512
"""Most events per request."""
SCOPE = "telegen.events"
MEAN_SIZE = 8 << 10
"""Bytes of an event on average for which the buffer has room: the API allows notes of 1 KiB, and of 1 MiB in its legacy version."""
ATTRIBUTE = 12
"""Bytes that an attribute adds to its name and value."""


@dataclass(frozen=True)
class Entry:
    """An event to send: its resource attributes, its record and its resourceVersion."""

    resource: Mapping[str, str]
    record: LogRecord
    version: int

    @cached_property
    def size(self) -> int:
        """Bytes of the record and its resource, nearly."""
        record: int = self.record.ByteSize()
        return record + sum(len(key) + len(value) + ATTRIBUTE for key, value in self.resource.items())


def encode_logs(entries: list[Entry], shared: Mapping[str, str], scope_name: str = SCOPE) -> bytes:
    """Encode a request; events of one object share a resource.

    PERF: 40 us per event with protobuf's own objects.

    Args:
        shared: attributes of every resource, which those of the object do not override.
        scope_name: of the instrumentation scope.
    """
    request = ExportLogsServiceRequest()
    scopes: dict[tuple[tuple[str, str], ...], list[LogRecord]] = {}
    for entry in entries:
        scopes.setdefault(tuple(entry.resource.items()), []).append(entry.record)
    for resource, records in scopes.items():
        logs = request.resource_logs.add()
        for key, value in {**dict(resource), **shared}.items():
            added = logs.resource.attributes.add()
            added.key, added.value.string_value = key, value
        scope = logs.scope_logs.add()
        scope.scope.name = scope_name
        scope.log_records.extend(records)
    packed: bytes = request.SerializeToString()
    return packed


class EventBuffer:
    """Bounded buffer. The newest events stay when it is full."""

    def __init__(self, size: int, max_bytes: int) -> None:
        """Prepare.

        Args:
            size: most events, of MEAN_SIZE bytes on average.
            max_bytes: of a request before compression.
        """
        self._size, self._max_bytes = size, max_bytes
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def put(self, entry: Entry) -> int:
        """Add an event; return the number of older ones that were dropped for it. The newest one stays, whatever its size."""
        dropped = 0
        with self._changed:
            self._entries.append(entry)
            self._bytes += entry.size
            while len(self._entries) > self._size or self._bytes > self._size * MEAN_SIZE and len(self._entries) > 1:
                self._bytes -= self._entries.popleft().size
                dropped += 1
            if len(self._entries) >= min(BATCH, self._size):
                self._changed.notify_all()
        return dropped

    def put_back(self, batch: list[Entry]) -> None:
        """Return a batch that was taken and not sent; it is the next one again."""
        with self._changed:
            self._entries.extendleft(reversed(batch))
            self._bytes += sum(entry.size for entry in batch)

    def wake(self) -> None:
        """Let `take` look at `is_over` again."""
        with self._changed:
            self._changed.notify_all()

    def take(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> list[Entry]:
        """Return a batch, the oldest first, once it is full, the time has passed, or `is_over` is true; it leaves the buffer."""
        with self._changed:
            self._changed.wait_for(lambda: is_over() or len(self._entries) >= min(BATCH, self._size), seconds)
            batch: list[Entry] = []
            left = self._max_bytes
            while self._entries and len(batch) < BATCH:
                # Twice, for the attributes of the agent.
                left -= 2 * self._entries[0].size
                if left < 0 and batch:
                    break
                batch.append(self._entries.popleft())
            self._bytes -= sum(entry.size for entry in batch)
            return batch

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._entries)


class EventSender:
    """Sends batches until it is stopped. Events are kept until the receiver has taken or refused them."""

    def __init__(
        self,
        buffer: EventBuffer,
        delivery: Delivery,
        shared: Mapping[str, str],
        sending: Callable[[list[Entry]], None],
        done: Callable[[list[Entry], Accepted | Refused], None],
        scope: str = SCOPE,
    ) -> None:
        """Prepare.

        Args:
            shared: attributes of every resource.
            sending: called with each batch before it is sent.
            done: called with each batch that the receiver has taken or refused.
            scope: name of the instrumentation scope.
        """
        self._scope = scope
        self._buffer, self._delivery, self._shared, self._sending, self._done = buffer, delivery, shared, sending, done

    def run(self, interval: float, stop: threading.Event, is_wanted: Callable[[], bool]) -> None:
        """Send until `stop`.

        Args:
            interval: seconds after which a partial batch is sent.
            is_wanted: return False to leave the events in the buffer.
        """
        while not stop.is_set():
            self.flush(interval, is_wanted, stop.is_set)

    def flush(self, seconds: float, is_wanted: Callable[[], bool], is_over: Callable[[], bool] = lambda: False) -> None:
        """Send one batch; one that is given up goes back to the buffer."""
        batch = self._buffer.take(seconds, is_over)
        if batch:
            self._sending(batch)
            outcome = self._delivery.deliver(encode_logs(batch, self._shared, self._scope), is_wanted)
            if outcome is None:
                self._buffer.put_back(batch)
            else:
                self._done(batch, outcome)
