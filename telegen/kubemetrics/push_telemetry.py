"""The agent's own metrics of the push worker. Only that worker has them; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

OUTCOMES = ("accepted", "rejected", "refused", "queue_full", "not_served", "stopped")
"""Values of `outcome` of telegen_push_points_total."""


class PushTelemetry:
    """Counters and gauges of pushed signals. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self) -> None:
        registry = CollectorRegistry(auto_describe=False)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode="livemostrecent")

        self.points = counter("telegen_push_points_total", "Data points of pushed metrics by outcome.", "outcome")
        for outcome in OUTCOMES:
            # Begins at 0, so that increase() sees the first loss.
            self.points.labels(outcome)
        self.requests = counter("telegen_push_requests_total", "Requests to the OTLP receiver by outcome.", "signal", "outcome")
        self.bytes = counter("telegen_push_bytes_total", "Bytes of bodies sent to the OTLP receiver.", "signal")
        self.queue = gauge("telegen_push_queue_pushes", "Pushes that wait or are being sent.")
        self.oldest = gauge(
            "telegen_push_oldest_timestamp_seconds", "Time of the oldest push that waits, in Unix seconds; 0 if there is none."
        )
        self.last_success = gauge(
            "telegen_push_last_success_timestamp_seconds",
            "Time of the last push that was sent whole, in Unix seconds; before the first one that of the start.",
        )
        self.last_success.set_to_current_time()
        self.interval = gauge("telegen_push_interval_seconds", "Time between two pushes in seconds.")
        self.encode_seconds = gauge("telegen_push_encode_seconds", "Duration of the encoding of the last push in seconds.")
