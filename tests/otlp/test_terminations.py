"""Ends of containers as log records."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from telegen.cadvisor.terminations.last_readings import LastReading
from telegen.cadvisor.terminations.statuses import EndedRun
from telegen.cadvisor.terminations.tracker import Termination
from telegen.otlp.termination_records import NO_READING, record_of, resource_of

START, END = "2026-11-28T10:00:00Z", "2026-11-28T10:06:32Z"
FULL = LastReading("c1", {"working_set": 200, "peak": 400, "limit": 500, "periods": 40, "throttled": 10, "oom_kills": 2})


def end(reported: bool = True, missed: int = 0, **run: Any) -> Termination:
    """Make an end."""
    return Termination("u", "shop", "web-1", "web", "app", EndedRun("c1", 3, **run), missed, reported)


def texts(record: LogRecord) -> dict[str, Any]:
    """Return the attributes of a record."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in record.attributes}


def test_all_that_is_known() -> None:
    """An OOM kill: exit code, signal, reason and lifetime of the status, memory, throttling and kills of the cgroup."""
    record = record_of(end(reason="OOMKilled", exit_code=137, started=START, finished=END), FULL, 5, {"telegen.collector.type": "api"})
    assert texts(record) == {
        "telegen.container.role": "app",
        "k8s.container.restart_count": 3,
        "k8s.container.status.reason": "OOMKilled",
        "process.exit.code": 137,
        "telegen.termination.signal": 9,
        "telegen.termination.lifetime": 392.0,
        "telegen.termination.memory.working_set": 200,
        "telegen.termination.memory.peak": 400,
        "telegen.termination.memory.limit": 500,
        "telegen.termination.cpu.throttled_ratio": 0.25,
        "telegen.termination.oom_kills": 2,
        "telegen.collector.type": "api",
    }
    assert (record.severity_number, record.severity_text, record.observed_time_unix_nano) == (13, "Warning", 5)
    assert record.time_unix_nano == 1795860392 * 10**9 and record.event_name == "telegen.container.terminated"
    assert record.body.string_value == (
        "container web of pod shop/web-1 ended: OOMKilled, exit code 137, signal 9, OOM kills 2, working set in bytes 200, "
        "memory limit in bytes 500, seconds of life 392.0"
    )


def test_kill_of_a_child() -> None:
    """A process that the OOM killer has ended without its container shows as a kill beside the container's own reason."""
    found = texts(record_of(end(reason="Completed", exit_code=0), LastReading("c1", {"oom_kills": 1}), 5, {}))
    assert (found["k8s.container.status.reason"], found["telegen.termination.oom_kills"]) == ("Completed", 1)
    assert "telegen.termination.signal" not in found


@pytest.mark.parametrize("kills", [{}, {"oom_kills": 0}, {"oom_kills": None}])
def test_kill_that_was_not_read(kills: dict[str, Any]) -> None:
    """A cgroup that is gone before its kill can be read: the reason of the status tells of one."""
    record = record_of(end(reason="OOMKilled", exit_code=137), LastReading("c1", kills), 5, {})
    assert texts(record)["telegen.termination.oom_kills"] == 1


@pytest.mark.parametrize(
    ("code", "signal", "severity"),
    [(0, None, 9), (1, None, 13), (128, None, 13), (129, 1, 13), (143, 15, 13), (255, None, 13), (None, None, 13)],
)
def test_signals_and_severity(code: int | None, signal: int | None, severity: int) -> None:
    """A signal is 128 less than the exit code; only an exit code of 0 is normal."""
    record = record_of(end(exit_code=code), NO_READING, 5, {})
    assert (texts(record).get("telegen.termination.signal"), record.severity_number) == (signal, severity)


def test_nothing_known() -> None:
    """A container of a pod that was deleted at once, never read: the record has its names and the time of the observation."""
    record = record_of(end(reported=False), NO_READING, 7, {})
    assert record.time_unix_nano == 7
    assert record.body.string_value == "container web of pod shop/web-1 ended after its pod was deleted"
    assert texts(record) == {"telegen.container.role": "app", "k8s.container.restart_count": 3}


def test_missed_and_unlimited() -> None:
    """Ends that were missed are counted; a limit of 0 is none, and times at the epoch are unknown."""
    run = {"started": "1970-01-01T00:00:00Z", "finished": END, "exit_code": 1}
    found = texts(record_of(end(missed=4, **run), LastReading("c1", {"limit": 0}), 5, {}))
    assert found["telegen.termination.missed"] == 4
    assert not found.keys() & {"telegen.termination.memory.limit", "telegen.termination.lifetime"}


def test_resource() -> None:
    """The resource is the container, with the labels of its pod."""
    assert resource_of(end(), {"app": "web"}) == {
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "web-1",
        "k8s.pod.uid": "u",
        "k8s.container.name": "web",
        "container.id": "c1",
        "k8s.pod.label.app": "web",
    }
