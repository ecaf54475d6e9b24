"""The agent's own metrics: every process counts, and any web worker serves the sum.

prometheus_client keeps the values in files that all processes map. The files are named by worker instead of pid, so that
a restart neither loses counters nor adds files. Heartbeats and memory of the processes are read at the scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from telegen import __version__
from telegen.kubemetrics.own_metrics import OwnMetrics, own_family
from telegen.kubemetrics.value_files import ValueFile, value_files
from telegen.shm.heartbeats import Heartbeats

LAST_EVENT = "telegen_store_last_event_timestamp_seconds"
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
"""Upper bounds of the time to assemble a page, in seconds."""


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
        made = OwnMetrics()
        # Several processes may each have a part of a store: sizes add up, and of times the oldest counts.
        self.objects = made.gauge("telegen_store_objects")
        self.pages = made.gauge("telegen_store_pages")
        self.store_bytes = made.gauge("telegen_store_bytes")
        self.left_out = made.gauge("telegen_store_left_out_objects")
        self.last_event = made.gauge(LAST_EVENT)
        self.last_sync = made.gauge("telegen_store_last_sync_timestamp_seconds")
        self.lists = made.counter("telegen_api_lists_total")
        self.watches = made.counter("telegen_api_watches_total")
        self.relists = made.counter("telegen_api_relists_total")
        self.events = made.counter("telegen_api_events_total")
        self.received = made.counter("telegen_api_received_bytes_total")
        self.errors = made.counter("telegen_api_errors_total")
        self.malformed = made.counter("telegen_malformed_objects_total")
        self.generate_errors = made.counter("telegen_generate_errors_total")
        self.withheld = made.counter("telegen_series_withheld_total")
        self.forbidden = made.gauge("telegen_customresource_forbidden")
        self._open_more(made)

    def _open_more(self, made: OwnMetrics) -> None:
        """Create the metrics that do not belong to stores or the API."""
        self.lease_requests = made.counter("telegen_lease_requests_total")
        self.sample_errors = made.counter("telegen_sample_errors_total")
        self.unnamed = made.gauge("telegen_sample_unnamed_containers")
        self.sample_seconds = made.gauge("telegen_sample_duration_seconds")
        self.restarts = made.counter("telegen_worker_restarts_total")
        self.shard = made.gauge("telegen_shard_ordinal")
        self.total_shards = made.gauge("telegen_total_shards")
        self.reloads = made.counter("telegen_config_reloads_total")
        self.scrape_seconds = made.histogram("telegen_scrape_duration_seconds", BUCKETS)
        self.refused = made.counter("telegen_http_refused_total")
        self.scrape_bytes = made.counter("telegen_scrape_bytes_total")
        self.dropped_clients = made.counter("telegen_http_clients_dropped_total")

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
    """Heartbeat age, resident memory and CPU time of every worker, served shards and the cluster, read at the scrape."""

    def __init__(
        self, board: Heartbeats, rows: Mapping[str, int], shards: Callable[[], Mapping[str, bool]], uid: Callable[[], str]
    ) -> None:
        self._board, self._rows, self._shards, self._uid = board, rows, shards, uid

    def collect(self) -> Iterable[Metric]:
        build = own_family("telegen_build_info")
        build.add_metric([__version__, platform.python_version()], 1)
        age = own_family("telegen_worker_heartbeat_age_seconds")
        memory = own_family("telegen_worker_resident_memory_bytes")
        cpu = own_family("telegen_worker_cpu_seconds_total")
        held = own_family("telegen_shard_served")
        cluster = own_family("telegen_cluster_info")
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
            if self._board.cpu(row):
                cpu.add_metric([worker], self._board.cpu(row) / 1e9)
        return [build, age, memory, cpu, *(family for family in (held, cluster) if family.samples)]


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
