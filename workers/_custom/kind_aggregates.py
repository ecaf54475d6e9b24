"""Stores of the aggregates of kinds, beside the stores of their objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from telegen.kubestate.custom.expressions.aggregates import Aggregates
from telegen.kubestate.custom.expressions.surroundings import ReadLabels
from telegen.kubestate.custom.expressions.tables import AggregateTable, shard_label
from telegen.kubestate.custom.kinds import Selected
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.render import renderer
from workers._custom.aggregates import AggregateStore
from workers._stores import GenerateErrors, StoresWorker


@dataclass
class Aggregated:
    """The store of the aggregates of one kind."""

    kind: Kind
    selected: Selected
    store: AggregateStore


class KindAggregates:
    """The stores of all aggregates that are selected now."""

    def __init__(self, worker: StoresWorker, selection: Selection, order: int, namespace_labels: ReadLabels) -> None:
        """Make none.

        Args:
            order: position on the page.
            namespace_labels: returns the labels of a namespace.
        """
        self._worker, self._selection, self._order, self._namespace_labels = worker, selection, order, namespace_labels
        self._kept: dict[str, Aggregated] = {}

    @property
    def stores(self) -> dict[str, AggregateStore]:
        """The stores by name."""
        return {name: one.store for name, one in self._kept.items()}

    def prepare(self, wanted: Mapping[str, tuple[Kind, Selected]]) -> dict[str, Aggregated]:
        """Return the stores that are wanted: those there are, as far as they are unchanged, and new ones. `install` puts them in force.

        Args:
            wanted: tables of the kinds by the names that the stores of their aggregates would have.
        """
        kept: dict[str, Aggregated] = {}
        for name, (kind, selected) in wanted.items():
            before = self._kept.get(name)
            if before and (before.kind, before.selected) == (kind, selected):
                kept[name] = before
                continue
            table = selected.aggregates(kind, self._worker.constant, self._namespace_labels)
            if table:
                kept[name] = Aggregated(kind, selected, self._make(name, table, before.store if before else None))
        return kept

    def install(self, kept: dict[str, Aggregated]) -> None:
        """Put stores in force when all that feeds them is known: from now on they are published. Withdraw those that are gone."""
        gone = [one.store for name, one in self._kept.items() if name not in kept]
        self._kept = kept
        for store in gone:
            store.withdraw()

    def _make(self, name: str, table: AggregateTable, predecessor: AggregateStore | None) -> AggregateStore:
        worker = self._worker
        families = selected_families(table.resource, self._selection)
        shown = {family.name for family in families}
        errors = GenerateErrors(worker.telemetry, worker.log, name)
        constant = {**worker.constant, **shard_label(*worker.assignment.agent_shard)}
        return AggregateStore(
            Aggregates([one for one in table.aggregates if one.name in shown], errors),
            name,
            families,
            renderer((), families, errors, constant),
            worker.arena,
            self._order,
            worker.config.kube_metrics.kube_state.page_objects,
            worker.changed.set,
            predecessor=predecessor,
            budgets=worker.budgets,
        )

    def publish(self, pending: Collection[str]) -> None:
        """Publish the stores that are not published yet, but for those of which a collection is pending."""
        for name, one in self._kept.items():
            if not one.store.synced and name not in pending:
                one.store.publish()
