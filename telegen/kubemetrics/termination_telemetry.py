"""The agent's own metrics of the logs of ended containers; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from telegen.kubemetrics.own_metrics import OwnMetrics

OUTCOMES = ("filtered", "dropped", "sent", "refused")
"""Values of `outcome` of telegen_terminations_handled_total."""


class TerminationTelemetry:
    """Counters of logs. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self) -> None:
        made = OwnMetrics()
        self.handled = made.counter("telegen_terminations_handled_total")
        for outcome in OUTCOMES:
            # Begins at 0, so that increase() sees the first loss.
            self.handled.labels(outcome)
        self.requests = made.counter("telegen_terminations_requests_total")
