"""The agent's own metrics of the logs of ended containers; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

OUTCOMES = ("filtered", "dropped", "sent", "refused")
"""Values of `outcome` of telegen_terminations_handled_total."""


class TerminationTelemetry:
    """Counters of logs. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self) -> None:
        registry = CollectorRegistry(auto_describe=False)
        self.handled = Counter(
            "telegen_terminations_handled_total", "Ends of containers by what became of their logs.", ("outcome",), registry=registry
        )
        for outcome in OUTCOMES:
            # Begins at 0, so that increase() sees the first loss.
            self.handled.labels(outcome)
        self.requests = Counter(
            "telegen_terminations_requests_total",
            "Requests with ends of containers to the OTLP receiver by outcome.",
            ("outcome",),
            registry=registry,
        )
