"""Signals to the supervisor."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from telegen.supervisor.signals import NOTED, Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Installed handlers; those of pytest are restored afterwards."""
    before = {number: signal.getsignal(number) for number in NOTED}
    made = Signals()
    made.install()
    yield made
    made.forsake()
    for number, handler in before.items():
        signal.signal(number, handler)


def taken(signals: Signals) -> list[str]:
    """Return the names of pending signals, without those of processes that an earlier test has left."""
    return [name for name in signals.take() if name != "chld"]


def test_names_in_order_of_arrival(signals: Signals) -> None:
    """Each signal is taken once."""
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
        os.kill(os.getpid(), number)
    assert taken(signals) == ["hup", "usr1", "hup"]
    assert taken(signals) == []


def test_signal_ends_a_wait(signals: Signals) -> None:
    """A wait ends at once, also when the signal arrived before it."""
    for delay in (0.0, 0.1):
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        if not delay:
            timer.join()
        signals.wait(1000.0)
        timer.join()
    assert taken(signals) == ["usr1", "usr1"]


def test_wait_without_a_signal(signals: Signals) -> None:
    """It lasts for the timeout."""
    started = time.monotonic()
    signals.wait(0.05)
    assert time.monotonic() - started >= 0.05
    assert taken(signals) == []


def test_signals_of_a_child_do_not_reach_the_parent(signals: Signals) -> None:
    """A forked child that has closed its side of the pipe does not wake the parent."""
    if (pid := os.fork()) == 0:
        signals.forsake()
        os.kill(os.getpid(), signal.SIGUSR1)
        os._exit(0)
    os.waitpid(pid, 0)
    assert set(signals.take()) <= {"chld"}


def test_many_open_files() -> None:
    """A wait works where the pipe's descriptors are beyond those that select(2) can name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        Signals().wait(0.01)
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
