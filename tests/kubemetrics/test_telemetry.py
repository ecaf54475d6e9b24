"""Aggregation of metrics of several processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telegen.kubemetrics.telemetry import Telemetry, forget, reading_registry
from telegen.shm.heartbeats import Heartbeats


def say(process: str, objects: int, synced: float) -> None:
    """Set gauges of a store in a process of this name, which then ends."""
    pid = os.fork()
    if pid == 0:
        telemetry = Telemetry(process)
        telemetry.note_size("pods", objects, objects // 10, objects * 100)
        telemetry.last_event.labels("pods").set(synced + 1)
        telemetry.last_sync.labels("pods").set(synced)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_parts_of_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of the parts of a store add up; of times the oldest counts, that of the part that lags behind; values of processes
    that were ended on purpose are dropped."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    say("watch-pods-0", 30, 2000.0)
    say("watch-pods-1", 20, 1000.0)
    registry = reading_registry(Heartbeats(1), {})

    def shown() -> list[float | None]:
        names = ("objects", "pages", "bytes", "last_event_timestamp_seconds", "last_sync_timestamp_seconds")
        return [registry.get_sample_value(f"telegen_store_{name}", {"store": "pods"}) for name in names]

    assert shown() == [50, 5, 5000, 1001, 1000]
    say("watch-pods-1", 40, 3000.0)
    assert shown() == [70, 7, 7000, 2001, 2000]
    forget("watch-pods-0")
    assert shown() == [40, 4, 4000, 3001, 3000]


def test_file_that_is_not_filled_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty value files of processes that have just started do not hide the values of the others."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    say("watch-pods-0", 30, 2000.0)
    (tmp_path / "gauge_livesum_watch-pods-1.db").touch()
    (tmp_path / "gauge_livesum_watch-pods-2.db").write_bytes(bytes(1 << 20))
    assert reading_registry(Heartbeats(1), {}).get_sample_value("telegen_store_objects", {"store": "pods"}) == 30


def test_values_of_the_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked process that abandons its parent's values maps and opens none of their files, and the parent goes on counting."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    telemetry = Telemetry("supervisor")
    telemetry.reloads.labels("success").inc()
    pid = os.fork()
    if pid == 0:
        telemetry.abandon()
        held = [os.readlink(f"/proc/self/fd/{number}") for number in range(3, 256) if os.path.lexists(f"/proc/self/fd/{number}")]
        is_free = str(tmp_path) not in Path("/proc/self/maps").read_text() and not any(str(tmp_path) in path for path in held)
        os._exit(0 if is_free else 1)
    assert os.waitpid(pid, 0)[1] == 0
    telemetry.reloads.labels("success").inc()
    assert reading_registry(Heartbeats(1), {}).get_sample_value("telegen_config_reloads_total", {"result": "success"}) == 2
