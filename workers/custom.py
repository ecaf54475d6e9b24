"""Worker of custom resources: finds the kinds that entries of the configuration select, and keeps their stores in step.

Kinds come from discovery, so that those of aggregated API servers are found as well. A watch of the definitions wakes discovery.
"""

from __future__ import annotations

import threading
import time

from telegen.api.discovery import Served, discover
from telegen.api.errors import ApiError, ProtocolError, Unreachable
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.kubestate.custom.expressions.model import MetricEntry
from telegen.kubestate.custom.kinds import absent, resolve
from telegen.kubestate.custom.model import Entry, Kind
from telegen.kubestate.custom.sources import CustomTables
from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.registry import chosen_packs
from telegen.metrics.store import MetricsStore
from telegen.shm.store_status import StoreStatus
from workers._client_factory import make_client, reflector_settings
from workers._definitions import COLLECTION, STORE, Definitions
from workers._kind_stores import PREFIX, RIGHTS, KindStores
from workers._reflector_metrics import ReflectorMetrics
from workers._stores import StoresWorker
from workers._threads import Threads

INTERVAL = 30.0
"""Seconds between two discoveries while no definition changes: aggregated API servers come and go without one."""
SOON, SOON_TRIES = 0.5, 40
"""Seconds between discoveries while definitions have kinds that are not served yet, and the largest number of these."""
GRACE = 30.0
"""Seconds for which a kind that discovery lacks stays: an API server that starts does not serve all kinds at once."""


class CustomWorker(StoresWorker):
    """Feeds a store per kind."""

    page_bytes = 4 << 20

    def keeps(self, store: str) -> bool:
        """Return True for the stores of kinds: which of them are still served is known after the first discovery."""
        return store.startswith(PREFIX) or super().keeps(store)

    def start(self, threads: Threads) -> None:
        """Watch the definitions, and discover kinds."""
        self._wake = threading.Event()
        self._entries: tuple[Entry, ...] = ()
        self._metrics: tuple[MetricEntry, ...] = ()
        self._packs: list[Pack] = []
        self._named: tuple[str, ...] = ()
        self._number, self._tries = -1, 0
        self._absent: list[str] = []
        self._failure = "no answer yet"
        # It stands for all kinds on /readyz, and is published when each of them is complete.
        self._whole = MetricsStore(self.assignment.stores[0], (), lambda obj: [], self.arena)
        loop = WatchLoop([], self.stop, threads.start)
        loop.start()
        self._kinds = KindStores(self, loop)
        self._definitions_status = StoreStatus()
        self._definitions = Definitions(self._notice_change)
        loop.add(self._definitions_reflector())
        self._served = ServedKinds(self._definitions)
        self._client = make_client(self.shared, self.assignment.cluster)
        threads.start("discover", self._discover)

    def _definitions_reflector(self) -> Reflector:
        metrics = ReflectorMetrics(self.telemetry, self.log, STORE, self._definitions_status)
        metrics.cure, metrics.resource = RIGHTS, "customresourcedefinitions"
        client = make_client(self.shared, self.assignment.cluster)
        return Reflector(client, COLLECTION, self._definitions, metrics, self.stop, reflector_settings(self.config))

    def _notice_change(self) -> None:
        """Discover soon: a definition has changed."""
        self._tries = SOON_TRIES
        self._wake.set()

    def turn(self) -> None:
        """Notice a new configuration, and publish the status."""
        if self.shared.custom.number != self._number:
            self._wake.set()
        self._kinds.complete()
        problem = self._failure or self._kinds.problem()
        status = self.shared.statuses[self.assignment.name][self.assignment.stores[0]]
        if problem:
            status.note_failed(problem)
            return
        status.note_synced()
        if not self._whole.synced and not self._kinds.pending():
            self._whole.begin()
        self._write_notes()

    def _write_notes(self) -> None:
        """Write the lines of the status page if they have changed."""
        lines = [f"{pattern}: the API server does not serve it" for pattern in self._absent] + self._kinds.notes()
        cause = self._definitions_status.read().cause
        lines += [f"{STORE}: {cause}; new kinds are found within {INTERVAL:.0f} s"] if cause else []
        notes = self.shared.notes[self.assignment.name]
        text = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        if text != notes.read()[1]:
            notes.write(text)

    def _discover(self) -> None:
        """Discover kinds until the worker stops."""
        delay, backoff = 0.0, SOON
        while not self.stop.is_set():
            self._wake.wait(delay)
            self._wake.clear()
            try:
                delay = self._refresh()
                self._failure, backoff = "", SOON
            except (ApiError, Unreachable, ProtocolError) as error:
                if str(error) != self._failure:
                    self.log.warning("discovery: %s; retrying in %.1f s", error, backoff)
                self._failure = str(error)
                delay, backoff = backoff, min(2 * backoff, INTERVAL)

    def _refresh(self) -> float:
        """Apply the configuration to the kinds that are served now; return the seconds until the next discovery.

        Raises:
            ApiError, Unreachable, ProtocolError: discovery failed, and nothing has changed.
        """
        number, document = self.shared.custom.read()
        if number != self._number:
            tables = CustomTables.decode(document)
            self._entries, self._metrics = tables.entries, tables.metrics
            self._packs, self._named = chosen_packs(tables.packs, tables.names), tables.packs
        named = {entry.pattern.group for entry in self._entries} | {entry.group for entry in self._metrics}
        groups = named.union(*[pack.groups for pack in self._packs])
        kinds = self._served.update(discover(self._client, groups)) if groups else set()
        self._kinds.apply(resolve(self._entries, kinds, self._packs, self._metrics))
        empty = [pack.name for pack in self._packs if pack.name in self._named and not any(pack.served(kinds))]
        self._absent = [*absent(self._entries, kinds, self._metrics), *(f"pack {name}" for name in empty)]
        self._number = number
        late = resolve(self._entries, self._definitions.kinds() - kinds, self._packs, self._metrics)
        if late and self._tries:
            self._tries -= 1
            return SOON
        return INTERVAL


class ServedKinds:
    """Kinds that count as served. One that discovery lacks is gone at once if its definition is, else after `GRACE`."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._kinds: set[Kind] = set()
        self._missing: dict[Kind, float] = {}

    def update(self, found: Served) -> set[Kind]:
        """Return the kinds after a discovery."""
        now, kinds = time.monotonic(), {Kind(*resource) for resource in found.resources}
        lost = {kind for kind in self._kinds - kinds if (kind.group, kind.version) not in found.stale}
        self._missing = {kind: self._missing.get(kind, now) for kind in lost}
        expired = {kind for kind, since in self._missing.items() if now - since > GRACE}
        self._kinds = (self._kinds | kinds) - expired - self._definitions.gone()
        return set(self._kinds)
