"""Metrics of a reflector."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.store_status import Kind, StoreStatus
from workers._reflector_metrics import ReflectorMetrics


def last_event(folder: Path, act: Callable[[ReflectorMetrics], None]) -> float | None:
    """Time of the last event of a store, as a scrape shows it, after a process has reported something."""
    if (pid := os.fork()) == 0:
        act(ReflectorMetrics(Telemetry("watch-cluster"), logging.getLogger("test"), "pods"))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return reading_registry(Heartbeats(1), {}).get_sample_value("telegen_store_last_event_timestamp_seconds", {"store": "pods"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the value files."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def test_answered_watch_is_a_sign_of_life(folder: Path) -> None:
    """A source that answers watches is not silent, though they deliver nothing."""
    before = time.time()
    value = last_event(folder, ReflectorMetrics.answered)
    assert value is not None and before <= value <= time.time()


def test_resource_that_the_server_lacks(folder: Path) -> None:
    """A resource that the API server does not serve has no time of a last event and no error, so that no alert fires."""
    assert last_event(folder, lambda observer: observer.absent(30.0)) is None
    assert reading_registry(Heartbeats(1), {}).get_sample_value("telegen_api_errors_total", {"store": "pods", "reason": "404"}) is None


def test_resource_that_is_removed_and_returns(folder: Path) -> None:
    """The time of the last event ends when a resource is removed, and begins anew when it is served again."""

    def removed(observer: ReflectorMetrics) -> None:
        observer.answered()
        observer.absent(30.0)

    def returned(observer: ReflectorMetrics) -> None:
        removed(observer)
        observer.answered()

    assert last_event(folder, removed) is None
    assert last_event(folder, returned) is not None


def test_log_of_a_resource_that_the_server_lacks(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first 404 is one line at info, the next ones are debug, as are watches that deliver nothing."""
    observer = ReflectorMetrics(Telemetry("watch-cluster"), logging.getLogger("test"), "pods")
    with caplog.at_level(logging.DEBUG):
        for report in (lambda: observer.absent(30.0), lambda: observer.absent(40.0), observer.quiet):
            report()
    assert [record.levelname for record in caplog.records] == ["INFO", "DEBUG", "DEBUG"]
    assert "does not serve this resource (404)" in caplog.records[0].message


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (lambda observer: observer.absent(30.0), "404 Not Found: the API server does not serve pods"),
        (
            lambda observer: observer.failed("403", '403 Forbidden: User "a" cannot watch resource "pods"', 30.0),
            "403 Forbidden: no right to watch pods; apply k8s/account/rbac.yaml",
        ),
        (lambda observer: observer.failed("unreachable", "http://x: refused", 8.2), "unreachable: http://x: refused; retrying in 8 s"),
        (lambda observer: observer.failed("500", "500 InternalError: etcd", 1.0), "500 InternalError: etcd; retrying in 1 s"),
        (lambda observer: observer.failed("unknown_event", "ignored an event", 0.0), ""),
    ],
)
def test_cause_for_readiness(folder: Path, act: Callable[[ReflectorMetrics], None], cause: str) -> None:
    """The cause of a refusal or failure is kept until the next answer."""
    status = StoreStatus()
    observer = ReflectorMetrics(Telemetry("watch-cluster"), logging.getLogger("test"), "pods/shop", status)
    observer.listing("list", False)
    observer.synced(0.1)
    act(observer)
    assert status.read().cause == cause
    observer.watching()
    observer.answered()
    assert (status.read().kind, status.read().cause) == (Kind.SYNCED, "")


def test_cure_of_a_missing_right_to_list_secrets(folder: Path) -> None:
    """The line names the component with the right, and the setting that does without."""
    status = StoreStatus()
    observer = ReflectorMetrics(Telemetry("watch-cluster"), logging.getLogger("test"), "secrets/shop", status)
    observer.failed("403", '403 Forbidden: User "a" cannot list resource "secrets"', 30.0)
    cure = "apply k8s/components/secrets, or add secrets to kube_metrics.kube_state.resources_exclude"
    assert status.read().cause == f"403 Forbidden: no right to list secrets; {cure}"
