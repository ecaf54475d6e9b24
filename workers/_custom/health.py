"""Store of the numbers of each kind, and the stores of definitions and APIServices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.aggregates import KIND_HEALTH, aggregate
from telegen.kubestate.health.detail import DetailedStore
from telegen.kubestate.health.tally import Sums, sums
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from workers._stores import GenerateErrors, StoresWorker

Key = tuple[str, str]
"""(group, kind)."""
Stores = Mapping[Kind, list[DetailedStore]]
"""The complete stores of each kind: one, or one per watched namespace."""


def resource_store(worker: StoresWorker, name: str, resource: Resource, order: int, constant: Mapping[str, str]) -> MetricsStore:
    """Return the store of a resource, by its table.

    Args:
        order: position on the page.
        constant: labels of every sample.
    """
    state = worker.config.kube_metrics.kube_state
    families = selected_families(resource, Selection.of(state))
    render = renderer(resource.identity, families, GenerateErrors(worker.telemetry, worker.log, name), constant)
    return MetricsStore(name, families, render, worker.arena, order, state.page_objects, worker.changed.set, budgets=worker.budgets)


class KindNumbers:
    """Publishes the numbers of objects, statuses and conditions of each kind."""

    def __init__(self, worker: StoresWorker, name: str, order: int) -> None:
        number, total = worker.assignment.agent_shard
        # Each shard counts its own objects. One agent may serve several shards on one page.
        shard = {"shard": str(number)} if total > 1 else {}
        self.store = resource_store(worker, name, KIND_HEALTH, order, {**worker.constant, **shard})
        self._shown: dict[Key, object] = {}

    def update(self, stores: Stores, counts: Mapping[Kind, int], wanted: Iterable[Kind], is_complete: bool) -> None:
        """Show what has changed.

        Args:
            stores: the stores that are complete.
            counts: numbers of objects of kinds that are not watched.
            wanted: kinds to show; the numbers of one without a complete store stay.
            is_complete: no further kinds are expected.
        """
        for kind, found in stores.items():
            state = tuple((id(store), store.changes) for store in found)
            if self._shown.get((kind.group, kind.kind)) != state:
                totals = sums(store.totals() for store in found)
                self._show(kind, state, totals, any(store.is_truncated for store in found))
        for kind, count in counts.items():
            if self._shown.get((kind.group, kind.kind)) != count:
                self._show(kind, count, Sums({"": count}, {}, {}), True)
        for group, kind_name in set(self._shown).difference((kind.group, kind.kind) for kind in wanted):
            del self._shown[group, kind_name]
            self.store.delete(aggregate(group, kind_name, Sums({}, {}, {}), False))
        if is_complete and not self.store.synced:
            self.store.begin()

    def _show(self, kind: Kind, state: object, found: Sums, is_truncated: bool) -> None:
        self._shown[kind.group, kind.kind] = state
        self.store.upsert(aggregate(kind.group, kind.kind, found, is_truncated))
