"""Family of ended containers: one object per pod in the store, kept for a time after the pod."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Optional

from telegen.cadvisor.sampler import Target
from telegen.cadvisor.terminations.tracker import PodDeleted, PodStarted, Termination
from telegen.metrics.family import ALPHA, Object, counter
from telegen.metrics.render import Identity

STORE = "containers/terminations"
"""Name of the store in the sampler's arena."""
USUAL_REASONS = ("Completed", "Error", "OOMKilled")
"""Reasons of a container that are shown from its start on, as 0, so that increase() sees the first end."""
UNKNOWN = "Unknown"
"""Reason of an end that no status has shown, or whose status has none."""
OTHERS = "other"
"""Value of every label of the series that counts the ends beyond the limit of series."""
KEEP_SECONDS = 60.0
"""Time for which the series of a deleted pod are kept: a scrape must see its last end."""

FAMILIES = (
    counter(
        "telegen_container_terminations_total",
        "Ends of containers of this node's pods since the agent began, by the reason in the pod's status.",
        ALPHA,
        lambda obj: obj["rows"],
        "container",
        "reason",
    ),
)
IDENTITY: Identity = (("namespace", lambda obj: obj["namespace"]), ("pod", lambda obj: obj["pod"]))


@dataclass
class _Pod:
    """Counts of one pod; `until` is the monotonic time at which they go, None while the pod is there."""

    uid: str
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    until: Optional[float] = None


class TerminationCounts:
    """Counts by (container, reason) of each pod."""

    def __init__(self, target: Target, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing.

        Args:
            target: gets an object for each pod that has changed.
            limit: most series; beyond it ends are counted together.
        """
        self._target, self._limit, self._clock = target, limit, clock
        self._pods: dict[tuple[str, str], _Pod] = {}
        self._series = 0
        self._others = 0

    def begin(self, started: PodStarted) -> None:
        """Show the containers of a pod. A pod of the same name before it, as in a StatefulSet, is continued."""
        key = started.namespace, started.pod
        pod = self._pods.setdefault(key, _Pod(started.uid))
        pod.uid, pod.until = started.uid, None
        for name in started.containers:
            self._add(pod, ((name, reason) for reason in USUAL_REASONS))
        self._show(key, pod)

    def count(self, end: Termination) -> None:
        """Count an end, and those that were missed before it. Ends of a pod that is gone are not counted."""
        key = end.namespace, end.pod
        pod = self._pods.get(key)
        if pod is None:
            return
        for reason, number in ((end.run.reason or UNKNOWN, 1), (UNKNOWN, end.missed)):
            series = end.container, reason
            if number and self._add(pod, [series]):
                pod.counts[series] += number
            elif number:
                self._count_others(number)
        self._show(key, pod)

    def end(self, deleted: PodDeleted) -> None:
        """Begin the time for which the series of a deleted pod are kept."""
        pod = self._pods.get((deleted.namespace, deleted.pod))
        if pod and pod.uid == deleted.uid:
            pod.until = self._clock() + KEEP_SECONDS

    def expire(self) -> None:
        """Drop the series of pods whose time is over."""
        now = self._clock()
        for key in [key for key, pod in self._pods.items() if pod.until is not None and now >= pod.until]:
            self._series -= len(self._pods.pop(key).counts)
            self._target.delete({"id": "/".join(key)})

    def _add(self, pod: _Pod, series: Iterable[tuple[str, str]]) -> bool:
        """Add series at 0 within the limit; return True if all are there."""
        for one in series:
            if one not in pod.counts:
                if self._series >= self._limit:
                    return False
                pod.counts[one] = 0
                self._series += 1
        return True

    def _count_others(self, number: int) -> None:
        self._others += number
        self._target.upsert({"id": "", "namespace": OTHERS, "pod": OTHERS, "rows": [(OTHERS, OTHERS, self._others)]})

    def _show(self, key: tuple[str, str], pod: _Pod) -> None:
        rows = [(container, reason, number) for (container, reason), number in sorted(pod.counts.items())]
        self._target.upsert({"id": "/".join(key), "namespace": key[0], "pod": key[1], "rows": rows})


def namespace_of(obj: Object) -> str:
    """Return the label `namespace` of an object's series."""
    return obj["namespace"]  # type: ignore[no-any-return]
