"""What is counted of a reflector."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.shm.heartbeats import Board
from workers._reflector_metrics import Observer


def test_end_of_a_watch_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose watches end when they were asked to is not silent, though they have brought nothing."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    before = time.time()
    if (pid := os.fork()) == 0:
        observer = Observer(Telemetry("watch-unscheduled"), logging.getLogger("test"), "pods")
        observer.watching()
        observer.followed()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    said = reading_registry(Board(1), {}).get_sample_value("telegen_store_last_event_timestamp_seconds", {"store": "pods"})
    assert said is not None and before <= said <= time.time()
