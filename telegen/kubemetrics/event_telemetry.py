"""The agent's own metrics of the worker of Kubernetes events; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

OTHERS = "other"
"""Value of every label of the series that counts the events beyond the limit of series."""
OUTCOMES = ("seen", "filtered", "held_back", "dropped", "sent", "refused", "not_served")
"""Values of `outcome` of telegen_events_handled_total."""


class EventTelemetry:
    """Counters of events. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self, series: int) -> None:
        """Prepare.

        Args:
            series: most series of `telegen_kubernetes_events_total`.
        """
        registry = CollectorRegistry(auto_describe=False)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self.kubernetes = counter(
            "telegen_kubernetes_events_total", "Kubernetes events by what they regard.", "namespace", "type", "reason", "kind"
        )
        self.handled = counter("telegen_events_handled_total", "Kubernetes events by what became of them.", "outcome")
        for outcome in OUTCOMES:
            # Begins at 0, so that increase() sees the first loss.
            self.handled.labels(outcome)
        self.requests = counter("telegen_events_requests_total", "Requests with events to the OTLP receiver by outcome.", "outcome")
        self.label_lookups = counter(
            "telegen_events_label_lookups_total", "Objects whose labels were requested for their events, by outcome.", "outcome"
        )
        self.buffer = Gauge(
            "telegen_events_buffer", "Events that wait to be sent.", registry=registry, multiprocess_mode="livemostrecent"
        )
        self._series, self._known = series, set[tuple[str, ...]]()

    def count(self, namespace: str, kind: str, reason: str, of: str) -> None:
        """Count an event. Beyond the limit of series, new ones are counted together.

        Args:
            kind: type of the event.
            of: kind of the object that it regards.
        """
        labels = namespace, kind, reason, of
        if labels not in self._known:
            if len(self._known) >= self._series:
                labels = OTHERS, OTHERS, OTHERS, OTHERS
            else:
                self._known.add(labels)
        self.kubernetes.labels(*labels).inc()
