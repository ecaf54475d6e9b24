"""The elector: takes part in the election of who serves which shard of the cluster, and sets the gates by it."""

from __future__ import annotations

import os
import queue
import random
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.protocols import Event
from telegen.api.reflector import Reflector
from telegen.election.election import Election
from telegen.election.lease import Lease, Leases, read_lease
from telegen.election.rules import Rules
from workers._base import BEAT, Worker
from workers._reflector_metrics import Observer

STORE = "election"
"""What the Leases are called among the stores in the agent's own metrics."""


class ElectWorker(Worker):
    """Renews what it holds. Where it dies or hangs, the gates close by themselves."""

    def run(self) -> None:
        """One step after another; a change of a watched Lease, or SIGTERM, wakes it in between."""
        group, settings = self.shared.group, self.config.kube_metrics.election
        if group is None:
            raise RuntimeError("there is no group to take part in")
        self._names = group.names
        rules = Rules(
            f"{group.member}_{self.shared.deadlines.token}",
            group.names,
            settings.lease_duration,
            settings.renew_deadline,
            settings.retry_period,
            settings.waiting_period,
        )
        leases = Leases(self._client(), group.namespace, settings.name, self._count)
        failed = self.telemetry.errors.labels
        election = Election(leases, rules, random.random, failed=lambda reason: failed(STORE, reason).inc())
        mirror = Mirror(self._inbox, election, lambda: self._reflector(leases))
        while not self.stop.is_set():
            pause = election.step()
            self._show(election)
            mirror.tend()
            self.beat()
            mirror.take(min(pause, BEAT))
        if self.shared.deadlines.leaving:
            for shard in range(len(self._names)):
                self.shared.deadlines.set(shard, 0, False)
            election.resign()

    def install_signals(self) -> None:
        """SIGTERM also ends the wait for changes."""
        self._inbox: queue.SimpleQueue[Lease | None] = queue.SimpleQueue()
        super().install_signals()

    def _handle_term(self, number: int, frame: FrameType | None) -> None:
        super()._handle_term(number, frame)
        self._inbox.put(None)

    def _show(self, election: Election) -> None:
        """Set the gates; the supervisor is told when there is work to begin or to end."""
        hot = self.config.kube_metrics.election.standby == "hot"
        news = False
        for shard in range(len(self._names)):
            until = election.serves_until(shard)
            news |= self.shared.deadlines.set(shard, until, bool(until) or (hot and election.stands_by(shard)))
        if news:
            os.kill(os.getppid(), signal.SIGUSR2)

    def _client(self) -> Client:
        """Requests about Leases give up in time for another try before the deadline."""
        settings = self.config.kube_metrics.election
        patience = max(0.5, (settings.renew_deadline - settings.retry_period) / 2)
        return Client(
            credentials(self.shared.cluster, self.shared.environ),
            Timeouts(min(self.config.api.connect_timeout, patience), patience),
        )

    def _reflector(self, leases: Leases) -> tuple[Reflector, threading.Event]:
        """What watches the Leases, and what ends it."""
        api, stop = self.config.api, threading.Event()
        client = Client(credentials(self.shared.cluster, self.shared.environ), Timeouts(api.connect_timeout, 30.0))
        collection = Collection(leases.path, params=leases.params)
        return Reflector(client, collection, _Inbox(self._inbox), Observer(self.telemetry, self.log, STORE), stop), stop

    def _count(self, verb: str) -> None:
        """A request is about to be made: it may take a while."""
        self.telemetry.lease_requests.labels(verb).inc()
        self.beat()


class Mirror:
    """Lets an election see every change of the Leases at once, while it is next in line for one."""

    def __init__(
        self,
        inbox: queue.SimpleQueue[Lease | None],
        election: Election,
        make: Callable[[], tuple[Reflector, threading.Event]],
    ) -> None:
        """Prepare.

        Args:
            inbox: what the watch puts records into, and others None to end a wait.
            make: gives a reflector that feeds the inbox, and the event that ends it.
        """
        self._inbox, self._election, self._make = inbox, election, make
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tend(self) -> None:
        """Begin to watch or stop it, as the election asks."""
        if self._election.watches and not (self._thread and self._thread.is_alive()):
            reflector, self._stop = self._make()
            self._thread = threading.Thread(target=reflector.run, name="leases", daemon=True)
            self._thread.start()
        elif not self._election.watches and self._thread:
            # It ends with the next event, or when its connection does.
            self._stop.set()
            self._thread = None

    def take(self, timeout: float) -> None:
        """Wait for a record, and hand over all that have come."""
        try:
            lease = self._inbox.get(timeout=timeout)
            while True:
                if lease:
                    self._election.see(lease)
                lease = self._inbox.get_nowait()
        except queue.Empty:
            return


class _Inbox:
    """A reflector's store that keeps nothing."""

    def __init__(self, inbox: queue.SimpleQueue[Lease | None]) -> None:
        self._inbox = inbox

    def replace(self, events: Iterable[Event]) -> None:
        """Pass everything on."""
        for kind, obj in events:
            if kind != "DELETED":
                self.upsert(obj)

    def upsert(self, obj: dict[str, Any]) -> None:
        """Pass a record on."""
        self._inbox.put(read_lease(obj))

    def delete(self, obj: dict[str, Any]) -> None:
        """A record that is gone is one that nobody holds."""
        self._inbox.put(Lease(read_lease(obj).name))

    def bookmark(self, resource_version: str) -> None:
        """Nothing has changed."""
