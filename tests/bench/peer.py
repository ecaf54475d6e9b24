"""kube-state-metrics on the same simulated cluster in the same run, for comparison.

The simulated API server speaks JSON only; from a real one kube-state-metrics takes protobuf, which costs it less to read.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.bench.front_door import quantile, scrape_concurrently
from tests.cluster.peer import Peer, peer
from tests.harness import drain, simulated

QUIET = 3.0
"""Seconds without CPU use after which it has synced."""

Figures = dict[str, float]


def measure_peer(pods: int) -> Figures:
    """Measure CPU to sync, memory and scrapes of kube-state-metrics with its default resources.

    Raises:
        Unavailable: it has not been built.
    """
    with tempfile.TemporaryDirectory() as folder, simulated(pods) as api:
        with peer(Path(folder) / "log", f"--apiserver={api}", "--enable-gzip-encoding") as other:
            figures = {**measure_running(other), **_concurrent(other)}
            return {**figures, "peer_scraped_mb": _memory(psutil.Process(other.process.pid))}


def measure_running(other: Peer) -> Figures:
    """Measure a kube-state-metrics that was just started."""
    process = psutil.Process(other.process.pid)
    cpu = _settled(process)
    figures = {"peer_sync_cpu_s": cpu, "peer_settled_mb": _memory(process)}
    return figures | _scrapes(process, other, "gzip", True) | _scrapes(process, other, "identity", False)


def _concurrent(other: Peer) -> Figures:
    """Measure concurrent gzip scrapers; see `tests.bench.front_door`."""
    figures = {}
    for count in (1, 10, 50, 100):
        started = time.monotonic()
        taken, _ = scrape_concurrently(urlsplit(other.url).port or 80, count, max(10.0, count / 2))
        figures[f"peer_load_{count}_per_s"] = len(taken) / (time.monotonic() - started)
        figures |= {f"peer_load_{count}_p50_ms": quantile(taken, 0.5), f"peer_load_{count}_p99_ms": quantile(taken, 0.99)}
    return figures


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def _settled(process: psutil.Process) -> float:
    """Measure CPU seconds until it is idle."""
    before, since = -1.0, time.monotonic()
    while time.monotonic() - since < QUIET:
        time.sleep(0.2)
        now = _cpu(process)
        if now - before > 0.01:
            before, since = now, time.monotonic()
    return before


def _scrapes(process: psutil.Process, other: Peer, name: str, gzip: bool) -> Figures:
    """Measure latency and CPU of a scrape."""
    drain(other.url, gzip)
    before = _cpu(process)
    latencies = [drain(other.url, gzip) for _ in range(3)]
    cpu = (_cpu(process) - before) / len(latencies)
    return {f"peer_{name}_latency_ms": 1000 * statistics.median(latencies), f"peer_{name}_cpu_ms": 1000 * cpu}
