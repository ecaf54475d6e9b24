"""Watch worker: keeps a group of built-in resources in step with the API server."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from telegen.api.collection import Collection
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.cadvisor.identity.workloads import workload
from telegen.config import Config
from telegen.kubestate.fields import time_at
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.series_labels import has_own, namespace_pairs, pairs_text, series_labels
from telegen.kubestate.sharding import shard_filter
from telegen.metrics.created import with_created
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.render import Render, renderer
from telegen.metrics.store import MetricsStore, namespace
from telegen.shm.shared_value import SharedText
from workers._base import KUBE_SYSTEM, Assignment
from workers._client_factory import make_client, reflector_settings
from workers._namespaces import COLLECTION
from workers._namespaces import STORE as NAMESPACES
from workers._namespaces import NamespaceLabels
from workers._reflector_metrics import ReflectorMetrics
from workers._stores import GenerateErrors, StoreObserver, StoresWorker
from workers._threads import Threads

NAMESPACES_WAIT = 5.0
"""Seconds for which other resources wait for the labels of namespaces: without the right to list them they never come."""
ORDER = {name: number for number, name in enumerate(RESOURCES)}
"""Position of a resource's families on the page."""


class WatchWorker(StoresWorker):
    """Feeds the stores of its assignment, one per built-in resource."""

    def start(self, threads: Threads) -> None:
        """Make the stores and follow their collections."""
        added = self.config.kube_metrics.kube_state.labels_on_series
        self._namespaces = NamespaceLabels(lambda obj: pairs_text(namespace_pairs(added, obj)), "", self._follow_all)
        self.stores = {name: self._make_store(name) for name in self.assignment.stores}
        self._reflectors = [self._reflector(store) for store in self.stores.values()]
        self._pending, self._deciding = bool(added.namespace_labels or added.namespace_annotations), threading.Lock()
        # Objects are rendered with the labels of their namespaces, which are known first.
        self._loop = WatchLoop([self._namespace_reflector()] if self._pending else self._reflectors, self.stop, threads.start)
        self._started = time.monotonic()
        self._loop.start()

    def _follow_all(self) -> None:
        """Follow the collections of all stores, once; for any thread."""
        with self._deciding:
            reflectors = self._reflectors if self._pending else []
            self._pending = False
        for reflector in reflectors:
            self._loop.add(reflector)

    def turn(self) -> None:
        """Stop waiting for namespaces that cannot be listed, and render anew when their labels have changed."""
        if self._pending and time.monotonic() - self._started > NAMESPACES_WAIT:
            self._follow_all()
        if self._namespaces.take_change():
            for reflector in self._reflectors:
                reflector.request_state()

    def _namespace_reflector(self) -> Reflector:
        client, metrics = make_client(self.shared, self.assignment.cluster), ReflectorMetrics(self.telemetry, self.log, NAMESPACES)
        return Reflector(client, COLLECTION, self._namespaces, metrics, self.stop, reflector_settings(self.config))

    def _make_store(self, name: str) -> MetricsStore:
        resource, state = _resource(name), self.config.kube_metrics.kube_state
        families = selected_families(resource, Selection.of(state))
        errors = GenerateErrors(self.telemetry, self.log, name)
        more = series_labels(state.labels_on_series, resource, self._namespaces.get, workload)
        render = renderer(resource.identity, families, errors, self.constant, more, has_own)
        if name == "namespaces":
            render = _noticing_uid(render, self.shared.uid)
        table: Sequence[FamilyGenerator] = families
        if self.config.kube_metrics.openmetrics_created:
            # Counters of the API begin with their objects.
            table, render = with_created(families, render, time_at("metadata.creationTimestamp"))
        group = namespace if resource.namespaced else None
        order, changed = ORDER[resource.name], self.changed.set
        return MetricsStore(name, table, render, self.arena, order, state.page_objects, changed, group=group, budgets=self.budgets)

    def _reflector(self, store: MetricsStore) -> Reflector:
        status = self.shared.statuses[self.assignment.name][store.name]
        observer = StoreObserver(self.telemetry, self.log, store, status)
        return self.make_reflector(store, _collection(store.name, self.config, self.assignment), observer)


def _resource(store: str) -> Resource:
    """Resource of a store.

    Stores have the names `pods`, or `pods/shop` when each namespace has a store; with several clusters `pods/@east` or
    `pods/shop@east`.
    """
    return RESOURCES[store.partition("/")[0]]


def _collection(store: str, config: Config, assignment: Assignment) -> Collection:
    """Collection that a store's reflector lists and watches."""
    resource, state = _resource(store), config.kube_metrics.kube_state
    fields = [f"metadata.namespace!={name}" for name in state.namespaces_exclude] if resource.namespaced else []
    if resource.name == "pods" and (state.node or state.track_unscheduled_pods):
        fields.append(f"spec.nodeName={'' if state.track_unscheduled_pods else state.node}")
    params = {"fieldSelector": ",".join(fields)} if fields else {}
    namespace, _, _ = store.partition("/")[2].partition("@")
    path = resource.path(namespace)
    keep = shard_filter(assignment.agent_shard)
    return Collection(path, resource.representation, params, assignment.process_shard, keep, resource.needs)


def _noticing_uid(render: Render, shared: SharedText) -> Render:
    """Wrap the render function of namespaces: it notes the cluster's UID, unless that is known."""

    def notice(obj: Object) -> list[str]:
        metadata = obj["metadata"]
        uid = metadata.get("uid")
        if metadata.get("name") == KUBE_SYSTEM and isinstance(uid, str) and not shared.read():
            shared.write(uid)
        return render(obj)

    return notice
