"""The processes of the agent, one file per kind: the only place that joins sources, tables, stores and pages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from workers._base import Worker

KINDS: Mapping[str, tuple[str, str]] = {
    "adapter": ("workers.adapter", "AdapterWorker"),
    "certificates": ("workers.certificates", "CertificatesWorker"),
    "watch": ("workers.watch", "WatchWorker"),
    "custom": ("workers.custom", "CustomWorker"),
    "elect": ("workers.elect", "ElectWorker"),
    "events": ("workers.events", "EventsWorker"),
    "identify": ("workers.cluster_uid", "IdentifyWorker"),
    "poll": ("workers.poll", "PollWorker"),
    "push": ("workers.push", "PushWorker"),
    "review": ("workers.review", "ReviewWorker"),
    "sample": ("workers.sample", "SampleWorker"),
    "shard": ("workers.statefulset_shard", "ShardWorker"),
    "web": ("workers.web", "WebWorker"),
}
"""Module and class of every kind of process by its name."""


def worker_class(kind: str) -> type[Worker]:
    """Return the class of a kind of process, a key of `KINDS`. Its module is imported by the first call."""
    module, name = KINDS[kind]
    found: type[Worker] = getattr(import_module(module), name)
    return found
