"""Kubernetes events (events.k8s.io/v1) as OTLP log records."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from telegen.process.json_access import mapping, text

Event = Mapping[str, Any]

SEVERITIES: Mapping[str, int] = {"normal": 9, "warning": 13, "error": 17, "critical": 21}
"""Severity number (INFO, WARN, ERROR, FATAL) by the type of an event in lower case; other types count as normal."""
MAX_INT64 = (1 << 63) - 1
"""Largest integer of an attribute; receivers keep times in the same type, which ends in the year 2262."""
NAMED_KINDS: Mapping[str, str] = {
    "CronJob": "cronjob",
    "DaemonSet": "daemonset",
    "Deployment": "deployment",
    "HorizontalPodAutoscaler": "hpa",
    "Job": "job",
    "Node": "node",
    "PersistentVolume": "persistentvolume",
    "PersistentVolumeClaim": "persistentvolumeclaim",
    "Pod": "pod",
    "ReplicaSet": "replicaset",
    "Service": "service",
    "StatefulSet": "statefulset",
}
"""Part of an attribute's name by kind, for kinds that have attributes in the semantic conventions: k8s.pod.name, k8s.pod.uid."""


@dataclass(frozen=True)
class Occurrence:
    """Identity of one occurrence of an event: its count and its time."""

    count: int
    time: int


def severity(event: Event) -> int:
    """Return the severity number of an event."""
    return SEVERITIES.get(text(event, "type").lower(), SEVERITIES["normal"])


def occurrence(event: Event) -> Occurrence:
    """Return the occurrence that an event reports: the time is Unix time in nanoseconds."""
    return Occurrence(_count(event), next(_times(event), 0))


def _times(event: Event) -> Iterator[int]:
    """Yield the times of an event, the most telling first. The kubelet's events have deprecated times only."""
    series, metadata = mapping(event, "series"), mapping(event, "metadata")
    for written in (
        series.get("lastObservedTime"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        event.get("deprecatedFirstTimestamp"),
        metadata.get("creationTimestamp"),
    ):
        time = nanoseconds(written)
        if time:
            yield time


def nanoseconds(written: Any) -> int:
    """Return a time of the API as Unix time in nanoseconds; 0 if it is absent, malformed or beyond MAX_INT64."""
    try:
        found = datetime.fromisoformat(written)
        time = timegm(found.utctimetuple()) * 10**9 + found.microsecond * 1000
    except (TypeError, ValueError, OverflowError):
        return 0
    return time if 0 <= time <= MAX_INT64 else 0


def _count(event: Event) -> int:
    found = mapping(event, "series").get("count") or event.get("deprecatedCount") or 0
    return found if type(found) is int and abs(found) <= MAX_INT64 else 0


def resource_of(event: Event) -> dict[str, str]:
    """Return the resource attributes of the object that an event regards; nothing empty."""
    regarding = mapping(event, "regarding")
    kind, name, uid = (text(regarding, key) for key in ("kind", "name", "uid"))
    found = {
        "k8s.object.kind": kind,
        "k8s.object.name": name,
        "k8s.object.uid": uid,
        "k8s.object.fieldpath": text(regarding, "fieldPath"),
        "k8s.object.api_version": text(regarding, "apiVersion"),
        "k8s.object.resource_version": text(regarding, "resourceVersion"),
        "k8s.namespace.name": text(regarding, "namespace"),
    }
    if part := NAMED_KINDS.get(kind):
        found[f"k8s.{part}.name"] = name
        # The kubelet gives the name of its node as UID.
        found[f"k8s.{part}.uid"] = uid if uid != name else ""
    return {key: value for key, value in found.items() if value}


def record_of(event: Event, observed: int, extra: Mapping[str, str], held_back: int = 0) -> LogRecord:
    """Return the log record of an event.

    Args:
        observed: time at which the watch delivered it, in nanoseconds.
        extra: further attributes.
        held_back: events of the same object that a rate limit has kept back since the last record.
    """
    found = occurrence(event)
    record = LogRecord(
        time_unix_nano=found.time,
        observed_time_unix_nano=observed,
        severity_number=severity(event),  # type: ignore[arg-type]
        severity_text=text(event, "type"),
    )
    record.body.string_value = text(event, "note")
    for key, value in {**_attributes(event), **extra}.items():
        if value:
            added = record.attributes.add()
            added.key, added.value.string_value = key, value
    for key, number in (("k8s.event.count", found.count), ("telegen.event.held_back", held_back)):
        if number:
            added = record.attributes.add()
            added.key, added.value.int_value = key, number
    return record


def _attributes(event: Event) -> dict[str, str]:
    metadata, related, source = (mapping(event, key) for key in ("metadata", "related", "deprecatedSource"))
    return {
        "k8s.event.reason": text(event, "reason"),
        "k8s.event.action": text(event, "action"),
        "k8s.event.start_time": _go_time(metadata.get("creationTimestamp")),
        "k8s.event.name": text(metadata, "name"),
        "k8s.event.uid": text(metadata, "uid"),
        "k8s.event.type": text(event, "type"),
        "k8s.event.reporting_controller": text(event, "reportingController") or text(source, "component"),
        "k8s.event.reporting_instance": text(event, "reportingInstance") or text(source, "host"),
        "k8s.event.related.kind": text(related, "kind"),
        "k8s.event.related.name": text(related, "name"),
        "k8s.event.related.uid": text(related, "uid"),
        "k8s.namespace.name": text(metadata, "namespace"),
    }


def _go_time(written: Any) -> str:
    """Return a time as the collector's receiver writes it: 2026-11-28 10:06:32 +0000 UTC."""
    time = nanoseconds(written)
    return datetime.fromtimestamp(time // 10**9, timezone.utc).strftime("%Y-%m-%d %H:%M:%S +0000 UTC") if time else ""
