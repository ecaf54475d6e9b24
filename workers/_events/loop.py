"""The work of the events worker: one thread watches events, one sends them."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

from telegen.api.collection import Collection
from telegen.api.reflector import Reflector
from telegen.kubemetrics.event_telemetry import EventTelemetry
from telegen.kubemetrics.signal_metadata import EVENT_SIGNAL, signal_attributes
from telegen.kubestate.registry import watched_names
from telegen.otlp.client import receiver_client
from telegen.otlp.event_buffer import Entry, EventBuffer, EventSender
from telegen.otlp.event_filter import RateLimit, event_filter
from telegen.otlp.event_records import record_of, resource_of
from telegen.otlp.event_stream import EventStream
from telegen.otlp.outcome import Accepted, Outcome, Refused, refused_of
from telegen.otlp.retries import Delivery
from telegen.otlp.settings import receiver
from telegen.process.json_access import mapping, text
from workers._base import BEAT, Worker
from workers._client_factory import make_client, reflector_settings
from workers._events.object_labels import TIMEOUT, ObjectLabels
from workers._failure_log import FailureLog
from workers._reflector_metrics import ReflectorMetrics
from workers._resource import sender_attributes
from workers._threads import Threads

STORE = "events"
"""Value of the label `store` in the agent's own metrics."""
COLLECTION = Collection("/apis/events.k8s.io/v1/events")
PATIENCE = 5.0
"""Seconds for which the watch waits for room in the buffer while the receiver takes events, as after a hand-over with many of them."""
LOOK = 0.1
"""Seconds between two looks at the deadline of the shard."""


class EventLoop:
    """Stream, buffer and sender of one events worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self._shared = worker, worker.shared
        kube = worker.config.kube_metrics
        self._settings = kube.logs_streaming
        self._telemetry = EventTelemetry(self._settings.series_limit)
        self._is_chosen, self._limit = event_filter(self._settings), RateLimit(self._settings.object_rate)
        self._metadata = signal_attributes(EVENT_SIGNAL, kube.signal_metadata)
        self._receiver = receiver(worker.config, worker.shared.environ, "logs")
        self._failures = FailureLog(worker.log, f"events to {self._receiver.address}")
        self._given_up = threading.Event()
        self._labels = self._make_labels()

    def run(self) -> None:
        """Follow events whenever this agent serves the first shard."""
        worker = self._worker
        while not worker.stop.is_set():
            if not self._is_served():
                worker.beat()
                worker.stop.wait(LOOK)
                continue
            self._follow()

    def _follow(self) -> None:
        """Watch and send until the shard is lost or the worker stops."""
        worker, ended, sender_ended = self._worker, threading.Event(), threading.Event()
        # Not shared with a later term: threads of this one may outlast it, and what they leave is the next holder's.
        buffer = EventBuffer(self._settings.buffer_size, worker.config.kube_metrics.otlp.max_request_size)
        sender = self._make_sender(buffer, ended)
        stream = EventStream(position_of(self._shared.events_position.read()), partial(self._take, buffer), self._begin)
        observer = ReflectorMetrics(worker.telemetry, worker.log, STORE)
        reflector = Reflector(make_client(self._shared), COLLECTION, stream, observer, ended, reflector_settings(worker.config))

        def send() -> None:
            sender.run(self._settings.flush_interval, ended, self._is_wanted)
            sender_ended.set()

        threads = Threads(worker)
        threads.start("watch", reflector.run)
        threads.start("send", send)
        due = 0.0
        while self._is_served() and not worker.stop.wait(LOOK):
            if time.monotonic() >= due:
                due = time.monotonic() + BEAT
                worker.beat()
                threads.check()
                self._telemetry.buffer.set(len(buffer))
        ended.set()
        buffer.wake()
        self._finish(buffer, sender, sender_ended)

    def _finish(self, buffer: EventBuffer, sender: EventSender, sender_ended: threading.Event) -> None:
        """Send what is left, if this agent may still do so."""
        until = time.monotonic() + float(self._worker.config.kube_metrics.streaming.flush_timeout)

        def is_wanted() -> bool:
            return self._is_served() and time.monotonic() < until

        # A batch that its thread still sends precedes all others: the position must not pass it.
        while not sender_ended.wait(LOOK) and time.monotonic() < until:
            self._worker.beat()
        while sender_ended.is_set() and len(buffer) and is_wanted():
            self._worker.beat()
            sender.flush(0.0, is_wanted)
        if sender_ended.is_set():
            self._write_position(buffer.settled, time.time())
        # The next holder sends what this one has not.
        while batch := buffer.take(0.0):
            self._telemetry.handled.labels("not_served").inc(len(batch))
        self._given_up.set()

    def _make_sender(self, buffer: EventBuffer, ended: threading.Event) -> EventSender:
        """Make the sender of a term, which is over once `ended` is set."""

        def settled(version: int) -> None:
            # After the term the buffer is emptied for the next holder.
            if not ended.is_set():
                self._write_position(version, time.time())

        client = receiver_client(self._receiver)
        self._given_up = threading.Event()
        shared = sender_attributes(self._worker, f"{self._worker.config.kube_metrics.election.name}-shard-0")
        delivery = Delivery(client, self._given_up, self._tried)
        return EventSender(buffer, delivery, shared, self._sending, self._done, settled=settled)

    def _make_labels(self) -> ObjectLabels | None:
        """Make the reader of the labels of objects, None if no labels are wanted."""
        if not self._settings.object_labels:
            return None
        watched = watched_names(self._worker.config.kube_metrics.kube_state)
        client = make_client(self._shared, read_timeout=TIMEOUT)
        lookups = self._telemetry.label_lookups
        return ObjectLabels(client, self._settings.object_labels, watched, lambda outcome: lookups.labels(outcome).inc())

    def _take(self, buffer: EventBuffer, event: dict[str, Any], version: int) -> None:
        """Take an event of the stream. One that is left out moves the position as well: a successor would count it again."""
        self._accept(buffer, event, version)
        buffer.leave(version)

    def _accept(self, buffer: EventBuffer, event: dict[str, Any], version: int) -> None:
        """Put an event into the buffer if it is wanted."""
        regarding = mapping(event, "regarding")
        self._telemetry.count(text(event["metadata"], "namespace"), text(event, "type"), text(event, "reason"), text(regarding, "kind"))
        self._telemetry.handled.labels("seen").inc()
        if not self._is_chosen(event):
            self._telemetry.handled.labels("filtered").inc()
            return
        held_back = self._limit.check(event)
        if held_back is None:
            self._telemetry.handled.labels("held_back").inc()
            return
        resource = {**resource_of(event), **(self._labels.of(regarding) if self._labels else {})}
        entry = Entry(resource, record_of(event, time.time_ns(), self._metadata, held_back), version)
        if dropped := buffer.put(entry, PATIENCE):
            self._telemetry.handled.labels("dropped").inc(dropped)

    def _tried(self, outcome: Outcome, size: int) -> None:
        self._telemetry.requests.labels(outcome.reason).inc()
        self._failures.note(outcome)

    def _sending(self, batch: list[Entry]) -> None:
        """Note the position before a batch is sent, if a repetition is worse than a loss."""
        if self._settings.delivery == "at_most_once":
            self._note_position(batch)

    def _done(self, batch: list[Entry], outcome: Accepted | Refused) -> None:
        """Count a batch, and note the position."""
        rejected = refused_of(len(batch), outcome)
        self._telemetry.handled.labels("sent").inc(len(batch) - rejected)
        self._telemetry.handled.labels("refused").inc(rejected)
        self._note_position(batch)

    def _note_position(self, batch: list[Entry]) -> None:
        last = max(batch, key=lambda entry: entry.version)
        self._write_position(last.version, last.record.time_unix_nano / 1e9)

    def _begin(self, version: int) -> None:
        """Note the position before the first event: a successor sends what comes after it, if this agent ends before it can."""
        self._write_position(version, time.time())

    def _write_position(self, version: int, seconds: float) -> None:
        if version > position_of(self._shared.events_position.read()):
            self._shared.events_position.write(f"{version} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))}")

    def _is_served(self) -> bool:
        """Return True if this agent is the one that sends: the holder of the first shard, or the agent whose share it is."""
        if self._shared.group is not None:
            return self._shared.deadlines.is_served(0)
        state = self._worker.config.kube_metrics.kube_state
        shard = self._shared.shard.read() if state.pod else (state.shard, state.total_shards)
        return shard is not None and shard[0] == 0

    def _is_wanted(self) -> bool:
        return self._is_served() and not self._worker.stop.is_set()


def position_of(text: str) -> int:
    """Return the resourceVersion of a position, `VERSION TIME`; 0 if there is none."""
    version = text.partition(" ")[0]
    return int(version) if version.isdecimal() else 0
