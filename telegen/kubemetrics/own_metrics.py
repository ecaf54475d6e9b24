"""Creation of the agent's own metrics from their declarations."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from telegen.kubemetrics.own_families import OWN_FAMILIES


class OwnMetrics:
    """Metrics that one process writes, in a registry of their own. Names are those of OWN_FAMILIES."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)

    def gauge(self, name: str) -> Gauge:
        """Create a gauge."""
        family = OWN_FAMILIES[name]
        return Gauge(name, family.help, family.labels, registry=self._registry, multiprocess_mode=family.mode)

    def counter(self, name: str) -> Counter:
        """Create a counter."""
        family = OWN_FAMILIES[name]
        return Counter(name, family.help, family.labels, registry=self._registry)

    def histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        """Create a histogram with these upper bounds."""
        family = OWN_FAMILIES[name]
        return Histogram(name, family.help, family.labels, registry=self._registry, buckets=buckets)


def own_family(name: str) -> GaugeMetricFamily | CounterMetricFamily:
    """Return a gauge or a counter that is read at the scrape, still without samples."""
    family = OWN_FAMILIES[name]
    kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    return kind(name, family.help, labels=family.labels)
