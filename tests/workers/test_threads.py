"""Threads of workers."""

from __future__ import annotations

import logging
import threading

import pytest

from workers import _threads
from workers._threads import start_again


def test_failed_thread_runs_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A thread of a process that must not end is run again after a failure, which the log shows with its cause."""
    monkeypatch.setattr(_threads, "AGAIN", 0.01)
    runs, enough = [0], threading.Event()

    def run() -> None:
        runs[0] += 1
        if runs[0] == 3:
            enough.set()
            threading.Event().wait()
        raise ValueError("cause")

    start_again("relist", run, logging.getLogger("telegen.adapter"))
    assert enough.wait(30)
    assert [record.getMessage() for record in caplog.records] == ["thread relist crashed; it runs again in 0 s"] * 2
    assert "ValueError: cause" in caplog.text
