"""Families of the containers of a pod: the regular ones and, under names of their own, the init containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from telegen.kubestate.fields import each, items, seconds, text
from telegen.kubestate.quantity import milli, resource_class, whole
from telegen.metrics.family import Generate, Object, Row

Status = dict[str, Any]

node_name = text("spec.nodeName")


def name(container: Status) -> str:
    """The name of a container, of its spec or its status."""
    return container.get("name") or ""


def info(specs: str, statuses: str, with_restart_policy: bool) -> Generate:
    """Rows of containers that have a status: images as asked for and as running, and the id."""
    read_specs, read_statuses = items(specs), items(statuses)

    def row(spec: Status, status: Status) -> Row:
        images = (
            spec.get("image") or "",
            status.get("image") or "",
            status.get("imageID") or "",
            status.get("containerID") or "",
        )
        policy = (spec.get("restartPolicy") or "",) if with_restart_policy else ()
        return (name(spec), *images, *policy, 1)

    def generate(obj: Object) -> Iterable[Row]:
        found = read_statuses(obj)
        if not found:
            return ()
        by_name = {name(status): status for status in found}
        return [row(spec, by_name[name(spec)]) for spec in read_specs(obj) if name(spec) in by_name]

    return generate


def resources(specs: str, what: str) -> Generate:
    """Rows of the requests or limits of each container: cpu in thousandths of a core, the rest in whole units."""
    read_specs = items(specs)

    def generate(obj: Object) -> Iterable[Row]:
        node = node_name(obj)
        rows: list[Row] = []
        for spec in read_specs(obj):
            container, amounts = name(spec), (spec.get("resources") or {}).get(what)
            for resource, quantity in (amounts or {}).items():
                known = resource_class(resource)
                if known:
                    value = milli(quantity) if known[1] == "core" else whole(quantity)
                    rows.append((container, node, known[0], known[1], value))
        return rows

    return generate


def in_state(statuses: str, state: str) -> Generate:
    """1 or 0 per container: whether it is running, waiting or terminated."""
    return each(statuses, lambda status: (status.get("name") or "", (status.get("state") or {}).get(state) is not None))


def reason(statuses: str, state: str, field: str = "state") -> Generate:
    """The reason of each container that is, or with `lastState` was, in a state."""

    def row(status: Status) -> Row | None:
        now = (status.get(field) or {}).get(state)
        return None if now is None else (name(status), now.get("reason") or "", 1)

    return each(statuses, row)


def last_terminated(statuses: str, value: Callable[[Status], Any]) -> Generate:
    """A number of the last termination of each container that was terminated before."""

    def row(status: Status) -> Row | None:
        before = (status.get("lastState") or {}).get("terminated")
        return None if before is None else (name(status), value(before))

    return each(statuses, row)


def last_exit_code(statuses: str) -> Generate:
    """Exit code of the last termination."""
    return last_terminated(statuses, lambda before: before.get("exitCode") or 0)


def last_finished(statuses: str) -> Generate:
    """Time of the last termination; the zero time where the API has none."""
    return last_terminated(statuses, lambda before: seconds(before.get("finishedAt")))


def started(statuses: str) -> Generate:
    """Start of each container that is running or terminated; the zero time where the API has none."""

    def row(status: Status) -> Row | None:
        state = status.get("state") or {}
        now = state.get("running")
        if now is None:
            now = state.get("terminated")
        return None if now is None else (name(status), seconds(now.get("startedAt")))

    return each(statuses, row)


def ready(statuses: str) -> Generate:
    """Readiness of each container."""
    return each(statuses, lambda status: (name(status), status.get("ready") or False))


def restarts(statuses: str) -> Generate:
    """Restart count of each container."""
    return each(statuses, lambda status: (name(status), status.get("restartCount") or 0))
