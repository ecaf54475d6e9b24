"""Ends of containers in the sampler: the store of their counts, and their logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.identity.pods import PodIndex
from telegen.cadvisor.sampler import Target, object_key
from telegen.cadvisor.terminations.counts import FAMILIES, IDENTITY, STORE, namespace_of
from telegen.cadvisor.terminations.join import TerminationJoin
from telegen.cadvisor.terminations.last_readings import LastReading
from telegen.cadvisor.terminations.tracker import Termination
from telegen.metrics.budgets import Budgets
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.otlp.settings import is_disabled
from telegen.shm.writer import ArenaWriter
from workers._base import Worker


class Logs(Protocol):
    """Logs of ended containers; see `workers._sample.termination_logs`."""

    def send(self, end: Termination, last: LastReading | None, labels: Mapping[str, str]) -> None:
        """Take an end, its last reading, and the labels of its pod."""

    def check(self) -> None:
        """Check that the sender runs."""

    def close(self) -> None:
        """Send what is left."""


class NodeTerminations:
    """Counts and logs of the containers of this node's pods.

    Attributes:
        store: of the counts.
        tracker: takes the pods in place of their index.
    """

    def __init__(self, worker: Worker, arena: ArenaWriter, pods: PodIndex, order: int, budgets: Budgets | None = None) -> None:
        """Prepare.

        Args:
            order: position of the family on the page.
            budgets: limits of the series; None for none.
        """
        def count_error(family: str, error: Exception) -> None:
            worker.telemetry.generate_errors.labels(STORE, family).inc()

        kube = worker.config.kube_metrics
        render = renderer(IDENTITY, FAMILIES, count_error, worker.constant)
        self.store = MetricsStore(
            STORE, FAMILIES, render, arena, order, key=object_key, version=lambda obj: "", group=namespace_of, budgets=budgets
        )
        self._logs = _make_logs(worker)
        self._join = TerminationJoin(kube.terminations, kube.cadvisor, pods, self.store, self._send)
        self.tracker = self._join.tracker

    def recorded(self, collector: AnyCollector, target: Target) -> Target:
        """Return the target of a collector with a record of its readings."""
        return self._join.recorded(collector, target)

    def work(self) -> bool:
        """Take what the tracker has reported; return True if there was anything."""
        return self._join.work()

    def end_pass(self) -> None:
        """Take what a pass has shown, and check the sender.

        Raises:
            RuntimeError: the thread of the sender has ended.
        """
        self._join.end_pass()
        if self._logs:
            self._logs.check()

    def close(self) -> None:
        """Send the logs that are left."""
        self._join.work()
        if self._logs:
            self._logs.close()

    def _send(self, end: Termination, last: LastReading | None, labels: Mapping[str, str]) -> None:
        if self._logs:
            self._logs.send(end, last, labels)


def _make_logs(worker: Worker) -> Logs | None:
    """Start the sender of logs, if the settings switch it on."""
    kube = worker.config.kube_metrics
    if not (kube.logs_streaming.enabled and kube.terminations.logs) or is_disabled(worker.shared.environ):
        return None
    # PERF: imported here, after the fork: an agent that sends no logs spends no memory on OTLP.
    from workers._sample.termination_logs import TerminationLogs

    return TerminationLogs(worker)
