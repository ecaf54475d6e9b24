"""Join of what the status of pods and the cgroups tell about ended containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Optional

from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.identity.pods import PodIndex
from telegen.cadvisor.sampler import Target
from telegen.cadvisor.terminations.counts import TerminationCounts
from telegen.cadvisor.terminations.last_readings import LastReading, LastReadings
from telegen.cadvisor.terminations.tracker import PodDeleted, PodStarted, Report, Termination, TerminationTracker
from telegen.config.model import Cadvisor
from telegen.config.model import Terminations as Settings

MOST_WAITING = 1000
"""Containers of deleted pods whose cgroups are waited for; beyond it the oldest is reported as ended."""

Send = Callable[[Termination, Optional[LastReading], Mapping[str, str]], None]
"""Takes an end, its last reading, and the labels of its pod."""


class TerminationJoin:
    """Ends of the containers of this node's pods. All methods but those of the tracker belong to the sampler's main thread."""

    def __init__(self, settings: Settings, cadvisor: Cadvisor, pods: PodIndex, target: Target, send: Send) -> None:
        """Prepare.

        Args:
            target: takes the objects of the family.
            send: takes each end, whatever its namespace.
        """
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self.tracker = TerminationTracker(pods, self._reports.put)
        self._send = send
        self._readings = LastReadings()
        self._counts = TerminationCounts(target, settings.series_limit)
        self._included, self._excluded = frozenset(cadvisor.namespaces), frozenset(cadvisor.namespaces_exclude)
        self._waiting: dict[str, Termination] = {}

    def recorded(self, collector: AnyCollector, target: Target) -> Target:
        """Return the target of a collector with a record of its readings."""
        return self._readings.recorded(collector, target)

    def work(self) -> bool:
        """Take all reports; return True if there were any."""
        worked = False
        try:
            while True:
                self._take(self._reports.get_nowait())
                worked = True
        except Empty:
            return worked

    def end_pass(self) -> None:
        """Report containers of deleted pods whose cgroups are gone, and forget what is old."""
        for id, end in list(self._waiting.items()):
            if self._readings.has_ended(id) or len(self._waiting) > MOST_WAITING:
                self._finish(self._waiting.pop(id))
        self._readings.expire()
        self._counts.expire()

    def _take(self, report: Report) -> None:
        if (self._included and report.namespace not in self._included) or report.namespace in self._excluded:
            return
        if isinstance(report, PodStarted):
            self._counts.begin(report)
        elif isinstance(report, PodDeleted):
            self._counts.end(report)
        elif report.is_reported:
            self._finish(report)
        else:
            # The pod's status will not tell of this end: its cgroup does.
            self._waiting[report.run.id] = report

    def _finish(self, end: Termination) -> None:
        self._counts.count(end)
        self._send(end, self._readings.find(end.run.id), end.labels)
