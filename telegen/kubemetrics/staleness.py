"""Stores that are too old to be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from telegen.kubemetrics.readiness import View
from telegen.shm.store_status import Kind


def withheld(view: View) -> frozenset[tuple[str, str]]:
    """Return (worker, store) of the stores without contact to the API server for longer than `max_staleness`.

    PERF: 3 us per store, and nothing without `max_staleness`.
    """
    return frozenset(_stale(view)) if view.max_staleness else frozenset()


def shown(view: View, old: frozenset[tuple[str, str]]) -> Callable[[str, str], bool]:
    """Return the predicate by (worker, store) of the stores that may be shown.

    A store without a status of its own, such as that of a kind of custom resources, has that of its worker.

    Args:
        old: result of `withheld`.
    """
    workers = {worker for worker, _ in old}

    def is_shown(worker: str, store: str) -> bool:
        return worker not in workers or (worker, store) not in old and store in set(view.statuses[worker])

    return is_shown


def _stale(view: View) -> Iterator[tuple[str, str]]:
    for worker, statuses in view.statuses.items():
        # A process that has ended does not notice that it is out of sync.
        silent = view.heartbeats.age(view.rows[worker]) if worker in view.rows else 0.0
        for store in statuses:
            status = statuses[store].read()
            # A resource that the API server lacks has no objects that could be old.
            if status.kind != Kind.ABSENT and max(status.seconds, silent) > view.max_staleness:
                yield worker, store
