"""The sampler: reads this node's cgroups at a fixed interval and publishes what it has read at once."""

from __future__ import annotations

import time

from telegen.cadvisor.families import FAMILIES, IDENTITY
from telegen.cadvisor.sampler import Roots, Sampler
from telegen.metrics.render import renderer
from telegen.metrics.store import Store
from telegen.shm.writer import ArenaWriter
from workers.base import BEAT, Worker

ORDER = 1000
"""Place of the containers' families on the page: behind all resources."""


class SampleWorker(Worker):
    """Publishes one store, whole, after every pass."""

    def run(self) -> None:
        """One pass per interval, on a clock that does not drift."""
        settings = self.config.kube_metrics.cadvisor
        sampler = Sampler(Roots(settings.cgroup_root, settings.proc_root, settings.sys_root))
        arena = ArenaWriter(self.shared.arenas[self.assignment.name], self.assignment.stores)
        render = renderer(IDENTITY, FAMILIES, self._count_error)
        store = Store(
            self.assignment.stores[0],
            FAMILIES,
            render,
            arena,
            ORDER,
            key=lambda reading: reading["id"],
            version=lambda reading: "",
        )
        due = time.monotonic()
        while not self.stop.is_set():
            self._pass(sampler, store)
            due = max(due + settings.collect_interval, time.monotonic())
            while not self.stop.is_set() and time.monotonic() < due:
                self.beat()
                self.stop.wait(min(BEAT, max(0.0, due - time.monotonic())))

    def _pass(self, sampler: Sampler, store: Store) -> None:
        """Read everything and publish it."""
        started = time.perf_counter()
        before = sampler.errors.copy()
        store.replace(("ADDED", reading) for reading in sampler.sample())
        for reason, count in (sampler.errors - before).items():
            self.telemetry.sample_errors.labels(reason).inc(count)
        telemetry, name, now = self.telemetry, store.name, time.time()
        telemetry.sample_seconds.set(time.perf_counter() - started)
        telemetry.note_size(name, len(store), store.page_count, store.stored_bytes)
        telemetry.last_event.labels(name).set(now)
        telemetry.last_sync.labels(name).set(now)
        self.beat()

    def _count_error(self, family: str, error: Exception) -> None:
        self.telemetry.generate_errors.labels(self.assignment.stores[0], family).inc()
