"""Ends of containers as OTLP log records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Union

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from telegen.cadvisor.terminations.last_readings import LastReading
from telegen.cadvisor.terminations.tracker import Termination
from telegen.otlp.event_records import SEVERITIES, nanoseconds

SCOPE = "telegen.terminations"
EVENT_NAME = "telegen.container.terminated"
OOM_KILLED = "OOMKilled"
NO_READING = LastReading("")
"""Reading of a container that ended before the agent read it."""

_FIRST_SIGNAL, _LAST_SIGNAL = 129, 192
"""Exit codes of a process that a signal ended, as shells and container runtimes report it: 128 and the signal."""

Value = Union[str, int, float]


def severity(end: Termination) -> str:
    """Return `normal` for an exit code of 0, else `warning`: a key of SEVERITIES."""
    return "normal" if end.run.exit_code == 0 else "warning"


def resource_of(end: Termination, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the resource attributes of a container; nothing empty.

    Args:
        labels: of its pod.
    """
    found = {
        "k8s.namespace.name": end.namespace,
        "k8s.pod.name": end.pod,
        "k8s.pod.uid": end.uid,
        "k8s.container.name": end.container,
        "container.id": end.run.id,
        **{f"k8s.pod.label.{key}": value for key, value in labels.items()},
    }
    return {key: value for key, value in found.items() if value}


def record_of(end: Termination, last: LastReading, observed: int, extra: Mapping[str, str]) -> LogRecord:
    """Return the log record of an end.

    Args:
        last: what the agent read of the container, NO_READING if nothing.
        observed: time at which the agent learnt of it, in nanoseconds.
        extra: further attributes.
    """
    level = severity(end)
    record = LogRecord(
        time_unix_nano=nanoseconds(end.run.finished) or observed,
        observed_time_unix_nano=observed,
        severity_number=SEVERITIES[level],  # type: ignore[arg-type]
        severity_text=level.capitalize(),
        event_name=EVENT_NAME,
    )
    found = {**dict(_of_status(end)), **dict(_of_reading(end, last))}
    record.body.string_value = _sentence(end, found)
    for key, value in {**found, **extra}.items():
        added = record.attributes.add()
        added.key = key
        if isinstance(value, str):
            added.value.string_value = value
        elif isinstance(value, int):
            added.value.int_value = value
        else:
            added.value.double_value = value
    return record


def _of_status(end: Termination) -> Iterator[tuple[str, Value]]:
    """Yield the attributes that come from the status of the pod."""
    run = end.run
    yield "telegen.container.role", end.role
    yield "k8s.container.restart_count", run.number
    if run.reason:
        yield "k8s.container.status.reason", run.reason
    if run.exit_code is not None:
        yield "process.exit.code", run.exit_code
        if signal := run.signal or _signal(run.exit_code):
            yield "telegen.termination.signal", signal
    started, finished = nanoseconds(run.started), nanoseconds(run.finished)
    if started and finished:
        yield "telegen.termination.lifetime", max(0, finished - started) / 1e9
    if end.missed:
        yield "telegen.termination.missed", end.missed


def _of_reading(end: Termination, last: LastReading) -> Iterator[tuple[str, Value]]:
    """Yield the attributes that come from the cgroup."""
    values = last.values
    for name, value in (
        ("memory.working_set", values.get("working_set")),
        ("memory.peak", values.get("peak")),
        ("memory.limit", values.get("limit") or None),
        ("cpu.throttled_ratio", last.throttled_ratio),
    ):
        if value is not None:
            yield f"telegen.termination.{name}", value
    kills = values.get("oom_kills")
    # The cgroup may be gone before the agent can read the kill that has ended the container.
    if end.run.reason == OOM_KILLED:
        kills = max(1, kills or 0)
    if kills is not None:
        yield "telegen.termination.oom_kills", kills


def _signal(exit_code: int) -> int:
    return exit_code - 128 if _FIRST_SIGNAL <= exit_code <= _LAST_SIGNAL else 0


def _sentence(end: Termination, found: Mapping[str, Value]) -> str:
    """Return the body: one sentence for people."""
    text = f"container {end.container} of pod {end.namespace}/{end.pod} ended"
    if not end.is_reported:
        text += " after its pod was deleted"
    text += f": {end.run.reason}" if end.run.reason else ""
    for words, key in (
        ("exit code", "process.exit.code"),
        ("signal", "telegen.termination.signal"),
        ("OOM kills", "telegen.termination.oom_kills"),
        ("working set in bytes", "telegen.termination.memory.working_set"),
        ("memory limit in bytes", "telegen.termination.memory.limit"),
        ("seconds of life", "telegen.termination.lifetime"),
    ):
        if key in found:
            text += f", {words} {found[key]}"
    return text
