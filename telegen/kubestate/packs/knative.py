"""Knative Serving: services and their configurations."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import conditions, kind, rows, text_at
from telegen.metrics.family import Object

GROUP = "serving.knative.dev/v1"
READY, CREATED = "status.latestReadyRevisionName", "status.latestCreatedRevisionName"

_ready, _created = text_at(READY), text_at(CREATED)


def _matches(obj: Object) -> int | None:
    created = _created(obj)
    return int(created == _ready(obj)) if created else None


def _kind(name: str, plural: str) -> PackResource:
    help = "1 if the revision that was created last is ready, else 0"
    matches = rows("latest_ready_revision_matches", help, _matches, (), READY, CREATED)
    return kind(f"knative_{name.lower()}", GROUP, plural, name, matches, conditions())


PACK = Pack(
    "knative",
    "Services and configurations of Knative Serving.",
    (_kind("Service", "services"), _kind("Configuration", "configurations")),
)
