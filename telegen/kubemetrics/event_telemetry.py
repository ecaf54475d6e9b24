"""The agent's own metrics of the worker of Kubernetes events; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from telegen.kubemetrics.own_metrics import OwnMetrics

OTHERS = "other"
"""Value of every label of the series that counts the events beyond the limit of series."""
MOST = 256
"""Characters of a label; events with a longer one count as OTHERS. Names are shorter, and only legacy events have longer reasons."""
OUTCOMES = ("seen", "filtered", "held_back", "dropped", "sent", "refused", "not_served")
"""Values of `outcome` of telegen_events_handled_total."""


class EventTelemetry:
    """Counters of events. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self, series: int) -> None:
        """Prepare.

        Args:
            series: most series of `telegen_kubernetes_events_total`.
        """
        made = OwnMetrics()
        self.kubernetes = made.counter("telegen_kubernetes_events_total")
        self.handled = made.counter("telegen_events_handled_total")
        for outcome in OUTCOMES:
            # Begins at 0, so that increase() sees the first loss.
            self.handled.labels(outcome)
        self.requests = made.counter("telegen_events_requests_total")
        self.label_lookups = made.counter("telegen_events_label_lookups_total")
        self.buffer = made.gauge("telegen_events_buffer")
        self._series, self._known = series, set[tuple[str, ...]]()

    def count(self, namespace: str, kind: str, reason: str, of: str) -> None:
        """Count an event. Beyond the limit of series, new ones are counted together.

        Args:
            kind: type of the event.
            of: kind of the object that it regards.
        """
        labels = namespace, kind, reason, of
        if labels not in self._known:
            if len(self._known) >= self._series or max(map(len, labels)) > MOST:
                labels = OTHERS, OTHERS, OTHERS, OTHERS
            else:
                self._known.add(labels)
        self.kubernetes.labels(*labels).inc()
