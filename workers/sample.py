"""Sampler: reads this node's cgroups at a fixed interval, names them, and publishes what has changed."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Sequence

from telegen.cadvisor.cgroups.control_files import raise_open_files_limit
from telegen.cadvisor.cgroups.devices import Devices
from telegen.cadvisor.cgroups.oom_events import OomEvents
from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.collectors.start_time import created
from telegen.cadvisor.identity.label_resolver import make_label_resolver
from telegen.cadvisor.identity.labels import namespace_filter
from telegen.cadvisor.identity.name_index import NameIndex
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import enabled_collectors
from telegen.cadvisor.root_checks import wrong_roots
from telegen.cadvisor.sampler import Sampler, Target, make_render, object_key
from telegen.cadvisor.terminations.counts import STORE as TERMINATIONS
from telegen.config.model import Cadvisor
from telegen.metrics.created import with_created
from telegen.metrics.family import FamilyGenerator
from telegen.metrics.render import OnError
from telegen.metrics.store import MetricsStore
from telegen.process.os_process import trim_memory
from telegen.shm.writer import ArenaWriter
from workers._base import Worker
from workers._budgets import note_store, open_budgets, warn_of_budgets
from workers._sample.name_sources import NameThreads
from workers._sample.pod_fields import pod_fields
from workers._sample.terminations import NodeTerminations
from workers._sample.usage_publisher import UsagePublisher

ORDER = 1000
"""Position of the containers' families on the page: behind all resources."""
PATIENCE = 5.0
"""Seconds for which the first pass waits for names from the API server, since a change of labels makes new series."""
LISTEN = 0.25
"""Seconds between two checks for the end of the worker."""
COLLECT = 60.0
"""Seconds between two runs of the garbage collector, which is off otherwise. PERF: with it a pass takes a quarter longer."""


class SampleWorker(Worker):
    """Publishes a store per source after every pass."""

    def run(self) -> None:
        """One pass per interval, on a clock that does not drift."""
        settings = self.config.kube_metrics.cadvisor
        raise_open_files_limit()
        self._exported: Counter[str] = Counter()
        roots = Roots(settings.cgroup_root, settings.proc_root, settings.sys_root, settings.root)
        sampler = self._make_sampler(settings, roots)
        ends, usage, alarms = self._terminations, self._usage, OomEvents()
        self._wrong_roots = [""]
        threads = NameThreads(self, self._names, self._pods, pod_fields(bool(self._terminations), bool(self._usage)))
        self._wait_for_names(threads)
        gc.disable()
        due = due_collection = time.monotonic()
        while not self.stop.is_set():
            threads.check()
            self._check_roots(roots)
            self._pass(sampler)
            if ends:
                ends.end_pass()
            if usage:
                usage.end_pass(sampler)
            alarms.watch(sampler.contexts)
            if time.monotonic() >= due_collection:
                due_collection = time.monotonic() + COLLECT
                # Also after the first pass, which renders every series: its text stays in the heap otherwise.
                gc.collect()
                trim_memory()
            due = max(due + settings.collect_interval, time.monotonic())
            while not self.stop.is_set() and time.monotonic() < due:
                self.beat()
                self._listen(sampler, alarms, min(LISTEN, max(0.0, due - time.monotonic())))
        if ends:
            ends.close()

    def _make_sampler(self, settings: Cadvisor, roots: Roots) -> Sampler:
        """Make the sampler, a store per collector, and the one of ended containers."""
        self._arena = ArenaWriter(self.shared.arenas[self.assignment.name], self.assignment.stores)
        self._budgets = open_budgets(self, self._arena)
        self._stores: list[MetricsStore] = []
        self._pods: NameIndex
        self._names = names = make_label_resolver(settings)
        node = Node(roots, settings.raw_cgroups, device=Devices(roots.proc, roots.sys), facts=names, errors=names.errors)
        collectors = enabled_collectors(settings)
        self._terminations = ends = self._make_terminations(len(collectors))
        self._pods = ends.tracker if ends else names.pods
        self._usage = usage = UsagePublisher(self, self._pods) if self.config.adapter.agent_address else None
        if usage:
            self._pods = usage.pods
            collectors = (*collectors, *usage.missing(collectors))
        sampler = Sampler(node, collectors, names, self._make_target, namespace_filter(settings), settings.linger)
        if ends:
            self._stores.append(ends.store)
        return sampler

    def _wait_for_names(self, threads: NameThreads) -> None:
        """Wait for the names from the API server, for PATIENCE seconds at most."""
        until = time.monotonic() + PATIENCE
        while not (self.stop.is_set() or threads.synced or time.monotonic() > until):
            self.beat()
            self.stop.wait(0.02)

    def _listen(self, sampler: Sampler, alarms: OomEvents, seconds: float) -> None:
        """Wait; read and publish containers that run out of memory at once."""
        rung = alarms.wait(seconds)
        if rung:
            sampler.reread(rung)
        if bool(self._terminations and self._terminations.work()) or rung:
            for store in self._stores:
                store.flush()

    def _make_terminations(self, number: int) -> NodeTerminations | None:
        """Make the counts and logs of ended containers, None if they are off; `number` is that of their store."""
        if TERMINATIONS not in self.assignment.stores:
            return None
        return NodeTerminations(self, self._arena, self._names.pods, ORDER + number, self._budgets)

    def _make_target(self, collector: AnyCollector) -> Target:
        if self._usage and _store_name(collector) not in self.assignment.stores:
            return self._usage.recorded(collector, None)
        target = self._make_store(collector)
        if self._terminations:
            target = self._terminations.recorded(collector, target)
        return self._usage.recorded(collector, target) if self._usage else target

    def _make_store(self, collector: AnyCollector) -> Target:
        number, name = len(self._stores), _store_name(collector)
        families: Sequence[FamilyGenerator] = collector.families
        render = make_render(collector, self._names, self._counter(name), self.constant)
        if self.config.kube_metrics.openmetrics_created:
            families, render = with_created(families, render, lambda obj: created(obj["context"]))
        store = MetricsStore(
            name,
            families,
            render,
            self._arena,
            ORDER + number,
            key=object_key,
            version=lambda obj: "",
            budgets=self._budgets,
        )
        self._stores.append(store)
        return store

    def _pass(self, sampler: Sampler) -> None:
        """Run one pass and publish the changes."""
        started = time.perf_counter()
        sampler.sample()
        now = time.time()
        for store in self._stores:
            if not store.synced:
                # The page is complete from here on: the first pass of a new process replaces the series of the last one.
                store.begin()
            store.flush()
            note_store(self.telemetry, store)
            self.telemetry.last_event.labels(store.name).set(now)
            self.telemetry.last_sync.labels(store.name).set(now)
        warn_of_budgets(self, self._budgets)
        for reason, count in (sampler.errors - self._exported).items():
            self.telemetry.sample_errors.labels(reason).inc(count)
        # Errors between two passes count as well: of readings after an OOM kill, and of names.
        self._exported = sampler.errors.copy()
        self.telemetry.unnamed.set(self._names.unknown)
        self.telemetry.sample_seconds.set(time.perf_counter() - started)
        self.beat()

    def _check_roots(self, roots: Roots) -> None:
        """Publish wrong paths of the node's file systems, for /readyz. PERF: 0.01 ms, on v1 0.1 ms."""
        wrong = wrong_roots(roots)
        if wrong != self._wrong_roots:
            self.shared.root_problems.write("\n".join(wrong).encode("utf-8", "replace"))
            self._wrong_roots = wrong

    def _counter(self, store: str) -> OnError:
        def count(family: str, error: Exception) -> None:
            self.telemetry.generate_errors.labels(store, family).inc()

        return count


def _store_name(collector: AnyCollector) -> str:
    return f"containers/{collector.name}"
