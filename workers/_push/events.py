"""Metrics and log lines of the sender of pushes."""

from __future__ import annotations

import logging
import time

from telegen.kubemetrics.push_telemetry import PushTelemetry
from telegen.otlp.outcome import Accepted, Outcome, Refused, refused_of
from telegen.process.os_process import trim_memory
from workers._failure_log import LOG_INTERVAL, FailureLog

METRICS = "metrics"


class PushEvents:
    """See `telegen.otlp.sender.SenderEvents`."""

    def __init__(self, telemetry: PushTelemetry, log: logging.Logger, address: str) -> None:
        """Prepare.

        Args:
            address: of the receiver, for the log.
        """
        self._telemetry, self._log = telemetry, log
        self._failures = FailureLog(log, f"{METRICS} to {address}")
        self._next = 0.0

    def tried(self, outcome: Outcome, size: int) -> None:
        """Count a request."""
        self._telemetry.requests.labels(METRICS, outcome.reason).inc()
        self._telemetry.bytes.labels(METRICS).inc(size)
        self._failures.note(outcome)

    def sent(self, points: int, outcome: Accepted | Refused) -> None:
        """Count the points of a request."""
        rejected = refused_of(points, outcome)
        self._telemetry.points.labels("accepted").inc(points - rejected)
        self._telemetry.points.labels("rejected" if isinstance(outcome, Accepted) else "refused").inc(rejected)

    def given_up(self, points: int, reason: str) -> None:
        """Count points that are not sent; log those that are lost by a full queue."""
        self._telemetry.points.labels(reason).inc(points)
        if reason == "queue_full" and time.monotonic() >= self._next:
            self._next = time.monotonic() + LOG_INTERVAL
            self._log.warning("%s: %d data points dropped: the queue is full (streaming.queue_size)", METRICS, points)

    def queued(self, pushes: int, oldest: float) -> None:
        """Note the queue."""
        self._telemetry.queue.set(pushes)
        self._telemetry.oldest.set(oldest)

    def completed(self, at: float, is_accepted: bool) -> None:
        """Note a push that the receiver has taken, and return the memory of its requests."""
        if is_accepted:
            self._telemetry.last_success.set(at)
        trim_memory()
