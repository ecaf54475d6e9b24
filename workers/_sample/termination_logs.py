"""Thread of the sampler that sends ends of containers as OTLP logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from telegen.cadvisor.terminations.last_readings import LastReading
from telegen.cadvisor.terminations.tracker import Termination
from telegen.kubemetrics.signal_metadata import TERMINATION_SIGNAL, signal_attributes
from telegen.kubemetrics.termination_telemetry import TerminationTelemetry
from telegen.otlp.client import receiver_client
from telegen.otlp.event_buffer import Entry, EventBuffer, EventSender
from telegen.otlp.event_records import SEVERITIES
from telegen.otlp.outcome import Accepted, Outcome, Refused, refused_of
from telegen.otlp.retries import Delivery
from telegen.otlp.settings import receiver
from telegen.otlp.termination_records import NO_READING, SCOPE, record_of, resource_of, severity
from workers._base import Worker
from workers._failure_log import FailureLog
from workers._resource import sender_attributes
from workers._sample.name_sources import node_name
from workers._threads import Threads

LOOK = 0.1
"""Seconds between two looks at the sender at the end."""


class TerminationLogs:
    """Buffer and sender of one sampler."""

    def __init__(self, worker: Worker) -> None:
        """Start the thread."""
        kube = worker.config.kube_metrics
        self._worker, self._settings, self._stream = worker, kube.terminations, kube.logs_streaming
        self._metadata = signal_attributes(TERMINATION_SIGNAL, kube.signal_metadata)
        self._telemetry = TerminationTelemetry()
        self._buffer = EventBuffer(self._stream.buffer_size, kube.otlp.max_request_size)
        self._receiver = receiver(worker.config, worker.shared.environ, "logs")
        self._failures = FailureLog(worker.log, f"ends of containers to {self._receiver.address}")
        self._ended, self._given_up, self._finished = threading.Event(), threading.Event(), threading.Event()
        self._sender = self._make_sender()
        self._threads = Threads(worker)
        self._threads.start("send", self._run)

    def check(self) -> None:
        """Check that the thread runs.

        Raises:
            RuntimeError: it has ended.
        """
        self._threads.check()

    def send(self, end: Termination, last: LastReading | None, labels: Mapping[str, str]) -> None:
        """Put an end into the buffer if it is wanted."""
        handled = self._telemetry.handled
        if not self._is_wanted(end):
            handled.labels("filtered").inc()
            return
        record = record_of(end, last or NO_READING, time.time_ns(), self._metadata)
        if dropped := self._buffer.put(Entry(resource_of(end, labels), record, 0)):
            handled.labels("dropped").inc(dropped)

    def close(self) -> None:
        """Send what is left, for flush_timeout at most."""
        until = time.monotonic() + float(self._worker.config.kube_metrics.streaming.flush_timeout)
        self._ended.set()
        self._buffer.wake()
        while not self._finished.wait(LOOK) and time.monotonic() < until:
            self._worker.beat()
        self._given_up.set()
        self._finished.wait(LOOK)

    def _run(self) -> None:
        """Send until the end, then what is left."""
        self._sender.run(self._stream.flush_interval, self._ended, lambda: not self._given_up.is_set())
        while len(self._buffer) and not self._given_up.is_set():
            self._sender.flush(0.0, lambda: not self._given_up.is_set())
        while batch := self._buffer.take(0.0):
            self._telemetry.handled.labels("dropped").inc(len(batch))
        self._finished.set()

    def _is_wanted(self, end: Termination) -> bool:
        namespaces, excluded = self._stream.namespaces, self._stream.namespaces_exclude
        return (
            SEVERITIES[severity(end)] >= SEVERITIES[self._settings.minimum_severity]
            and (not namespaces or end.namespace in namespaces)
            and end.namespace not in excluded
        )

    def _make_sender(self) -> EventSender:
        # There are no ends without the name of the node.
        node = node_name(self._worker)
        client = receiver_client(self._receiver)
        shared = sender_attributes(self._worker, node, node)
        delivery = Delivery(client, self._given_up, self._tried)
        return EventSender(self._buffer, delivery, shared, lambda batch: None, self._done, SCOPE)

    def _tried(self, outcome: Outcome, size: int) -> None:
        self._telemetry.requests.labels(outcome.reason).inc()
        self._failures.note(outcome)

    def _done(self, batch: list[Entry], outcome: Accepted | Refused) -> None:
        rejected = refused_of(len(batch), outcome)
        self._telemetry.handled.labels("sent").inc(len(batch) - rejected)
        self._telemetry.handled.labels("refused").inc(rejected)
