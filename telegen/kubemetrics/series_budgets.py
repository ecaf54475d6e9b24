"""Budgets of series, as published: what they withhold, and how much of each is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from telegen.config.model import SeriesLimits
from telegen.kubemetrics.own_metrics import own_family
from telegen.metrics.budgets import ENTRY, WARNED, family_budget, resource_of, store_budget
from telegen.shm.layout import Withheld
from telegen.shm.reader import ArenaReader, StoreSnapshot, TornSnapshot

NAMED = 5
"""Families that a line names."""


def withheld_lines(readers: Iterable[ArenaReader], limits: SeriesLimits) -> list[str]:
    """Return a line for each budget that withholds series, with the families that lack most."""
    found: dict[str, Counter[str]] = {}
    for family, one in _withheld(readers, limits):
        found.setdefault(one.budget, Counter())[family] += one.series
    return [_line(budget, families) for budget, families in sorted(found.items())]


def _withheld(readers: Iterable[ArenaReader], limits: SeriesLimits) -> Iterator[tuple[str, Withheld]]:
    """Yield what is withheld by family. Without limits in the configuration only entries of custom resources have some: a store may
    still show what earlier limits have withheld."""
    for _, store in _stores(readers):
        for family, one in store.entry.withheld.items():
            if limits != SeriesLimits() or one.budget.startswith(ENTRY):
                yield family, one


def _line(budget: str, families: Counter[str]) -> str:
    largest = ", ".join(f"{family} {series:,}" for family, series in families.most_common(NAMED))
    others = ", and others" if len(families) > NAMED else ""
    return f"{budget} has no room: {families.total():,} series are withheld: {largest}{others}"


class SeriesBudgets(Collector):
    """Reads the arenas at the scrape."""

    def __init__(self, readers: Sequence[ArenaReader], limits: SeriesLimits) -> None:
        self._readers, self._limits = readers, limits

    def collect(self) -> Iterable[Metric]:
        """Read what is withheld, and the used shares: of all series, and of the budgets from the warning on."""
        withheld = own_family("telegen_withheld_series")
        counts: Counter[str] = Counter()
        for family, one in _withheld(self._readers, self._limits):
            counts[family] += one.series
        for family, series in sorted(counts.items()):
            withheld.add_metric([family], series)
        if counts or self._limits != SeriesLimits():
            yield withheld
        if self._limits == SeriesLimits():
            return
        used = own_family("telegen_series_budget_used_ratio")
        for name, ratio in self._ratios():
            used.add_metric([name], ratio)
        yield used

    def _ratios(self) -> Iterator[tuple[str, float]]:
        limits = self._limits
        stores: Counter[str] = Counter()
        families: Counter[str] = Counter()
        for name, store in _stores(self._readers):
            series = store.series()
            families.update(series)
            stores[resource_of(name)] += sum(series.values())
        if limits.series:
            yield "limits.series", sum(stores.values()) / limits.series
        named = [(store_budget(limits, store), series) for store, series in stores.items()]
        named += [(family_budget(limits, family), series) for family, series in families.items()]
        yield from ((name, series / limit) for (name, limit), series in sorted(named) if limit and series >= WARNED * limit)


def _stores(readers: Iterable[ArenaReader]) -> Iterator[tuple[str, StoreSnapshot]]:
    for reader in readers:
        # The next scrape shows it again.
        with suppress(TornSnapshot):
            snapshot = reader.load()
            yield from snapshot.stores.items() if snapshot else ()
