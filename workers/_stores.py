"""Base of the workers that keep stores in step with the API server.

One thread follows all watches, a few take complete states and open watches, and one publishes what has changed.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import replace

from telegen.api.collection import Collection
from telegen.api.protocols import ReflectorStore
from telegen.api.reflector import Reflector
from telegen.kubemetrics.telemetry import Telemetry
from telegen.metrics.store import MetricsStore
from telegen.process.os_process import trim_memory
from telegen.shm.store_status import StoreStatus
from telegen.shm.writer import ArenaWriter
from workers._base import BEAT, Worker
from workers._budgets import note_store, open_budgets, warn_of_budgets
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics
from workers._threads import Threads

COLLECT = 60.0
"""Seconds between two runs of the garbage collector. Automatic collection is off, as it makes parsing four times slower."""
FLUSH_SHARE = 0.2
"""Largest fraction of the time spent on publishing: the more changes come, the more of them are published together."""
FLUSH_MAX = 0.4
"""Longest time, in seconds, before a change is published."""


class StoresWorker(Worker):
    """Publishes the stores that a subclass feeds.

    Attributes:
        arena: its shared memory.
        budgets: limits of their series; None for none.
        stores: the stores by name; threads replace the dict as a whole.
        changed: set when a store has something to publish.
        page_bytes: size of a page of a list; 0 for pages of api.list_page_size objects.
        tables_have_limits: families may have limits of their own.
    """

    page_bytes = 0
    tables_have_limits = False

    def run(self) -> None:
        """Start the threads, then check that they live."""
        gc.disable()
        self.changed = threading.Event()
        self.stores: dict[str, MetricsStore] = {}
        self.arena = ArenaWriter(self.shared.arenas[self.assignment.name], self.keeps)
        self.budgets = open_budgets(self, self.arena, self.tables_have_limits)
        threads = Threads(self)
        threads.start("flush", self._flush)
        self.start(threads)
        collected = time.monotonic()
        while not self.stop.wait(BEAT):
            threads.check()
            self.turn()
            self._watch_budgets()
            self.beat()
            if time.monotonic() - collected > COLLECT:
                collected = time.monotonic()
                gc.collect()
                self.arena.trim()
                trim_memory()

    def keeps(self, store: str) -> bool:
        """Return True if a store that the predecessor of this process has published stays served until it is replaced."""
        return store in self.assignment.stores

    def start(self, threads: Threads) -> None:
        """Make the stores, and start the threads that feed them."""
        raise TypeError(f"{type(self).__name__} has no start()")

    def turn(self) -> None:
        """Do what is due once per heartbeat."""

    def make_reflector(
        self, store: ReflectorStore, collection: Collection, observer: StoreObserver, stop: threading.Event | None = None
    ) -> Reflector:
        """Make the reflector of a store.

        Args:
            stop: ends the reflector; None if it runs as long as the worker.
        """
        state = self.config.kube_metrics.kube_state
        settings = replace(
            reflector_settings(self.config), limit=state.object_limit, resync=state.resync_period, page_bytes=self.page_bytes
        )
        client = make_client(self.shared, self.assignment.cluster)
        return Reflector(client, collection, store, observer, stop or self.stop, settings)

    def _watch_budgets(self) -> None:
        """Warn of budgets, and publish anew what they withhold: another process may have left room."""
        warn_of_budgets(self, self.budgets)
        if self.budgets and any(store.withholds for store in list(self.stores.values())):
            self.changed.set()

    def _flush(self) -> None:
        """Publish changes; those of one interval together."""
        least = pause = float(self.config.kube_metrics.kube_state.flush_interval)
        while not self.stop.is_set():
            self.changed.wait()
            time.sleep(pause)
            self.changed.clear()
            started = time.thread_time()
            for store in list(self.stores.values()):
                if store.flush():
                    note_store(self.telemetry, store)
            pause = max(least, min(FLUSH_MAX, (time.thread_time() - started) / FLUSH_SHARE))


class GenerateErrors:
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
        note_store(self.telemetry, self._store)
        self.log.info("%s: synced %d objects in %.1f s", self.name, len(self._store), seconds)
        trim_memory()
