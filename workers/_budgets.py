"""Budgets of the stores of a worker: opened over what its predecessor has published, and reported."""

from __future__ import annotations

from telegen.config.model import SeriesLimits
from telegen.kubemetrics.telemetry import Telemetry
from telegen.metrics.budgets import Budgets
from telegen.metrics.store import MetricsStore
from telegen.shm.series_ledger import LedgerRow
from telegen.shm.writer import ArenaWriter
from workers._base import Worker


def open_budgets(worker: Worker, arena: ArenaWriter, tables_have_limits: bool = False) -> Budgets | None:
    """Return the budgets of a worker's stores; None if nothing is limited.

    Args:
        tables_have_limits: families may have limits of their own (`SharedLimit`), those of a reload included.
    """
    limits, shared = worker.config.kube_metrics.limits, worker.shared
    if limits == SeriesLimits() and not tables_have_limits:
        return None
    return Budgets(limits, LedgerRow(shared.series, shared.rows[worker.assignment.name]), arena.inherited_series)


def warn_of_budgets(worker: Worker, budgets: Budgets | None) -> None:
    """Log the budgets that have come to be nearly used up."""
    for line in budgets.warnings() if budgets else ():
        worker.log.warning("%s", line)


def note_store(telemetry: Telemetry, store: MetricsStore) -> None:
    """Set the gauges of a store's size, and count what its budgets have withheld."""
    telemetry.note_size(store.name, len(store), store.block_count, store.stored_bytes)
    for family, series in store.take_refused().items():
        telemetry.withheld.labels(family).inc(series)
