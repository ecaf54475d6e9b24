"""The agent's own metrics of the push worker. Only that worker has them; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from telegen.kubemetrics.own_metrics import OwnMetrics

OUTCOMES = ("accepted", "rejected", "refused", "queue_full", "not_served", "stopped")
"""Values of `outcome` of telegen_push_points_total."""


class PushTelemetry:
    """Counters and gauges of pushed signals. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self) -> None:
        made = OwnMetrics()
        self.points = made.counter("telegen_push_points_total")
        for outcome in OUTCOMES:
            # Begins at 0, so that increase() sees the first loss.
            self.points.labels(outcome)
        self.requests = made.counter("telegen_push_requests_total")
        self.bytes = made.counter("telegen_push_bytes_total")
        self.queue = made.gauge("telegen_push_queue_pushes")
        self.oldest = made.gauge("telegen_push_oldest_timestamp_seconds")
        self.last_success = made.gauge("telegen_push_last_success_timestamp_seconds")
        self.last_success.set_to_current_time()
        self.interval = made.gauge("telegen_push_interval_seconds")
        self.encode_seconds = made.gauge("telegen_push_encode_seconds")
