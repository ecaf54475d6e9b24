"""Families of one object of any kind: those that the detail policy may leave out (see `telegen.kubestate.health.tally`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.conditions import FALSE, SHOWN, TRUE, UNKNOWN, Condition, good_status
from telegen.kubestate.health.overrides import condition_elements
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.status import CURRENT, NOTHING
from telegen.kubestate.health.status import UNKNOWN as UNKNOWN_STATUS
from telegen.kubestate.health.status import Health, dict_at, examine, time_of
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, FamilyGenerator, Generate, Object, Projection, Row, gauge

PREFIX = "telegen_customresource"
PHASE = f"{PREFIX}_phase"
NUMBERS = {TRUE: 1, FALSE: 0, UNKNOWN: -1}
PAUSED = ("paused", "suspend", "suspended", "pause")
"""Fields of spec that tell a controller to leave an object alone."""
READS = (
    *[f"spec.{name}" for name in PAUSED],
    *[f"status.{name}" for name in ("conditions", "health", "observedGeneration", "phase", "state")],
)
_REASON = re.compile(r"[A-Za-z0-9_:,]{1,64}", re.ASCII)


class View(NamedTuple):
    """Rows that objects in one state have in common."""

    ready: int
    conditions: tuple[tuple[str, int], ...]
    reasons: tuple[tuple[str, str, str, int], ...]
    phase: str


def view(health: Health) -> View:
    """Return the rows of an object."""
    shown = health.conditions[:SHOWN]
    return View(
        {CURRENT: 1, UNKNOWN_STATUS: -1}.get(health.status, 0),
        tuple([(condition.type, NUMBERS[condition.status]) for condition in shown]),
        tuple([(one.type, one.status, shown_reason(one.reason), 1) for one in shown if one.reason and _is_bad(one)]),
        health.phase,
    )


def _is_bad(condition: Condition) -> bool:
    good = good_status(condition.type)
    return bool(good) and condition.status != good


def shown_reason(reason: str) -> str:
    """Return a reason as a label value: `Other` for one that is not a short word, as the API conventions want it."""
    return reason if _REASON.fullmatch(reason) else "Other"


def _once_per_object(elements: str) -> Callable[[Object], Health]:
    """Make a function that keeps the health of the last object. PERF: three families read it, 6 us each."""
    last: tuple[Object | None, Health] = (None, NOTHING)

    def read(obj: Object) -> Health:
        nonlocal last
        if last[0] is not obj:
            last = (obj, examine(obj, elements))
        return last[1]

    return read


def _transitions(health: Health) -> Iterable[Row]:
    times = [(one.type, time_of(one.transition)) for one in health.conditions[:SHOWN]]
    return [row for row in times if row[1] is not None]


def _time(key: str) -> Generate:
    return lambda obj: time_of(dict_at(obj, "metadata").get(key))


def _paused(obj: Object) -> bool | None:
    spec = dict_at(obj, "spec")
    found = [value for name in PAUSED if isinstance(value := spec.get(name), bool)]
    return any(found) if found else None


def _replicas(paths: tuple[str, str]) -> Generate:
    """Make rows of the wanted and of the current replicas."""
    named = [(label, path.split(".")) for label, path in zip(("spec", "status"), paths) if path]

    def generate(obj: Object) -> Iterable[Row]:
        rows = [(label, _at(obj, path)) for label, path in named]
        return [row for row in rows if type(row[1]) is int]

    return generate


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _families(schema: Schema, elements: str) -> tuple[FamilyGenerator, ...]:
    """Make the families of one kind."""
    read = _once_per_object(elements)
    shared = Projection(lambda obj: view(read(obj)))
    return (
        gauge(
            f"{PREFIX}_ready", "1 for an object that is as its specification wants it, 0 for one that is not, -1 if nothing shows it.",
            ALPHA, lambda found: found.ready, input=shared,
        ),
        gauge(
            f"{PREFIX}_condition", "1 for a condition that is True, 0 for False, -1 for Unknown (status.conditions[].status).",
            ALPHA, lambda found: found.conditions, "type", input=shared,
        ),
        gauge(
            f"{PREFIX}_condition_reason",
            "One series per condition that is not in its good status, always 1; reasons that are no short words are Other "
            "(status.conditions[].reason).",
            ALPHA, lambda found: found.reasons, "type", "status", "reason", input=shared,
        ),
        gauge(
            f"{PREFIX}_condition_last_transition_timestamp_seconds",
            "Last change of the status of a condition in Unix seconds (status.conditions[].lastTransitionTime).",
            ALPHA, lambda obj: _transitions(read(obj)), "type",
        ),
        gauge(
            PHASE, "One series per object, always 1; its phase (status.phase, else status.state).",
            ALPHA, lambda found: [(found.phase, 1)] if found.phase else (), "phase", input=shared,
        ),
        gauge(
            f"{PREFIX}_generation_lag",
            "Generations that the controller has not processed (metadata.generation less status.observedGeneration).",
            ALPHA, lambda obj: read(obj).lag,
        ),
        gauge(
            f"{PREFIX}_created", "Creation time in Unix seconds (metadata.creationTimestamp).", ALPHA, _time("creationTimestamp"),
        ),
        gauge(
            f"{PREFIX}_deletion_timestamp_seconds",
            "End of the grace period of an object that is being deleted, in Unix seconds (metadata.deletionTimestamp).",
            ALPHA, _time("deletionTimestamp"),
        ),
        gauge(
            f"{PREFIX}_paused", "1 for an object that its controller leaves alone, 0 for others (spec.paused, spec.suspend).",
            ALPHA, _paused,
        ),
        gauge(
            f"{PREFIX}_replicas",
            "Wanted and current replicas, by the paths of the subresource scale of the kind's definition.",
            ALPHA, _replicas(schema.replicas), "what",
        ),
    )  # fmt: skip


def health_resource(kind: Kind, schema: Schema = Schema()) -> Resource:
    """Return the resource of a kind with the families of its health."""
    elements = condition_elements(kind.group, kind.kind)
    return Resource(
        name=kind.plural,
        group=kind.group,
        version=kind.version,
        kind=kind.kind,
        namespaced=kind.namespaced,
        identity=(("group", lambda obj: kind.group), ("kind", lambda obj: kind.kind), NAMESPACE, name_label("name")),
        families=_families(schema, elements),
        reads=(*READS, *([f"status.{elements}"] if elements else []), *filter(None, schema.replicas)),
    )
