"""The own metrics of a process that serves the metrics APIs; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from telegen.kubemetrics.own_metrics import OwnMetrics

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds of the duration of requests."""
AGES = (1, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300)
"""Upper bounds of the age of samples, in seconds."""


class AdapterTelemetry:
    """Counters of requests and of what they cost. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self) -> None:
        made = OwnMetrics()
        self._requests = made.counter("telegen_adapter_requests_total")
        self._seconds = made.histogram("telegen_adapter_request_duration_seconds", SECONDS)
        self._values = made.counter("telegen_adapter_values_total")
        self._freshness = made.histogram("telegen_adapter_freshness_seconds", AGES)
        self._reviews = made.counter("telegen_adapter_reviews_total")
        self._left_out = made.counter("telegen_adapter_left_out_samples_total")
        self._relists = made.counter("telegen_adapter_relists_total")
        self._relisted = made.gauge("telegen_adapter_last_relist_timestamp_seconds")
        self._metrics = made.gauge("telegen_adapter_rule_metrics")
        for result in ("success", "error"):
            # Begins at 0, so that increase() sees the first one.
            self._relists.labels(result)

    def answered(self, group: str, code: int, seconds: float) -> None:
        """Count a request.

        Args:
            group: API group, or `none`.
        """
        self._requests.labels(group, str(code)).inc()
        self._seconds.labels(group).observe(seconds)

    def served(self, group: str, source: str, times: Sequence[float]) -> None:
        """Count the values of an answer, and note the age of the oldest. PERF: 4 us however many values an answer has.

        Args:
            source: `rule` or `live`.
            times: of the values in Unix seconds.
        """
        self._values.labels(group, source).inc(len(times))
        if times:
            self._freshness.labels(group, source).observe(max(0.0, time.time() - min(times)))

    def reviewed(self, kind: str, result: str) -> None:
        """Count a question to the API server."""
        self._reviews.labels(kind, result).inc()

    def left_out(self, reason: str) -> None:
        """Count a sample, or a pod, that no answer contains."""
        self._left_out.labels(reason).inc()

    def relisted(self, is_good: bool, metrics: Mapping[str, int]) -> None:
        """Note a discovery of the metrics of rules.

        Args:
            metrics: number of metrics by API group.
        """
        self._relists.labels("success" if is_good else "error").inc()
        if is_good:
            self._relisted.set_to_current_time()
        for group, number in metrics.items():
            self._metrics.labels(group).set(number)
