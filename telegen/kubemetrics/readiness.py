"""Problems that make the agent not alive or not ready, with their causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from telegen.kubemetrics.exposition import published_stores
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.reader import ArenaReader
from telegen.shm.store_status import REFUSALS, Kind, Status, StoreStatuses

LOOP_TIMEOUT = 10.0
"""Seconds without a heartbeat after which the supervisor counts as hanging."""


CONFIRMED = 0.1
"""Seconds after the first answer of a cluster from which a refusal is no longer that of a server that has yet to load its rules."""


@dataclass(frozen=True)
class View:
    """State shared by the web workers.

    Attributes:
        pages: path to the arenas whose stores it shows.
        expected: store names that must have been published once, by worker.
        heartbeats: time of the last heartbeat of each process.
        rows: worker name to its row of the heartbeats; `supervisor` is one of them.
        grace: seconds without a heartbeat, or out of sync, after which the agent is not ready.
        is_served: true for a worker whose stores may be served now; another agent may serve them instead.
        pending_reason: why collection has not started, "" when it has.
        problems: further problems that make the agent not ready, each with its cure.
        statuses: sync status of the stores of the API, by worker.
        notes: further facts that do not fail the probe, one line each.
        max_staleness: seconds without contact to the API server after which a store is withheld; 0 for never.
    """

    pages: Mapping[str, Sequence[ArenaReader]]
    expected: Mapping[str, Sequence[str]]
    heartbeats: Heartbeats
    rows: Mapping[str, int]
    grace: float
    is_served: Callable[[str], bool] = lambda worker: True
    pending_reason: Callable[[], str] = str
    problems: Callable[[], list[str]] = list
    statuses: Mapping[str, StoreStatuses] = field(default_factory=dict)
    notes: Callable[[], list[str]] = list
    max_staleness: float = 0.0


@dataclass
class Report:
    """Result of a probe.

    Attributes:
        problems: one line per problem; the probe fails if there is any.
        notes: one line per fact that does not fail the probe.
    """

    problems: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Text of the response."""
        return "".join(f"{line}\n" for line in dict.fromkeys([*(self.problems or ["ok"]), *self.notes]))


def liveness(view: View) -> Report:
    """Return a problem if the supervisor's loop hangs. The answer itself shows that the web worker is alive."""
    age = view.heartbeats.age(view.rows["supervisor"])
    return Report([f"supervisor: no heartbeat for {age:.0f} s"] if age > LOOP_TIMEOUT else [])


def readiness(view: View) -> Report:
    """Return the problems that make the agent not ready: stores that have never synced or are out of sync, workers without
    a heartbeat, or the reason why collection has not started. Resources that are refused are notes."""
    alive = liveness(view).problems
    pending = view.pending_reason()
    if pending:
        return Report([pending, *alive])
    report = _stores(view)
    report.problems += [*_workers(view), *view.problems(), *alive]
    report.notes += view.notes()
    return report


def _workers(view: View) -> Iterator[str]:
    """Yield a line for each worker without a heartbeat."""
    for worker, row in view.rows.items():
        age = view.heartbeats.age(row)
        if age > view.grace and view.is_served(worker):
            yield f"{worker}: no heartbeat for {age:.0f} s" if age < float("inf") else f"{worker}: never started"


def _stores(view: View) -> Report:
    """Return the problems and refusals of all stores that this agent serves."""
    published = published_stores([reader for readers in view.pages.values() for reader in readers])
    report = Report([])
    # By cluster: True if all of its resources are refused.
    refused: dict[str, bool] = {}
    accepted = _accepted(view)
    for worker, store in ((worker, store) for worker, stores in view.expected.items() for store in stores):
        if not view.is_served(worker):
            continue
        was_complete = (worker, store) in published
        if worker not in view.statuses:
            report.problems += [] if was_complete else [f"{store}: not synced yet"]
            continue
        status = view.statuses[worker][store].read()
        is_complete = was_complete and status.seconds <= view.grace
        if status.kind in REFUSALS:
            if not was_complete and status.refused < accepted.get(store.partition("@")[2], 0.0) + CONFIRMED:
                # The server may only just have loaded its RBAC rules: the next request shows whether the right is missing.
                report.problems.append(f"{store}: {status.cause}")
            report.notes.append(f"{store}: {status.cause}")
        elif not is_complete:
            report.problems.append(f"{store}: {_cause(status, was_complete)}")
        # The refusals of a server that restarts count only when they last.
        counts = status.kind in REFUSALS and not is_complete
        cluster = store.partition("@")[2]
        refused[cluster] = refused.get(cluster, True) and counts
    report.problems += [_nothing_listed(cluster) for cluster, all_refused in refused.items() if all_refused]
    return report


def _accepted(view: View) -> dict[str, float]:
    """Return the time of the first answer of each cluster."""
    found: dict[str, float] = {}
    for worker, statuses in view.statuses.items():
        for store in statuses if view.is_served(worker) else ():
            time = statuses[store].read().accepted
            cluster = store.partition("@")[2]
            if time:
                found[cluster] = min(time, found.get(cluster, time))
    return found


def _cause(status: Status, was_complete: bool) -> str:
    """Return the cause of a store that is not complete or out of sync."""
    cause = status.cause if status.kind in (Kind.FAILED, Kind.WAITING) else ""
    if was_complete:
        return f"{cause}; out of sync for {status.seconds:.0f} s"
    return f"not synced yet: {cause}" if status.kind == Kind.FAILED else "not synced yet"


def _nothing_listed(cluster: str) -> str:
    return f"{f'cluster {cluster}' if cluster else 'the API server'}: no resource may be listed"
