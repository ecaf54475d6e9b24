"""Passes of the process that keeps the certificates of the adapter, each in a process of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from telegen.config import Config
from workers._adapter import certificates_pass
from workers._adapter.certificates_loop import CertificatesLoop, Passed
from workers._base import Worker

STATE = bytes(1 << 20)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> CertificatesLoop:
    """A loop without metrics."""
    monkeypatch.setattr("workers._adapter.certificates_loop.CertificateTelemetry", lambda: None)
    config = Config()
    log = logging.getLogger("telegen.certificates")
    return CertificatesLoop(cast(Worker, SimpleNamespace(config=config, stop=threading.Event(), beat=lambda: None, log=log, shared=None)))


def aside(loop: CertificatesLoop, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> bytes | None:
    """Run a pass that does something else."""
    monkeypatch.setattr(certificates_pass, "run_pass", run)
    return loop._pass_aside()


def test_a_result_longer_than_a_pipe_arrives_whole(loop: CertificatesLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = aside(loop, monkeypatch, lambda *_: Passed(b"document", {"ca": 1.0}, STATE))
    assert answer and msgspec.msgpack.decode(answer, type=Passed) == Passed(b"document", {"ca": 1.0}, STATE)


def test_a_pass_that_crashes_ends_the_worker(loop: CertificatesLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="the pass ended without a result"):
        aside(loop, monkeypatch, lambda *_: 1 / 0)


def test_a_worker_that_stops_does_not_wait_for_its_pass(loop: CertificatesLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the pass is ended and reaped."""
    loop._worker.stop.set()
    assert aside(loop, monkeypatch, lambda *_: time.sleep(600)) is None
