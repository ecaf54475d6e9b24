"""Metrics and log lines of the sender of pushes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from telegen.kubemetrics.push_telemetry import PushTelemetry
from telegen.otlp.outcome import Accepted, Outcome, Refused, Retry
from telegen.process.os_process import trim_memory

LOG_INTERVAL = 60.0
"""Seconds between two log lines about failures."""
METRICS = "metrics"


class FailureLog:
    """One line about the failures of a receiver per minute, and one when it has recovered."""

    def __init__(self, log: logging.Logger, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            what: that is sent, and its receiver, for the log.
        """
        self._log, self._what, self._clock = log, what, clock
        self._next, self._failing = 0.0, False

    def note(self, outcome: Outcome) -> None:
        """Log an outcome."""
        if isinstance(outcome, Accepted) and not outcome.message and not outcome.rejected:
            if self._failing:
                self._log.info("%s: the receiver accepts again", self._what)
            # The time of the next line stays: a receiver that fails now and then has no line for each time.
            self._failing = False
            return
        if self._clock() < self._next:
            return
        self._next = self._clock() + LOG_INTERVAL
        if isinstance(outcome, Accepted):
            text = f"{outcome.rejected} rejected" if outcome.rejected else "a warning"
            self._log.warning("%s: %s by the receiver: %s", self._what, text, outcome.message or "no message")
            return
        self._failing = True
        then = "retrying" if isinstance(outcome, Retry) else "dropped; check kube_metrics.otlp and the receiver"
        self._log.warning("%s: not accepted: %s; %s", self._what, outcome.message, then)


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
        name = "accepted" if isinstance(outcome, Accepted) else outcome.reason
        self._telemetry.requests.labels(METRICS, name).inc()
        self._telemetry.bytes.labels(METRICS).inc(size)
        self._failures.note(outcome)

    def sent(self, points: int, outcome: Accepted | Refused) -> None:
        """Count the points of a request."""
        rejected = min(points, outcome.rejected) if isinstance(outcome, Accepted) else points
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

    def completed(self, at: float) -> None:
        """Note a push that was sent whole, and return the memory of its requests."""
        self._telemetry.last_success.set(at)
        trim_memory()
