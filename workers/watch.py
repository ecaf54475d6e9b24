"""A group of resources: one thread per store keeps it in step with the API server, one publishes what has changed."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from telegen.api.client import Client
from telegen.api.collection import Collection
from telegen.api.protocols import ReflectorStore as Fed
from telegen.api.protocols import Settings
from telegen.api.reflector import Reflector
from telegen.config import Config
from telegen.election.election import boottime
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.sharding import shard_filter
from telegen.metrics.family import Object
from telegen.metrics.render import Render, renderer
from telegen.metrics.store import MetricsStore
from telegen.process.os_process import trim_memory
from telegen.shm.shared_value import TextCell
from telegen.shm.writer import ArenaWriter
from workers._base import BEAT, KUBE_SYSTEM, Assignment, Worker
from workers._client_factory import INFINITE, make_client, reflector_settings
from workers._reflector_metrics import Observer
from workers._threads import Threads
from workers.latecomers import ALLOWED, Latecomers

COLLECT = 60.0
"""Seconds between two runs of the garbage collector, which is off otherwise: with it, parsing takes four times
longer."""
FLUSH_SHARE = 0.2
"""Share of the time that publishing may take: the more changes come, the more of them are published together."""
FLUSH_MAX = 0.4
"""Seconds that a change waits at the most before it is published."""
PROOF = 1.0
"""Seconds that a watch is asked to last whose end proves that nothing has been missed."""
ORDER = {name: number for number, name in enumerate(RESOURCES)}
"""Place of a resource's families on the page."""


class WatchWorker(Worker):
    """Feeds the stores of its assignment."""

    def run(self) -> None:
        """Start the threads, then watch them."""
        gc.disable()
        self._due = threading.Event()
        self._proofs: dict[str, float] = {}
        arena = ArenaWriter(self.shared.arenas[self.assignment.name], self.assignment.stores)
        self._stores = [self._make_store(name, arena) for name in self.assignment.stores]
        self._threads = Threads(self)
        self._threads.start("flush", self._flush)
        for store in self._stores:
            self._threads.start(store.name, self._make_reflector(store, arena.inherits(store.name)).run)
        collected = time.monotonic()
        while not self.stop.wait(BEAT):
            self._threads.check()
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
            render = _noticing(render, self.shared.uid)
        return MetricsStore(name, families, render, arena, ORDER[resource.name], state.page_objects, self._due.set)

    def _make_reflector(self, store: MetricsStore, succeeds: bool) -> Reflector:
        state = self.config.kube_metrics.kube_state
        settings = replace(reflector_settings(self.config), limit=state.object_limit, resync=state.resync_period)
        patience = INFINITE
        if self.assignment.proven:
            # Who does not answer for so long has cost us the Lease as well.
            settings, patience = _prompt(settings), self.config.kube_metrics.election.renew_deadline
        client = make_client(self.shared, self.assignment.cluster, patience)
        observer = StoreObserver(self.telemetry, self.log, store, self._prove)
        collection = _collection(store.name, self.config, self.assignment)
        return Reflector(client, collection, self._fed(store, client, succeeds), observer, self.stop, settings)

    def _fed(self, store: MetricsStore, client: Client, succeeds: bool) -> Fed:
        """What the reflector is to feed: where the node's pods are one agent's and those without a node another's, what hands
        them over to the store."""
        if not self.assignment.pods_of:
            return store
        late = Latecomers(store, lambda: client.date, succeeds)
        self._threads.start(f"{store.name} that are new", late.run)
        return late

    def _prove(self, store: str, moment: float) -> None:
        """Take note that a store holds all that had happened up to a moment of CLOCK_BOOTTIME."""
        if self.assignment.proven:
            self._proofs[store] = moment
            self._due.set()

    def _flush(self) -> None:
        """Publish changes, those of one interval together; then let them be shown, where that has to be proven."""
        least = float(self.config.kube_metrics.kube_state.flush_interval)
        if self.assignment.proven:
            # A proof is worth nothing before all is published, and soon nothing any more.
            least = min(least, FLUSH_MAX)
        pause = least
        while not self.stop.is_set():
            self._due.wait()
            time.sleep(pause)
            self._due.clear()
            started = time.thread_time()
            proofs = list(self._proofs.values())
            for store in self._stores:
                if store.flush():
                    note_size(self.telemetry, store)
            if self.assignment.gate is not None and len(proofs) == len(self._stores):
                self.shared.gates.prove(self.assignment.gate, min(proofs) + ALLOWED)
            pause = max(least, min(FLUSH_MAX, (time.thread_time() - started) / FLUSH_SHARE))


def note_size(telemetry: Telemetry, store: MetricsStore) -> None:
    """Say how much a store holds."""
    telemetry.note_size(store.name, len(store), store.block_count, store.stored_bytes)


def _resource(store: str) -> Resource:
    """The resource of a store: `pods`, or `pods/shop` when each namespace has a store, or `pods/@east` or `pods/shop@east`
    when there are several clusters."""
    return RESOURCES[store.partition("/")[0]]


def _collection(store: str, config: Config, assignment: Assignment) -> Collection:
    """What a store's reflector asks for."""
    resource, state = _resource(store), config.kube_metrics.kube_state
    fields = [f"metadata.namespace!={name}" for name in state.namespaces_exclude] if resource.namespaced else []
    pods_of = assignment.pods_of
    if pods_of is None and (state.node or state.track_unscheduled_pods):
        pods_of = "" if state.track_unscheduled_pods else state.node
    if resource.name == "pods" and pods_of is not None:
        fields.append(f"spec.nodeName={pods_of}")
    params = {"fieldSelector": ",".join(fields)} if fields else {}
    namespace, _, _ = store.partition("/")[2].partition("@")
    path = resource.path(namespace)
    keep = shard_filter(assignment.shard)
    return Collection(path, resource.representation, params, assignment.part, keep, resource.needs)


def _prompt(settings: Settings) -> Settings:
    """The numbers of a reflector that is to know all the time whether it is in step: each watch proves it by its end."""
    return replace(settings, watch=(PROOF, PROOF), paged=True, cached=False)


def _noticing(render: Render, cell: TextCell) -> Render:
    """The same for namespaces, which notices the cluster's UID as it passes, where it is not known already."""

    def notice(obj: Object) -> list[str]:
        metadata = obj["metadata"]
        uid = metadata.get("uid")
        if metadata.get("name") == KUBE_SYSTEM and isinstance(uid, str) and not cell.read():
            cell.write(uid)
        return render(obj)

    return notice


class _GenerateErrors:
    """Counts families that could not be read; the first of each kind is worth a line in the log."""

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


class StoreObserver(Observer):
    """Of a store. It tells when the store is known to hold all that had happened up to a moment: what was asked for then has come."""

    def __init__(
        self,
        telemetry: Telemetry,
        log: logging.Logger,
        store: MetricsStore,
        in_step: Callable[[str, float], None] = lambda store, moment: None,
    ) -> None:
        super().__init__(telemetry, log, store.name)
        self._store, self._in_step = store, in_step
        self._asked = 0.0

    def listing(self, by: str, again: bool) -> None:
        """Note when; a list that is taken again may be older (see `Settings.paged`)."""
        self._asked = 0.0 if again else boottime()
        super().listing(by, again)

    def watching(self) -> None:
        """Note when."""
        self._asked = boottime()
        super().watching()

    def followed(self) -> None:
        """All that had happened when the watch was opened has come."""
        self._in_step(self.name, self._asked)
        super().followed()

    def took(self, seconds: float) -> None:
        """Say how much the store holds; parsing has left memory behind."""
        if self._asked:
            self._in_step(self.name, self._asked)
        note_size(self.telemetry, self._store)
        self.log.info("%s: synced %d objects in %.1f s", self.name, len(self._store), seconds)
        trim_memory()
