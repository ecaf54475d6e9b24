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
        self._is_stalled = False
        self._passed = 0

    def put(self, entry: Entry, patience: float = 0.0) -> int:
        """Add an event; return the number of older ones that were dropped for it. The newest one stays, whatever its size.

        Args:
            patience: seconds to wait for room while batches are taken, so that a list of more events than the buffer has room for is not
                lost while the receiver takes them. After a wait without success nothing waits until a batch is taken.
        """
        dropped = 0
        with self._changed:
            if patience and not self._is_stalled and not self._has_room(entry):
                self._changed.notify_all()
                self._is_stalled = not self._changed.wait_for(lambda: self._has_room(entry), patience)
            while self._entries and not self._has_room(entry):
                self._bytes -= self._entries.popleft().size
                dropped += 1
            self._entries.append(entry)
            self._bytes += entry.size
            if self._is_ready():
                self._changed.notify_all()
        return dropped

    def _has_room(self, entry: Entry) -> bool:
        return len(self._entries) < self._size and self._bytes + entry.size <= self._size * MEAN_SIZE or not self._entries

    def _is_ready(self) -> bool:
        """Return True if a batch is full, or the buffer is."""
        most = min(self._max_bytes // 2, self._size * MEAN_SIZE // 2)
        return len(self._entries) >= min(BATCH, self._size) or self._bytes >= most

    def put_back(self, batch: list[Entry]) -> None:
        """Return a batch that was taken and not sent; it is the next one again."""
        with self._changed:
            self._entries.extendleft(reversed(batch))
            self._bytes += sum(entry.size for entry in batch)

    def leave(self, version: int) -> None:
        """Note that each event up to this resourceVersion was put into the buffer or left out."""
        with self._changed:
            self._passed = version

    @property
    def settled(self) -> int:
        """The resourceVersion up to which no event waits; 0 while one does. Events that were taken do not count as waiting."""
        with self._changed:
            return 0 if self._entries else self._passed

    def wake(self) -> None:
        """Let `take` look at `is_over` again."""
        with self._changed:
            self._changed.notify_all()

    def take(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> list[Entry]:
        """Return a batch, the oldest first, once it is full, the time has passed, or `is_over` is true; it leaves the buffer."""
        with self._changed:
            self._changed.wait_for(lambda: is_over() or self._is_ready(), seconds)
            batch: list[Entry] = []
            left = self._max_bytes
            while self._entries and len(batch) < BATCH:
                # Twice, for the attributes of the agent.
                left -= 2 * self._entries[0].size
                if left < 0 and batch:
                    break
                batch.append(self._entries.popleft())
            self._bytes -= sum(entry.size for entry in batch)
            self._is_stalled = False
            self._changed.notify_all()
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
        settled: Callable[[int], None] = lambda version: None,
    ) -> None:
        """Prepare.

        Args:
            shared: attributes of every resource.
            sending: called with each batch before it is sent.
            done: called with each batch that the receiver has taken or refused.
            scope: name of the instrumentation scope.
            settled: called after each batch with the resourceVersion up to which each event has its outcome or was left out.
        """
        self._scope, self._settled = scope, settled
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
        """Send one batch, if there is one; one that is given up goes back to the buffer."""
        batch = self._buffer.take(seconds, is_over)
        if batch:
            self._sending(batch)
            outcome = self._delivery.deliver(encode_logs(batch, self._shared, self._scope), is_wanted)
            if outcome is None:
                self._buffer.put_back(batch)
            else:
                self._done(batch, outcome)
        if settled := self._buffer.settled:
            self._settled(settled)
