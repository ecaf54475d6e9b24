"""The sampler: reads this node's cgroups at a fixed interval and publishes what has changed."""

from __future__ import annotations

import time

from telegen.cadvisor.devices import Devices
from telegen.cadvisor.groups import sources
from telegen.cadvisor.labels import PathLabels, namespace_filter
from telegen.cadvisor.sampler import Sampler, Target, make_render, object_key
from telegen.cadvisor.source import Node, Roots, Source
from telegen.metrics.render import OnError
from telegen.metrics.store import Store
from telegen.shm.writer import ArenaWriter
from workers.base import BEAT, Worker

ORDER = 1000
"""Place of the containers' families on the page: behind all resources."""


class SampleWorker(Worker):
    """Publishes a store per source after every pass."""

    def run(self) -> None:
        """One pass per interval, on a clock that does not drift."""
        settings = self.config.kube_metrics.cadvisor
        self._arena = ArenaWriter(self.shared.arenas[self.assignment.name], self.assignment.stores)
        self._stores: list[Store] = []
        self._labels = PathLabels()
        roots = Roots(settings.cgroup_root, settings.proc_root, settings.sys_root)
        node = Node(roots, device=Devices(roots.proc, roots.sys))
        sampler = Sampler(node, sources(settings), self._labels, self._make_store, namespace_filter(settings))
        due = time.monotonic()
        while not self.stop.is_set():
            self._pass(sampler)
            due = max(due + settings.collect_interval, time.monotonic())
            while not self.stop.is_set() and time.monotonic() < due:
                self.beat()
                self.stop.wait(min(BEAT, max(0.0, due - time.monotonic())))

    def _make_store(self, source: Source) -> Target:
        number = len(self._stores)
        name = self.assignment.stores[number]
        store = Store(
            name,
            source.families,
            make_render(source, self._labels.names, self._counter(name)),
            self._arena,
            ORDER + number,
            key=object_key,
            version=lambda obj: "",
        )
        self._stores.append(store)
        return store

    def _pass(self, sampler: Sampler) -> None:
        """Read everything and publish what has changed."""
        started = time.perf_counter()
        before = sampler.errors.copy()
        sampler.sample()
        now = time.time()
        for store in self._stores:
            if not store.synced:
                # From here on the page is complete: a successor's first pass replaces what its predecessor had left.
                store.begin()
            store.flush()
            self.telemetry.note_size(store.name, len(store), store.page_count, store.stored_bytes)
            self.telemetry.last_event.labels(store.name).set(now)
            self.telemetry.last_sync.labels(store.name).set(now)
        for reason, count in (sampler.errors - before).items():
            self.telemetry.sample_errors.labels(reason).inc(count)
        self.telemetry.sample_seconds.set(time.perf_counter() - started)
        self.beat()

    def _counter(self, store: str) -> OnError:
        def count(family: str, error: Exception) -> None:
            self.telemetry.generate_errors.labels(store, family).inc()

        return count
