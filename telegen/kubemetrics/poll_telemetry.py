"""The adapter's own metrics of polling; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubemetrics.own_metrics import OwnMetrics


class PollTelemetry:
    """Counters and gauges. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self, results: Iterable[str]) -> None:
        """Prepare.

        Args:
            results: values of `result` of telegen_adapter_polls_total.
        """
        made = OwnMetrics()
        polls = made.counter("telegen_adapter_polls_total")
        # Begins at 0, so that increase() sees the first failure. PERF: labels() takes 1.5 us more than a lookup.
        self.polls = {result: polls.labels(result) for result in results}
        self.seconds = made.counter("telegen_adapter_poll_duration_seconds_total")
        agents = made.gauge("telegen_adapter_agents")
        self.known, self.ready, self.silent = (agents.labels(state) for state in ("known", "ready", "silent"))
        self.oldest = made.gauge("telegen_adapter_oldest_document_seconds")
        self.skewed = made.gauge("telegen_adapter_skewed_agents")
