"""Times for which stores are out of sync, read at the scrape."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telegen.kubemetrics.readiness import View
from telegen.shm.store_status import Kind


class StoreAges(Collector):
    """The longest time of the processes that share a store."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        """Read the status of each store that this agent serves and has requested, unless the API server lacks its resource."""
        family = GaugeMetricFamily(
            "telegen_store_out_of_sync_seconds",
            "Time since the last answer or event of the source; 0 while the store is in sync.",
            labels=["store"],
        )
        ages: dict[str, float] = {}
        for worker, statuses in self._view.statuses.items():
            for store in statuses if self._view.is_served(worker) else ():
                status = statuses[store].read()
                if status.kind not in (Kind.UNKNOWN, Kind.ABSENT):
                    ages[store] = max(ages.get(store, 0.0), status.seconds)
        for store, age in ages.items():
            family.add_metric([store], age)
        return [family] if family.samples else []
