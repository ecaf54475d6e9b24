"""What the agent says of itself (D11): counted in every process, read by whichever web worker is asked.

prometheus_client keeps the values in files that all processes map. They are named by worker, not by pid, so a restart
neither loses counters nor adds files. Figures of other processes (heartbeat, memory) are read from the board when
asked.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from telegen import __version__
from telegen.shm.heartbeats import Board

Mode = Literal["livemostrecent", "livesum", "livemin"]
"""How the values of several processes become one; those of processes that are forgotten do not count."""
LAST_EVENT = "telegen_store_last_event_timestamp_seconds"
_PREFIX = "telegen-telemetry-"
_LOCK = "lock"


def make_folder() -> str:
    """A new folder for the value files, in memory where there is a tmpfs; folders of agents that were killed are
    removed.

    Returns:
        Its path; also put into the environment, where prometheus_client looks for it.
    """
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    for left in base.glob(f"{_PREFIX}*"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base)
    # Locked until the last of our processes has ended, as they inherit it. A pid would not do: in a container, whose files
    # outlive it when it is started again, ours is always 1.
    fcntl.flock(os.open(f"{folder}/{_LOCK}", os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder


def _is_left(folder: Path) -> bool:
    """Whether nobody uses a folder any more. One that is being made just now, or another user's, is not ours to judge."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


class Telemetry:
    """The agent's own metrics, as one process counts them."""

    def __init__(self, process: str) -> None:
        """Open this process's value files.

        Args:
            process: the worker's name; whoever has it next goes on counting where this one ends.
        """
        values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry(auto_describe=False)

        def gauge(name: str, text: str, *labels: str, mode: Mode = "livemostrecent") -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        # Several processes may have a part of a store each: what they hold adds up, and the one that is behind counts.
        self.objects = gauge("telegen_store_objects", "Objects held by a store.", "store", mode="livesum")
        self.pages = gauge("telegen_store_pages", "Pages held by a store.", "store", mode="livesum")
        self.store_bytes = gauge("telegen_store_bytes", "Shared memory that the pages of a store take.", "store", mode="livesum")
        self.left_out = gauge(
            "telegen_store_left_out_objects",
            "Objects that object_limit left out of the last list; NaN where the API server does not say how many.",
            "store",
        )
        self.last_event = gauge(
            LAST_EVENT,
            "Time of the last answer or event of the source, bookmarks included; absent for resources that the API server lacks.",
            "store",
            mode="livemin",
        )
        self.last_sync = gauge(
            "telegen_store_last_sync_timestamp_seconds", "When the store last took a whole new state.", "store", mode="livemin"
        )
        self.lists = counter("telegen_api_lists_total", "Whole states asked for, by list or by watch.", "store", "by")
        self.watches = counter("telegen_api_watches_total", "Watches opened.", "store")
        self.relists = counter("telegen_api_relists_total", "Lists after the first one.", "store")
        self.events = counter("telegen_api_events_total", "Watch events received.", "store")
        self.received = counter("telegen_api_received_bytes_total", "Bytes of answers, after decompression.", "store")
        self.errors = counter("telegen_api_errors_total", "Failed requests and broken streams.", "store", "reason")
        self.malformed = counter("telegen_malformed_objects_total", "Objects left out because they cannot be read.", "store")
        self.generate_errors = counter(
            "telegen_generate_errors_total",
            "Families left out for an object that they could not read.",
            "store",
            "family",
        )
        self._open_more(registry, gauge, counter)

    def _open_more(self, registry: CollectorRegistry, gauge: Callable[..., Gauge], counter: Callable[..., Counter]) -> None:
        """What is not about stores and the API."""
        self.lease_requests = counter("telegen_lease_requests_total", "Requests about Leases, watches left out.", "verb")
        self.sample_errors = counter("telegen_sample_errors_total", "Control files that could not be read.", "reason")
        self.unnamed = gauge(
            "telegen_sample_unnamed_containers", "Containers of which neither their runtime's files nor the API tell."
        )
        self.sample_seconds = gauge("telegen_sample_duration_seconds", "How long the last pass over the cgroups took.")
        self.restarts = counter("telegen_worker_restarts_total", "Processes started again after they ended.", "worker")
        self.shard = gauge("telegen_shard_ordinal", "Which shard of the objects this agent takes, from 0.")
        self.total_shards = gauge(
            "telegen_total_shards", "How many agents divide the objects; 0: not known yet, or not by ordinals."
        )
        self.reloads = counter("telegen_config_reloads_total", "Configuration reloads.", "result")
        self.scrape_seconds = Histogram(
            "telegen_scrape_duration_seconds",
            "Time to put a page together, sending not included.",
            ("path", "coding"),
            registry=registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
        )
        self.scrape_bytes = counter("telegen_scrape_bytes_total", "Bytes of pages before transfer.", "path", "coding")

    def note_shard(self, shard: tuple[int, int] | None) -> None:
        """Say which share of the objects is taken, None where that is not by ordinals."""
        number, total = shard or (0, 0)
        self.shard.set(number)
        self.total_shards.set(total)

    def note_size(self, store: str, objects: int, pages: int, stored_bytes: int) -> None:
        """Say how much a store holds."""
        self.objects.labels(store).set(objects)
        self.pages.labels(store).set(pages)
        self.store_bytes.labels(store).set(stored_bytes)


def forget(process: str) -> None:
    """Drop the gauges of a process that is not wanted any more, or not as it was; its counters stay.

    Else what it said last, of stores that are another agent's or another process's now, would look like stores that hear
    nothing, or be counted twice.
    """
    mark_process_dead(process)  # type: ignore[no-untyped-call]


class _Values(Collector):
    """What is in the value files: a file that a process has just made and not filled yet, or that has just been forgotten,
    is as good as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Read them all."""
        files = [str(file) for file in self._folder.glob("*.db") if _size(file)]
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
    """Heartbeat age and resident memory of every worker, the shards that are served, and the cluster, read when asked."""

    def __init__(
        self, board: Board, rows: Mapping[str, int], shards: Callable[[], Mapping[str, bool]], uid: Callable[[], str]
    ) -> None:
        self._board, self._rows, self._shards, self._uid = board, rows, shards, uid

    def collect(self) -> Iterable[Metric]:
        build = GaugeMetricFamily("telegen_build_info", "Version of the agent.", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        age = GaugeMetricFamily(
            "telegen_worker_heartbeat_age_seconds",
            "Time since a process last said that it is alive.",
            labels=["worker"],
        )
        memory = GaugeMetricFamily(
            "telegen_worker_resident_memory_bytes",
            "Resident memory of a process, pages shared with others included.",
            labels=["worker"],
        )
        held = GaugeMetricFamily(
            "telegen_shard_served",
            "Whether this agent serves a shard of the cluster now; over all agents each shard adds up to 1.",
            labels=["lease"],
        )
        cluster = GaugeMetricFamily(
            "telegen_cluster_info",
            "UID of the cluster: of its namespace kube-system. On agents that need it, or watch the namespace anyway.",
            labels=["uid"],
        )
        uid = self._uid()
        if uid:
            cluster.add_metric([uid], 1)
        for lease, served in self._shards().items():
            held.add_metric([lease], float(served))
        for worker, row in self._rows.items():
            if self._board.age(row) == float("inf"):
                # Of a shard that this agent does not serve.
                continue
            age.add_metric([worker], self._board.age(row))
            resident = _resident(self._board.pid(row))
            if resident is not None:
                memory.add_metric([worker], resident)
        return [build, age, memory, *(family for family in (held, cluster) if family.samples)]


def _resident(pid: int) -> float | None:
    """Resident bytes of a process, None when it is not there."""
    try:
        return float(psutil.Process(pid).memory_info().rss) if pid else None
    except psutil.Error:
        return None


def reading_registry(
    board: Board, rows: Mapping[str, int], shards: Callable[[], Mapping[str, bool]] = dict, uid: Callable[[], str] = str
) -> CollectorRegistry:
    """A registry that reads what all processes have counted.

    Args:
        board: where processes show that they are alive.
        rows: worker name to its row there.
        shards: tells, by Lease, whether this agent serves the shard now.
        uid: tells which cluster it is, "" before that is known.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Values(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
    registry.register(_Processes(board, rows, shards, uid))
    return registry
