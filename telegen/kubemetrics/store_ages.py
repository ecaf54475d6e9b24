"""Times for which stores are out of sync, read at the scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from telegen.kubemetrics.own_metrics import own_family
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.staleness import withheld
from telegen.shm.store_status import Kind


class StoreAges(Collector):
    """The longest time of the processes that share a store."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        """Read the status of each store that this agent serves and has requested, unless the API server lacks its resource."""
        family = own_family("telegen_store_out_of_sync_seconds")
        yield from self._withheld()
        ages: dict[str, float] = {}
        for worker, statuses in self._view.statuses.items():
            for store in statuses if self._view.is_served(worker) else ():
                status = statuses[store].read()
                if status.kind not in (Kind.UNKNOWN, Kind.ABSENT):
                    ages[store] = max(ages.get(store, 0.0), status.seconds)
        for store, age in ages.items():
            family.add_metric([store], age)
        yield from [family] if family.samples else []

    def _withheld(self) -> Iterator[Metric]:
        """Yield the stores that are too old for the page; nothing without max_staleness."""
        if self._view.max_staleness:
            family = own_family("telegen_store_withheld")
            hidden = {store for worker, store in withheld(self._view) if self._view.is_served(worker)}
            served = {store for worker, found in self._view.statuses.items() if self._view.is_served(worker) for store in found}
            for store in sorted(served):
                family.add_metric([store], float(store in hidden))
            yield family
