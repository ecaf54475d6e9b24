"""Elector: takes part in the election of the agents that serve the shards, and writes the serving deadlines."""

from __future__ import annotations

import os
import queue
import random
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import msgspec

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.protocols import Event
from telegen.api.reflector import Reflector
from telegen.election.election import Election
from telegen.election.lease import Lease, Leases, later_position, read_lease
from telegen.election.state import ElectionSettings
from workers._base import BEAT, Group, Worker
from workers._reflector_metrics import ReflectorMetrics

STORE = "election"
"""Name of the Leases among the stores in the agent's own metrics."""


class ElectWorker(Worker):
    """Renews what it holds. If it dies or hangs, the deadlines pass by themselves."""

    def run(self) -> None:
        """Take one step after another; a change of a watched Lease, or SIGTERM, ends the wait between two."""
        group = self.shared.group
        if group is None:
            raise RuntimeError("there is no group to take part in")
        self._names, self._shards = group.names, range(len(group.names))
        leases = Leases(self._client(), group.namespace, self.config.kube_metrics.election.name, self._count)
        failed = self.telemetry.errors.labels
        election = Election(leases, self._settings(group), random.random, failed=lambda reason: failed(STORE, reason).inc())
        watch = LeaseWatch(self._inbox, election, lambda: self._watch(leases))
        while not self.stop.is_set():
            pause = election.step()
            self._publish(election)
            watch.start_or_stop()
            self.beat()
            watch.take(min(pause, BEAT))
        if self.shared.deadlines.leaving:
            for shard in self._shards:
                self.shared.deadlines.set(shard, 0, False)
            election.resign()

    def _settings(self, group: Group) -> ElectionSettings:
        settings = self.config.kube_metrics.election
        return ElectionSettings(
            f"{group.member}_{self.shared.deadlines.token}",
            group.names,
            settings.lease_duration,
            settings.renew_deadline,
            settings.retry_period,
            settings.waiting_period,
            position=self.shared.events_position.read,
        )

    def install_signals(self) -> None:
        """Let SIGTERM end the wait for changes, too."""
        self._inbox: queue.SimpleQueue[Lease | None] = queue.SimpleQueue()
        self._problem: str | None = None
        self._holders: dict[str, str] = {}
        super().install_signals()

    def _handle_term(self, number: int, frame: FrameType | None) -> None:
        super()._handle_term(number, frame)
        self._inbox.put(None)

    def _publish(self, election: Election) -> None:
        """Write deadlines and problem; wake the supervisor if watch workers have to start or to end."""
        # Before the deadline: the worker of events reads it when it may send.
        position = later_position(election.position, self.shared.events_position.read())
        if position and position != self.shared.events_position.read():
            self.shared.events_position.write(position)
        hot = self.config.kube_metrics.election.standby == "hot"
        changed = False
        for shard in self._shards:
            until = election.serves_until(shard)
            changed |= self.shared.deadlines.set(shard, until, bool(until) or (hot and election.stands_by(shard)))
        if changed:
            os.kill(os.getppid(), signal.SIGUSR2)
        holders = {name: election.holder(name) for name in self._names}
        if holders != self._holders:
            self._holders = holders
            self.shared.holders.write(msgspec.msgpack.encode(holders))
        if election.problem != self._problem:
            self._problem = election.problem
            if self._problem:
                self.shared.lease_problem.write(self._problem)
            else:
                self.shared.lease_problem.clear()

    def _client(self) -> Client:
        """Client with timeouts short enough for a second try before the renew_deadline."""
        settings = self.config.kube_metrics.election
        patience = max(0.5, (settings.renew_deadline - settings.retry_period) / 2)
        return Client(
            credentials(self.shared.cluster, self.shared.environ),
            Timeouts(min(self.config.api.connect_timeout, patience), patience),
        )

    def _watch(self, leases: Leases) -> tuple[Callable[[], None], threading.Event]:
        """Function that watches the Leases, and the event that ends it."""
        api, stop = self.config.api, threading.Event()
        client = Client(credentials(self.shared.cluster, self.shared.environ), Timeouts(api.connect_timeout, 30.0))
        collection = Collection(leases.path, params=leases.params)
        metrics = ReflectorMetrics(self.telemetry, self.log, STORE)
        reflector = Reflector(client, collection, _Inbox(self._inbox), metrics, stop)

        def run() -> None:
            reflector.run()
            metrics.ended()

        return run, stop

    def _count(self, verb: str) -> None:
        """Count a request; beat before it, as it may take a while."""
        self.telemetry.lease_requests.labels(verb).inc()
        self.beat()


class LeaseWatch:
    """Watch of the Leases that runs while the agent stands in line for one."""

    def __init__(
        self,
        inbox: queue.SimpleQueue[Lease | None],
        election: Election,
        make: Callable[[], tuple[Callable[[], None], threading.Event]],
    ) -> None:
        """Prepare.

        Args:
            inbox: receives records from the watch; None ends a wait.
            make: returns a function that feeds the inbox, and the event that ends it.
        """
        self._inbox, self._election, self._make = inbox, election, make
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start_or_stop(self) -> None:
        """Start or stop the watch, as the election asks."""
        if self._election.watches and not (self._thread and self._thread.is_alive()):
            run, self._stop = self._make()
            self._thread = threading.Thread(target=run, name="leases", daemon=True)
            self._thread.start()
        elif not self._election.watches and self._thread:
            # The thread ends at the next event, or with its connection.
            self._stop.set()
            self._thread = None

    def take(self, timeout: float) -> None:
        """Wait for a record, and hand all that have come to the election."""
        try:
            lease = self._inbox.get(timeout=timeout)
            while True:
                if lease:
                    self._election.record(lease)
                lease = self._inbox.get_nowait()
        except queue.Empty:
            return


class _Inbox:
    """Store of a reflector that passes everything on."""

    def __init__(self, inbox: queue.SimpleQueue[Lease | None]) -> None:
        self._inbox = inbox

    def replace(self, events: Iterable[Event]) -> None:
        """Pass a whole state on."""
        for kind, obj in events:
            if kind != "DELETED":
                self.upsert(obj)

    def upsert(self, obj: dict[str, Any]) -> None:
        """Pass a record on."""
        self._inbox.put(read_lease(obj))

    def delete(self, obj: dict[str, Any]) -> None:
        """Pass an empty record on."""
        self._inbox.put(Lease(read_lease(obj).name))

    def bookmark(self, resource_version: str) -> None:
        """Ignore bookmarks."""
