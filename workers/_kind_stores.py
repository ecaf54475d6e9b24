"""Stores of the kinds of custom resources: added, replaced and removed while the others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from telegen.api.collection import Collection
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.kubestate.custom.kinds import Selected
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.tables import constant_of, joined_reads
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.sharding import shard_filter
from telegen.metrics.render import Render, renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.store_status import REFUSALS
from telegen.shm.store_status import Kind as Outcome
from telegen.shm.store_status import Status, StoreStatus
from workers._stores import GenerateErrors, StoreObserver, StoresWorker

PREFIX = "customresources/"
"""Names of the stores begin with it; `?resources=customresources` selects them."""
ORDER = -1
"""Position on the page: before the built-in resources, as in kube-state-metrics."""
RIGHTS = "apply the ClusterRole that telegen custom rbac prints"


@dataclass
class Followed:
    """One store with its reflector.

    Attributes:
        replaced: reflectors of its predecessors, which go on until this store is complete.
    """

    kind: Kind
    selected: Selected
    store: MetricsStore
    reflector: Reflector
    status: StoreStatus
    replaced: list[Reflector] = field(default_factory=list)


class KindStores:
    """The stores of all kinds that entries select now."""

    def __init__(self, worker: StoresWorker, loop: WatchLoop) -> None:
        self._worker, self._loop = worker, loop
        self._followed: dict[str, Followed] = {}
        self._selection = Selection.of(worker.config.kube_metrics.kube_state)

    def apply(self, wanted: Mapping[Kind, Selected]) -> None:
        """Add, replace and remove stores, so that each kind is shown by its tables. Unchanged ones are left alone."""
        names = {name: (kind, selected, namespace) for kind, selected in wanted.items() for name, namespace in self._names(kind)}
        followed = {name: one for name, one in self._followed.items() if name in names}
        gone = [one for name, one in self._followed.items() if name not in names]
        for name, (kind, selected, namespace) in names.items():
            before = followed.get(name)
            if before is None or (before.kind, before.selected) != (kind, selected):
                followed[name] = self._follow(name, kind, selected, namespace, before)
        self._followed = followed
        self._publish(gone)

    def _publish(self, gone: list[Followed]) -> None:
        """Hand the stores to the flusher, and remove those that are gone, or that only the predecessor of this process had."""
        worker = self._worker
        worker.stores = {one.store.name: one.store for one in self._followed.values()}
        for one in gone:
            for reflector in (one.reflector, *one.replaced):
                self._loop.remove(reflector)
            one.store.withdraw()
            worker.log.info("%s: gone; its series are removed", one.store.name)
        for name in worker.arena.names:
            if name not in self._followed and name not in worker.assignment.stores:
                worker.arena.withdraw(name)
                if worker.budgets:
                    worker.budgets.leave(name)

    def _names(self, kind: Kind) -> Iterator[tuple[str, str]]:
        """Yield the name of each store of a kind, with its namespace: one, or one per watched namespace."""
        state, cluster = self._worker.config.kube_metrics.kube_state, self._worker.assignment.cluster
        suffix = f"@{cluster.name}" if cluster else ""
        namespaces = [name for name in dict.fromkeys(state.namespaces) if name not in state.namespaces_exclude]
        if not (namespaces and kind.namespaced):
            namespaces = [""]
        for namespace in namespaces:
            yield f"{PREFIX}{kind.order}{f'/{namespace}' if namespace else ''}{suffix}", namespace

    def _follow(self, name: str, kind: Kind, selected: Selected, namespace: str, before: Followed | None) -> Followed:
        """Make a store and its reflector."""
        worker, state = self._worker, self._worker.config.kube_metrics.kube_state
        resources = selected.resources(kind, worker.constant)
        tables = [(resource, selected_families(resource, self._selection)) for resource in resources]
        errors = GenerateErrors(worker.telemetry, worker.log, name)
        render = _joined([renderer(one.identity, families, errors, constant_of(one, worker.constant)) for one, families in tables])
        families = [family for _, families in tables for family in families]
        predecessor = before.store if before else None
        store = MetricsStore(
            name,
            families,
            render,
            worker.arena,
            ORDER,
            state.page_objects,
            worker.changed.set,
            predecessor=predecessor,
            budgets=worker.budgets,
        )
        status, replaced = StoreStatus(), [before.reflector, *before.replaced] if before else []

        def took() -> None:
            while replaced:
                self._loop.remove(replaced.pop())

        observer = KindObserver(worker, store, status, kind, took)
        reflector = worker.make_reflector(store, self._collection(resources, namespace), observer, threading.Event())
        self._loop.add(reflector)
        return Followed(kind, selected, store, reflector, status, replaced)

    def _collection(self, resources: Sequence[Resource], namespace: str) -> Collection:
        state, assignment, resource = self._worker.config.kube_metrics.kube_state, self._worker.assignment, resources[0]
        fields = [f"metadata.namespace!={name}" for name in state.namespaces_exclude] if resource.namespaced else []
        params = {"fieldSelector": ",".join(fields)} if fields else {}
        keep = shard_filter(assignment.agent_shard)
        return Collection(resource.path(namespace), "object", params, assignment.process_shard, keep, joined_reads(resources))

    def complete(self) -> None:
        """Request a new state of the stores that lack series which another object has left."""
        for one in self._followed.values():
            if one.store.take_incomplete():
                one.reflector.request_state()

    def pending(self) -> list[str]:
        """Return the stores that are neither complete nor refused."""
        return [name for name, one in self._followed.items() if not one.store.synced and one.status.read().kind not in REFUSALS]

    def problem(self) -> str:
        """Return the problem of the first store that is out of sync, "" if there is none."""
        for name, status in self._statuses():
            if status.kind == Outcome.FAILED and status.seconds:
                return f"{name}: {status.cause}"
        return ""

    def notes(self) -> list[str]:
        """Return a line for each kind that the API server refuses."""
        return [f"{name}: {status.cause}" for name, status in self._statuses() if status.kind in REFUSALS]

    def _statuses(self) -> Iterator[tuple[str, Status]]:
        yield from ((name, one.status.read()) for name, one in self._followed.items())


def _joined(renders: Sequence[Render]) -> Render:
    """Return one function for the tables of several."""
    if len(renders) == 1:
        return renders[0]
    return lambda obj: [text for render in renders for text in render(obj)]


class KindObserver(StoreObserver):
    """Metrics and log lines of the reflector of a kind."""

    cure = RIGHTS

    def __init__(self, worker: StoresWorker, store: MetricsStore, status: StoreStatus, kind: Kind, on_sync: Callable[[], None]) -> None:
        super().__init__(worker.telemetry, worker.log, store, status)
        self._kind, self._on_sync, self._is_forbidden = kind, on_sync, False
        self.resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural

    def took(self, seconds: float) -> None:
        """End the reflectors of the stores that this one replaces."""
        super().took(seconds)
        self._show_forbidden(False)
        self._on_sync()

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Show a missing right as a metric."""
        super().failed(reason, message, delay)
        if reason == "403":
            self._show_forbidden(True)

    def answered(self) -> None:
        """Note that the API server answers again."""
        super().answered()
        self._show_forbidden(False)

    def _show_forbidden(self, is_forbidden: bool) -> None:
        if is_forbidden != self._is_forbidden:
            self._is_forbidden = is_forbidden
            self.telemetry.forbidden.labels(self._kind.group, self._kind.plural).set(is_forbidden)
