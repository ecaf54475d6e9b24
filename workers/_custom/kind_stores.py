"""Stores of the kinds of custom resources: added, replaced and removed while the others go on."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from telegen.api.collection import Collection
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.kubestate.custom.expressions.model import Selector
from telegen.kubestate.custom.expressions.surroundings import ReadLabels, no_labels
from telegen.kubestate.custom.kinds import AGGREGATES, Selected
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.tables import constant_of, joined_reads
from telegen.kubestate.fields import time_at
from telegen.kubestate.health.detail import DetailedStore
from telegen.kubestate.health.overrides import condition_elements
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.tally import AUTO
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.sharding import shard_filter
from telegen.metrics.created import with_created
from telegen.metrics.render import Render, renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.store_status import REFUSALS
from telegen.shm.store_status import Kind as Outcome
from telegen.shm.store_status import StoreStatus
from workers._custom.aggregates import ContributingStore
from workers._custom.kind_aggregates import Aggregated, KindAggregates
from workers._custom.kind_observer import KindObserver
from workers._stores import GenerateErrors, StoresWorker

PREFIX = "customresources/"
"""Names of the stores begin with it; `?resources=customresources` selects them."""
ORDER = -1
"""Position on the page: before the built-in resources, as in kube-state-metrics."""


@dataclass
class Followed:
    """One store with its reflector.

    Attributes:
        detailed: the store in front of it, for a kind whose health is served.
        contributing: the store in front of that, for a kind with aggregates.
        replaced: reflectors of its predecessors, which go on until this store is complete.
    """

    kind: Kind
    selected: Selected
    store: MetricsStore
    reflector: Reflector
    status: StoreStatus
    detailed: DetailedStore | None
    contributing: ContributingStore | None
    replaced: list[Reflector] = field(default_factory=list)


class KindStores:
    """The stores of all kinds that are selected now."""

    def __init__(
        self,
        worker: StoresWorker,
        loop: WatchLoop,
        further: Mapping[str, MetricsStore] = {},
        detail: str = AUTO,
        namespace_labels: ReadLabels = no_labels,
    ) -> None:
        """Make none.

        Args:
            further: stores of the worker that stay.
            detail: `health_detail`.
            namespace_labels: returns the labels of a namespace.
        """
        self._namespace_labels = namespace_labels
        self._worker, self._loop, self._further, self._detail = worker, loop, further, detail
        self._followed: dict[str, Followed] = {}
        self._selection = Selection.of(worker.config.kube_metrics.kube_state)
        self._aggregates = KindAggregates(worker, self._selection, ORDER, namespace_labels)

    def apply(self, wanted: Mapping[Kind, Selected]) -> None:
        """Add, replace and remove stores, so that each kind is shown by its tables. Unchanged ones are left alone."""
        parts = [(kind, end, part) for kind, selected in wanted.items() for end, part in selected.parts().items()]
        names = {
            name: (kind, part, namespace, self._name(kind, end + AGGREGATES))
            for kind, end, part in parts
            for name, namespace in self.names(kind, end, part.selector.namespaces)
        }
        followed = {name: one for name, one in self._followed.items() if name in names}
        gone = [one for name, one in self._followed.items() if name not in names]
        aggregates = self._aggregates.prepare({self._name(kind, end + AGGREGATES): (kind, part) for kind, end, part in parts})
        for name, (kind, part, namespace, aggregated) in names.items():
            before = followed.get(name)
            if before is None or (before.kind, before.selected) != (kind, part):
                followed[name] = self._follow(name, kind, part, namespace, aggregates.get(aggregated), before)
        self._followed = followed
        self._aggregates.install(aggregates)
        self._publish(gone)

    def _publish(self, gone: list[Followed]) -> None:
        """Hand the stores to the flusher, and remove those that are gone, or that only the predecessor of this process had."""
        worker = self._worker
        objects = {one.store.name: one.store for one in self._followed.values()}
        worker.stores = {**self._further, **objects, **self._aggregates.stores}
        followed = {one.kind for one in self._followed.values()}
        for one in gone:
            for reflector in (one.reflector, *one.replaced):
                self._loop.remove(reflector)
            one.store.withdraw()
            if one.status.read().kind == Outcome.REFUSED and one.kind not in followed:
                worker.telemetry.forbidden.labels(one.kind.group, one.kind.plural).set(0)
            worker.log.info("%s: gone; its series are removed", one.store.name)
        for name in worker.arena.names:
            if name not in worker.stores and name not in worker.assignment.stores:
                worker.arena.withdraw(name)
                if worker.budgets:
                    worker.budgets.leave(name)

    def names(self, kind: Kind, end: str = "", selected: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
        """Yield the name of each store of a kind, with its namespace: one, or one per watched namespace.

        Args:
            end: that of a part of the tables; see `Selected.parts`.
            selected: namespaces of a selector; empty for all.
        """
        state = self._worker.config.kube_metrics.kube_state
        watched = [name for name in dict.fromkeys(state.namespaces) if name not in state.namespaces_exclude]
        named = [name for name in selected if name not in state.namespaces_exclude and (not watched or name in watched)]
        namespaces = named if selected else watched or [""]
        for namespace in namespaces if kind.namespaced else [""]:
            yield self._name(kind, f"{end}/{namespace}" if namespace else end), namespace

    def _name(self, kind: Kind, end: str) -> str:
        cluster = self._worker.assignment.cluster
        return f"{PREFIX}{kind.order}{end}{f'@{cluster.name}' if cluster else ''}"

    def paths(self, kind: Kind) -> list[str]:
        """Return the path of each collection of a kind."""
        (resource,) = Selected(health=Schema()).resources(kind)
        return [resource.path(namespace) for _, namespace in self.names(kind)]

    def _follow(
        self,
        name: str,
        kind: Kind,
        selected: Selected,
        namespace: str,
        aggregated: Aggregated | None,
        before: Followed | None,
    ) -> Followed:
        """Make a store and its reflector."""
        resources = selected.resources(kind, self._worker.constant, self._namespace_labels)
        store, detailed = self._make_store(name, kind, selected, resources, before)
        status, replaced = StoreStatus(), [before.reflector, *before.replaced] if before else []

        def took() -> None:
            while replaced:
                self._loop.remove(replaced.pop())

        observer = KindObserver(self._worker, store, status, kind, took)
        fed = detailed.attach(store) if detailed else store
        contributing = ContributingStore(fed, aggregated.store) if aggregated else None
        collection = self._collection(resources, selected.selector, namespace)
        reflector = self._worker.make_reflector(contributing or fed, collection, observer, threading.Event())
        self._loop.add(reflector)
        return Followed(kind, selected, store, reflector, status, detailed, contributing, replaced)

    def _make_store(
        self, name: str, kind: Kind, selected: Selected, resources: Sequence[Resource], before: Followed | None
    ) -> tuple[MetricsStore, DetailedStore | None]:
        """Make the store of a kind's objects, and the one in front of it for a kind whose health is served."""
        worker, state = self._worker, self._worker.config.kube_metrics.kube_state
        tables = [(resource, selected_families(resource, self._selection)) for resource in resources]
        errors = GenerateErrors(worker.telemetry, worker.log, name)
        renders = [renderer(one.identity, families, errors, constant_of(one, worker.constant)) for one, families in tables]
        detailed = None
        if selected.health:
            detailed = DetailedStore(self._detail, selected.health.has_phases, time.time, condition_elements(kind.group, kind.kind))
            renders[-1] = detailed.guard(renders[-1], tables[-1][1])
        table, render = [family for _, families in tables for family in families], _joined(renders)
        if worker.config.kube_metrics.openmetrics_created:
            # As for built-in resources: counters of the API begin with their objects.
            table, render = with_created(table, render, time_at("metadata.creationTimestamp"))
        arena, changed, budgets = worker.arena, worker.changed.set, worker.budgets
        predecessor = before.store if before else None
        store = MetricsStore(
            name, table, render, arena, ORDER, state.page_objects, changed, predecessor=predecessor, budgets=budgets
        )
        return store, detailed

    def _collection(self, resources: Sequence[Resource], selector: Selector, namespace: str) -> Collection:
        state, assignment, resource = self._worker.config.kube_metrics.kube_state, self._worker.assignment, resources[0]
        fields = [f"metadata.namespace!={name}" for name in state.namespaces_exclude] if resource.namespaced else []
        params = replace(selector, fields=",".join(filter(None, (*fields, selector.fields)))).params
        keep = shard_filter(assignment.agent_shard)
        return Collection(resource.path(namespace), "object", params, assignment.process_shard, keep, joined_reads(resources))

    def complete(self) -> None:
        """Request a new state of the stores that lack series which another object has left, or whose detail has changed."""
        for one in self._followed.values():
            if one.store.take_incomplete() or one.detailed and one.detailed.take_incomplete():
                one.reflector.request_state()
        self._aggregates.publish({one.contributing.name for one in self._followed.values() if one.contributing and _is_pending(one)})

    def renew_namespaced(self) -> None:
        """Request a new state of the stores whose expressions read the labels of namespaces."""
        for one in self._followed.values():
            if one.selected.reads_namespaces:
                one.reflector.request_state()

    def pending(self) -> list[str]:
        """Return the stores that are neither complete nor refused. A kind that is read for its health alone may fail."""
        objects = [name for name, one in self._followed.items() if _is_pending(one)]
        return [*objects, *(name for name, store in self._aggregates.stores.items() if not store.synced)]

    def withhold_old(self) -> None:
        """Withhold each store that is out of sync for longer than `max_staleness`; the others are not concerned."""
        longest = self._worker.config.kube_metrics.max_staleness
        old: dict[str, bool] = {}
        for name, one in self._followed.items() if longest else ():
            status = one.status.read()
            # A kind that the API server lacks has no objects that could be old.
            old[name] = status.kind != Outcome.ABSENT and status.seconds > longest
            if one.contributing:
                old[one.contributing.name] = old[name] or old.get(one.contributing.name, False)
        for name, is_old in old.items():
            self._worker.arena.mark_old(name, is_old)

    def notes(self) -> list[str]:
        """Return a line for each kind that the API server refuses, or of which requests fail."""
        read = [(one, one.status.read()) for one in self._followed.values()]
        return [f"{one.store.name}: {status.cause}" for one, status in read if status.kind in (*REFUSALS, Outcome.FAILED)]

    def complete_stores(self) -> dict[Kind, list[DetailedStore]]:
        """Return the stores of the kinds whose health is served, as far as all stores of the kind are complete."""
        found: dict[Kind, list[Followed]] = {}
        for one in self._followed.values():
            if one.detailed:
                found.setdefault(one.kind, []).append(one)
        return {
            kind: [one.detailed for one in stores if one.detailed]
            for kind, stores in found.items()
            if all(one.store.synced for one in stores)
        }

    def sizes(self) -> dict[Kind, int]:
        """Return the number of objects of each kind with a complete store."""
        found: Counter[Kind] = Counter()
        for one in self._followed.values():
            if one.store.synced:
                found[one.kind] += len(one.store)
        return dict(found)


def _is_pending(one: Followed) -> bool:
    """Return True for a store that is neither complete nor refused; its objects are among the aggregates when it is complete."""
    is_complete = one.contributing.synced if one.contributing else one.store.synced
    return not is_complete and one.status.read().kind not in _final(one)


def _final(one: Followed) -> tuple[Outcome, ...]:
    """Return the outcomes after which a store is not waited for."""
    return REFUSALS if one.selected.is_configured else (*REFUSALS, Outcome.FAILED)


def _joined(renders: Sequence[Render]) -> Render:
    """Return one function for the tables of several."""
    if len(renders) == 1:
        return renders[0]
    return lambda obj: [text for render in renders for text in render(obj)]
