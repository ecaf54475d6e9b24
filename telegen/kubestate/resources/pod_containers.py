"""Families of the containers of a pod: one table, made once for regular containers and once for init containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from telegen.kubestate.fields import each, items, seconds, text
from telegen.kubestate.quantity import Quantity, milli, resource_classes, whole
from telegen.metrics.family import (
    ALPHA,
    STABLE,
    FamilyGenerator,
    Generate,
    Number,
    Object,
    Projection,
    Row,
    counter,
    gauge,
)

Status = dict[str, Any]


def name(container: Status) -> str:
    """Return the name in a spec or a status of a container."""
    return container.get("name") or ""


def info(specs: str, statuses: str, with_restart_policy: bool) -> Generate:
    """Make the generate function of the info family: a row for each pair of a spec and a status of one name."""
    read_specs, read_statuses = items(specs), items(statuses)

    def generate(obj: Object) -> Iterable[Row]:
        by_name = [(name(status), status.get) for status in read_statuses(obj)]
        rows: list[Row] = []
        # A pod has few containers: comparing all names is faster than a dict. Malformed pods may repeat a name.
        for spec in read_specs(obj) if by_name else ():
            container = name(spec)
            for other, get in by_name:
                if other == container:
                    images = spec.get("image") or "", get("image") or "", get("imageID") or ""
                    # Always for a sidecar, which is an init container that keeps running.
                    policy = (spec.get("restartPolicy") or "",) if with_restart_policy else ()
                    rows.append((container, *images, get("containerID") or "", *policy, 1))
        return rows

    return generate


@lru_cache(maxsize=16384)
def _amounts(resource: str, quantity: Quantity) -> tuple[tuple[str, str, Number], ...]:
    """Return (resource, unit, value) for each unit of a resource. PERF: 2 us, from the cache 0.2."""
    return tuple(
        [(*known, milli(quantity) if known[1] == "core" else whole(quantity)) for known in resource_classes(resource)]
    )


Quantities = tuple[tuple[str, Quantity], ...]
"""(resource, quantity) of each entry of a ResourceList."""
Demand = tuple[tuple[str, Quantities, Quantities], ...]
"""(name, limits, requests) of each container."""


def demand(specs: str) -> Projection:
    """Make the projection for requests and limits. Pods of one workload share it; only the label `node` differs."""
    read_specs = items(specs)

    def read(obj: Object) -> Demand:
        found = []
        for spec in read_specs(obj):
            get = (spec.get("resources") or {}).get
            # Tuples, because a projection must be hashable.
            limits, requests = get("limits") or {}, get("requests") or {}
            found.append((spec.get("name") or "", tuple(limits.items()), tuple(requests.items())))
        return tuple(found)

    return Projection(read, "node", text("spec.nodeName"))


def limits(containers: Demand) -> Iterable[Row]:
    """Return a row per limit: cpu rounded to thousandths of a core, other resources to integers."""
    return [(name, *amount) for name, limits, _ in containers for one in limits for amount in _amounts(*one)]


def requests(containers: Demand) -> Iterable[Row]:
    """Return a row per request, rounded like limits."""
    return [(name, *amount) for name, _, requests in containers for one in requests for amount in _amounts(*one)]


class State(NamedTuple):
    """State of a container without times and IDs, so that many containers have an equal one.

    Attributes:
        running: True in the state running.
        waiting, terminated: reason of that state; None in another state.
        last: reason of the last termination; None if there was none.
        last_exit_code: exit code of the last termination.
    """

    name: str
    ready: bool
    restarts: int
    running: bool
    waiting: str | None
    terminated: str | None
    last: str | None
    last_exit_code: int


def states(statuses: str) -> Projection:
    """Make the projection for most families of containers."""
    read = items(statuses)

    # PERF: 0.1 us; State(...) takes 0.4, for each container of each pod.
    new: Any = tuple.__new__

    def state(status: Status) -> State:
        get, now, before = status.get, status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
        waiting, terminated = now.get("waiting"), now.get("terminated")
        values = (
            get("name") or "",
            get("ready") or False,
            get("restartCount") or 0,
            now.get("running") is not None,
            None if waiting is None else waiting.get("reason") or "",
            None if terminated is None else terminated.get("reason") or "",
            None if before is None else before.get("reason") or "",
            0 if before is None else before.get("exitCode") or 0,
        )
        made: State = new(State, values)
        return made

    return Projection(lambda obj: tuple([state(status) for status in read(obj)]))


def ready(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.ready) for container in containers]


def restarts(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.restarts) for container in containers]


def running(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.running) for container in containers]


def waiting(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.waiting is not None) for container in containers]


def terminated(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.terminated is not None) for container in containers]


def waiting_reason(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.waiting, 1) for container in containers if container.waiting is not None]


def terminated_reason(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.terminated, 1) for container in containers if container.terminated is not None]


def last_reason(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.last, 1) for container in containers if container.last is not None]


def last_exit_code(containers: Iterable[State]) -> Iterable[Row]:
    return [(container.name, container.last_exit_code) for container in containers if container.last is not None]


def last_finished(statuses: str) -> Generate:
    """Make a generate function of the last termination of each container that has one; an absent time is the zero time."""

    def row(status: Status) -> Row | None:
        before = (status.get("lastState") or {}).get("terminated")
        return None if before is None else (name(status), seconds(before.get("finishedAt")))

    return each(statuses, row)


def started(statuses: str) -> Generate:
    """Make a generate function of the start of each running or terminated container; an absent time is the zero time."""
    read = items(statuses)

    def generate(obj: Object) -> Iterable[Row]:
        rows: list[Row] = []
        for status in read(obj):
            state = status.get("state") or {}
            now = state.get("running")
            if now is None:
                now = state.get("terminated")
            if now is not None:
                rows.append((status.get("name") or "", seconds(now.get("startedAt"))))
        return rows

    return generate


class ContainerKind(NamedTuple):
    """One of the two lists of containers of a pod.

    Attributes:
        prefix: of the names of its families.
        noun: one container of the list, in HELP texts.
        specs, statuses: paths of the two lists in the pod.
        alpha: endings of the names of families that are ALPHA for this kind and STABLE for the other.
        info_labels: labels of the info family that the other kind does not have.
    """

    prefix: str
    noun: str
    specs: str
    statuses: str
    alpha: frozenset[str] = frozenset()
    info_labels: tuple[str, ...] = ()

    def family(
        self, ending: str, help: str, generate: Generate, *labels: str,
        input: Projection | None = None, make: Callable[..., FamilyGenerator] = gauge, alpha: bool = False,
    ) -> FamilyGenerator:
        """Make a family of this kind; `alpha` if it is ALPHA for both kinds."""
        stability = ALPHA if alpha or ending in self.alpha else STABLE
        return make(f"{self.prefix}_{ending}", help, stability, generate, "container", *labels, input=input)


REGULAR = ContainerKind("kube_pod_container", "container", "spec.containers", "status.containerStatuses")
INIT = ContainerKind(
    "kube_pod_init_container", "init container", "spec.initContainers", "status.initContainerStatuses",
    alpha=frozenset({"resource_limits", "resource_requests", "state_started", "status_waiting_reason"}),
    info_labels=("restart_policy",),
)


def container_families(kind: ContainerKind) -> tuple[FamilyGenerator, ...]:
    """Make the families of one kind of containers, in the order of exposition."""
    state = states(kind.statuses)
    return (
        _info_family(kind),
        *_resource_families(kind),
        _started_family(kind),
        *_last_termination_families(kind, state),
        *_state_families(kind, state),
        *_waiting_families(kind, state),
    )


def _info_family(kind: ContainerKind) -> FamilyGenerator:
    specs, statuses = kind.specs, kind.statuses
    return kind.family(
        "info", f"One series per {kind.noun} with a status, always 1; images and ID ({specs}[].image, {statuses}[].containerID).",
        info(specs, statuses, bool(kind.info_labels)), "image_spec", "image", "image_id", "container_id", *kind.info_labels,
    )


def _resource_families(kind: ContainerKind) -> tuple[FamilyGenerator, ...]:
    noun, specs, resources = kind.noun, kind.specs, demand(kind.specs)
    labels = ("node", "resource", "unit")
    return (
        kind.family(
            "resource_limits", f"Limit of each resource of the {noun}, in the unit of the label unit ({specs}[].resources.limits).",
            limits, *labels, input=resources,
        ),
        kind.family(
            "resource_requests", f"Request of each resource of the {noun}, in the unit of the label unit ({specs}[].resources.requests).",
            requests, *labels, input=resources,
        ),
    )


def _started_family(kind: ContainerKind) -> FamilyGenerator:
    noun, statuses = kind.noun, kind.statuses
    return kind.family(
        "state_started",
        f"Start of the running or terminated {noun} in Unix seconds "
        f"({statuses}[].state.running.startedAt, {statuses}[].state.terminated.startedAt).",
        started(statuses),
    )


def _last_termination_families(kind: ContainerKind, state: Projection) -> tuple[FamilyGenerator, ...]:
    noun, statuses = kind.noun, kind.statuses
    return (
        kind.family(
            "status_last_terminated_reason",
            f"One series per restarted {noun}, always 1; reason of its last termination ({statuses}[].lastState.terminated.reason).",
            last_reason, "reason", input=state, alpha=True,
        ),
        kind.family(
            "status_last_terminated_exitcode",
            f"Exit code of the last termination of the {noun} ({statuses}[].lastState.terminated.exitCode).",
            last_exit_code, input=state, alpha=True,
        ),
        kind.family(
            "status_last_terminated_timestamp",
            f"Time of the last termination of the {noun} in Unix seconds ({statuses}[].lastState.terminated.finishedAt).",
            last_finished(statuses), alpha=True,
        ),
    )


def _state_families(kind: ContainerKind, state: Projection) -> tuple[FamilyGenerator, ...]:
    noun, statuses = kind.noun, kind.statuses
    return (
        kind.family("status_ready", f"1 if the {noun} is ready, 0 if not ({statuses}[].ready).", ready, input=state),
        kind.family(
            "status_restarts_total", f"Number of restarts of the {noun} ({statuses}[].restartCount).", restarts,
            input=state, make=counter,
        ),
        kind.family("status_running", f"1 if the {noun} is running, 0 if not ({statuses}[].state.running).", running, input=state),
        kind.family(
            "status_terminated", f"1 if the {noun} has terminated, 0 if not ({statuses}[].state.terminated).", terminated, input=state,
        ),
        kind.family(
            "status_terminated_reason",
            f"One series per terminated {noun}, always 1; reason of the termination ({statuses}[].state.terminated.reason).",
            terminated_reason, "reason", input=state, alpha=True,
        ),
    )


def _waiting_families(kind: ContainerKind, state: Projection) -> tuple[FamilyGenerator, ...]:
    noun, statuses = kind.noun, kind.statuses
    return (
        kind.family(
            "status_waiting", f"1 if the {noun} is waiting to start, 0 if not ({statuses}[].state.waiting).", waiting, input=state,
        ),
        kind.family(
            "status_waiting_reason",
            f"One series per waiting {noun}, always 1; reason of the waiting state ({statuses}[].state.waiting.reason).",
            waiting_reason, "reason", input=state,
        ),
    )
