"""The agent's own metrics: every process counts, and any web worker serves the sum.

prometheus_client keeps the values in files that all processes map. The files are named by worker instead of pid, so that
a restart neither loses counters nor adds files. Heartbeats and memory of the processes are read at the scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from telegen import __version__
from telegen.kubemetrics.value_files import ValueFile, value_files
from telegen.shm.heartbeats import Heartbeats

Mode = Literal["livemostrecent", "livesum", "livemin"]
"""Aggregation of the values of several processes; processes that were dropped by `forget` do not count."""
LAST_EVENT = "telegen_store_last_event_timestamp_seconds"


class Telemetry:
    """Counters and gauges of one process."""

    def __init__(self, process: str) -> None:
        """Open this process's value files.

        Args:
            process: the worker's name; its successor continues the counters.
        """
        # prometheus_client allocates its files page by page; it has no other way to replace them.
        self._files: list[ValueFile] = []
        values.MmapedDict = self._open  # type: ignore[attr-defined, assignment]
        # prometheus_client names value files by pid unless it is given another identifier; it has no other way to set one.
        values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry(auto_describe=False)

        def gauge(name: str, text: str, *labels: str, mode: Mode = "livemostrecent") -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        # Several processes may each have a part of a store: sizes add up, and of times the oldest counts.
        self.objects = gauge("telegen_store_objects", "Objects in a store.", "store", mode="livesum")
        self.pages = gauge("telegen_store_pages", "Pages of a store.", "store", mode="livesum")
        self.store_bytes = gauge("telegen_store_bytes", "Shared memory of the pages of a store in bytes.", "store", mode="livesum")
        self.left_out = gauge(
            "telegen_store_left_out_objects",
            "Objects beyond object_limit in the last list; NaN if the API server does not report their number.",
            "store",
        )
        self.last_event = gauge(
            LAST_EVENT,
            "Time of the last response or event of the source in Unix seconds; absent for resources that the API server lacks.",
            "store",
            mode="livemin",
        )
        self.last_sync = gauge(
            "telegen_store_last_sync_timestamp_seconds",
            "Time of the last complete list of the store in Unix seconds.",
            "store",
            mode="livemin",
        )
        self.lists = counter("telegen_api_lists_total", "Requests for a complete list, by list or by watch.", "store", "by")
        self.watches = counter("telegen_api_watches_total", "Watches opened.", "store")
        self.relists = counter("telegen_api_relists_total", "Lists after the first one.", "store")
        self.events = counter("telegen_api_events_total", "Watch events received.", "store")
        self.received = counter("telegen_api_received_bytes_total", "Bytes of responses after decompression.", "store")
        self.errors = counter("telegen_api_errors_total", "Failed requests and broken streams.", "store", "reason")
        self.malformed = counter("telegen_malformed_objects_total", "Objects left out because they cannot be read.", "store")
        self.generate_errors = counter(
            "telegen_generate_errors_total",
            "Families skipped for an object because of malformed data.",
            "store",
            "family",
        )
        self.withheld = counter(
            "telegen_series_withheld_total", "Series that had no room in a budget of limits when they arrived.", "family"
        )
        self.forbidden = gauge(
            "telegen_customresource_forbidden",
            "1 while the API server refuses to list or watch a custom resource (403), else 0.",
            "group",
            "resource",
        )
        self._open_more(registry, gauge, counter)

    def _open_more(self, registry: CollectorRegistry, gauge: Callable[..., Gauge], counter: Callable[..., Counter]) -> None:
        """Create the metrics that do not belong to stores or the API."""
        self.lease_requests = counter("telegen_lease_requests_total", "Requests about Leases, without watches.", "verb")
        self.sample_errors = counter("telegen_sample_errors_total", "Failed readings of control files.", "reason")
        self.unnamed = gauge(
            "telegen_sample_unnamed_containers", "Containers whose names are neither in the files of their runtime nor in the API."
        )
        self.sample_seconds = gauge("telegen_sample_duration_seconds", "Duration of the last pass over the cgroups in seconds.")
        self.restarts = counter("telegen_worker_restarts_total", "Restarts of a process.", "worker")
        self.shard = gauge("telegen_shard_ordinal", "Number of the shard of this agent, from 0.")
        self.total_shards = gauge(
            "telegen_total_shards", "Number of shards that the objects are divided into; 0 if unknown or divided by Leases."
        )
        self.reloads = counter("telegen_config_reloads_total", "Configuration reloads.", "result")
        self.scrape_seconds = Histogram(
            "telegen_scrape_duration_seconds",
            "Time to assemble a page, without sending it.",
            ("path", "coding"),
            registry=registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
        )
        self.refused = counter(
            "telegen_http_refused_total", "Requests without permission, by status: 401, 403, or 503 for one that was not decided.", "status"
        )
        self.scrape_bytes = counter("telegen_scrape_bytes_total", "Bytes of pages before transfer.", "path", "coding")
        self.dropped_clients = counter(
            "telegen_http_clients_dropped_total", "Connections that the agent ended because of their clients, by reason.", "reason"
        )

    def note_dropped_client(self, reason: str) -> None:
        """Count a connection that the agent ended."""
        self.dropped_clients.labels(reason).inc()

    def _open(self, path: str) -> ValueFile:
        file = ValueFile(path)
        self._files.append(file)
        return file

    def abandon(self) -> None:
        """Close the value files of a parent in a forked process, which must not write them."""
        for file in self._files:
            file.close()  # type: ignore[no-untyped-call]

    def note_shard(self, shard: tuple[int, int] | None) -> None:
        """Set the shard (number, total) of this agent; None if there is none."""
        number, total = shard or (0, 0)
        self.shard.set(number)
        self.total_shards.set(total)

    def note_size(self, store: str, objects: int, pages: int, stored_bytes: int) -> None:
        """Set the size of a store."""
        self.objects.labels(store).set(objects)
        self.pages.labels(store).set(pages)
        self.store_bytes.labels(store).set(stored_bytes)


def forget(process: str) -> None:
    """Drop the gauges of a process that was ended on purpose; its counters stay.

    Its stores may belong to another agent or process now. Stale gauges would make them look silent, or count them twice.
    """
    mark_process_dead(process)  # type: ignore[no-untyped-call]


class _Values(Collector):
    """Reads the value files. Files that were just created are empty, files that were just dropped are missing: both are skipped."""

    def collect(self) -> Iterable[Metric]:
        """Read and aggregate all files."""
        files = [str(file) for file in value_files() if _size(file)]
        families: list[Metric] = list(MultiProcessCollector.merge(files, accumulate=True))  # type: ignore[no-untyped-call]
        for family in families:
            # A value file cannot drop a series: NaN marks the ones that have ended, and `time() - NaN` would not be empty.
            if family.name == LAST_EVENT:
                family.samples = [sample for sample in family.samples if sample.value == sample.value]
        return families


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


class _Processes(Collector):
    """Heartbeat age and resident memory of every worker, served shards and the cluster, read at the scrape."""

    def __init__(
        self, board: Heartbeats, rows: Mapping[str, int], shards: Callable[[], Mapping[str, bool]], uid: Callable[[], str]
    ) -> None:
        self._board, self._rows, self._shards, self._uid = board, rows, shards, uid

    def collect(self) -> Iterable[Metric]:
        build = GaugeMetricFamily("telegen_build_info", "Version of the agent.", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        age = GaugeMetricFamily(
            "telegen_worker_heartbeat_age_seconds",
            "Time since the last heartbeat of a process.",
            labels=["worker"],
        )
        memory = GaugeMetricFamily(
            "telegen_worker_resident_memory_bytes",
            "Resident memory of a process, including pages shared with other processes.",
            labels=["worker"],
        )
        held = GaugeMetricFamily(
            "telegen_shard_served",
            "1 while this agent serves the shard of a Lease, else 0.",
            labels=["lease"],
        )
        cluster = GaugeMetricFamily(
            "telegen_cluster_info",
            "UID of the namespace kube-system, as the cluster's; on agents that use it as a label or watch namespaces.",
            labels=["uid"],
        )
        uid = self._uid()
        if uid:
            cluster.add_metric([uid], 1)
        for lease, served in self._shards().items():
            held.add_metric([lease], float(served))
        for worker, row in self._rows.items():
            if self._board.age(row) == float("inf"):
                # The worker is not running: another agent serves its shard.
                continue
            age.add_metric([worker], self._board.age(row))
            if self._board.memory(row):
                memory.add_metric([worker], self._board.memory(row))
        return [build, age, memory, *(family for family in (held, cluster) if family.samples)]


def reading_registry(
    board: Heartbeats, rows: Mapping[str, int], shards: Callable[[], Mapping[str, bool]] = dict, uid: Callable[[], str] = str
) -> CollectorRegistry:
    """Create a registry that reads the values of all processes.

    Args:
        board: heartbeats of the processes.
        rows: row of the heartbeats by worker name.
        shards: returns, by Lease, True if this agent serves the shard now.
        uid: returns the UID of the cluster, "" before it is known.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Values())
    registry.register(_Processes(board, rows, shards, uid))
    return registry
