"""Watch worker: keeps a group of resources in step with the API server.

One thread follows all watches, a few take complete states and open watches, and one publishes what has changed.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import replace

from telegen.api.collection import Collection
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.config import Config
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.sharding import shard_filter
from telegen.metrics.family import Object
from telegen.metrics.render import Render, renderer
from telegen.metrics.store import MetricsStore
from telegen.process.os_process import trim_memory
from telegen.shm.shared_value import SharedText
from telegen.shm.store_status import StoreStatus
from telegen.shm.writer import ArenaWriter
from workers._base import BEAT, KUBE_SYSTEM, Assignment, Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics
from workers._threads import Threads

COLLECT = 60.0
"""Seconds between two runs of the garbage collector. Automatic collection is off, as it makes parsing four times slower."""
FLUSH_SHARE = 0.2
"""Largest fraction of the time spent on publishing: the more changes come, the more of them are published together."""
FLUSH_MAX = 0.4
"""Longest time, in seconds, before a change is published."""
ORDER = {name: number for number, name in enumerate(RESOURCES)}
"""Position of a resource's families on the page."""


class WatchWorker(Worker):
    """Feeds the stores of its assignment."""

    def run(self) -> None:
        """Start the threads, then check that they live."""
        gc.disable()
        self._changed = threading.Event()
        arena = ArenaWriter(self.shared.arenas[self.assignment.name], self.assignment.stores)
        self._stores = [self._make_store(name, arena) for name in self.assignment.stores]
        threads = Threads(self)
        threads.start("flush", self._flush)
        WatchLoop([self._make_reflector(store) for store in self._stores], self.stop, threads.start).start()
        collected = time.monotonic()
        while not self.stop.wait(BEAT):
            threads.check()
            self.beat()
            if time.monotonic() - collected > COLLECT:
                collected = time.monotonic()
                gc.collect()
                arena.trim()
                trim_memory()

    def _make_store(self, name: str, arena: ArenaWriter) -> MetricsStore:
        resource, state = _resource(name), self.config.kube_metrics.kube_state
        families = selected_families(resource, Selection.of(state))
        errors = _GenerateErrors(self.telemetry, self.log, name)
        render = renderer(resource.identity, families, errors, self.constant)
        if name == "namespaces":
            render = _noticing_uid(render, self.shared.uid)
        return MetricsStore(name, families, render, arena, ORDER[resource.name], state.page_objects, self._changed.set)

    def _make_reflector(self, store: MetricsStore) -> Reflector:
        state = self.config.kube_metrics.kube_state
        settings = replace(reflector_settings(self.config), limit=state.object_limit, resync=state.resync_period)
        status = self.shared.statuses[self.assignment.name][store.name]
        client, observer = make_client(self.shared, self.assignment.cluster), StoreObserver(self.telemetry, self.log, store, status)
        collection = _collection(store.name, self.config, self.assignment)
        return Reflector(client, collection, store, observer, self.stop, settings)

    def _flush(self) -> None:
        """Publish changes; those of one interval together."""
        least = pause = float(self.config.kube_metrics.kube_state.flush_interval)
        while not self.stop.is_set():
            self._changed.wait()
            time.sleep(pause)
            self._changed.clear()
            started = time.thread_time()
            for store in self._stores:
                if store.flush():
                    note_size(self.telemetry, store)
            pause = max(least, min(FLUSH_MAX, (time.thread_time() - started) / FLUSH_SHARE))


def note_size(telemetry: Telemetry, store: MetricsStore) -> None:
    """Set the gauges of a store's size."""
    telemetry.note_size(store.name, len(store), store.block_count, store.stored_bytes)


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


class _GenerateErrors:
    """Counts families that could not be generated; logs the first failure of each."""

    def __init__(self, telemetry: Telemetry, log: logging.Logger, store: str) -> None:
        self._telemetry, self._log, self._store = telemetry, log, store
        self._seen: set[str] = set()

    def __call__(self, family: str, error: Exception) -> None:
        self._telemetry.generate_errors.labels(self._store, family).inc()
        if family not in self._seen:
            self._seen.add(family)
            self._log.warning(
                "%s: %s left out for an object: %s: %s", self._store, family, type(error).__name__, str(error)[:200]
            )


class StoreObserver(ReflectorMetrics):
    """Metrics and log lines of a store's reflector."""

    def __init__(self, telemetry: Telemetry, log: logging.Logger, store: MetricsStore, status: StoreStatus | None = None) -> None:
        super().__init__(telemetry, log, store.name, status)
        self._store = store

    def took(self, seconds: float) -> None:
        """Note the size of the store, and return the memory that parsing has used."""
        note_size(self.telemetry, self._store)
        self.log.info("%s: synced %d objects in %.1f s", self.name, len(self._store), seconds)
        trim_memory()
