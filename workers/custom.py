"""Worker of custom resources: finds the kinds that entries of the configuration select, and keeps their stores in step.

Kinds come from discovery, so that those of aggregated API servers are found as well. A watch of the definitions wakes discovery.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from telegen.api.collection import Collection
from telegen.api.discovery import Served, discover
from telegen.api.errors import ApiError, ProtocolError, Unreachable
from telegen.api.protocols import ReflectorStore
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.kubestate.custom.config_maps import ConfigMapEntries
from telegen.kubestate.custom.expressions.surroundings import plain_labels
from telegen.kubestate.custom.kinds import Configured, Selected
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.sources import CustomTables
from telegen.kubestate.health.apiservices import API_SERVICES
from telegen.kubestate.health.crds import CRDS
from telegen.kubestate.health.scope import BUILT_IN, Scope
from telegen.metrics.store import MetricsStore
from telegen.shm.store_status import REFUSALS, StoreStatus
from workers._client_factory import make_client, reflector_settings
from workers._custom import config_maps
from workers._custom.config_maps import ConfigMaps
from workers._custom.definitions import COLLECTION, STORE, Definitions
from workers._custom.health import KindNumbers, resource_store
from workers._custom.kind_limits import KindLimits
from workers._custom.kind_observer import RIGHTS
from workers._custom.kind_stores import ORDER, PREFIX, KindStores
from workers._namespaces import COLLECTION as COLLECTION_OF_NAMESPACES
from workers._namespaces import STORE as NAMESPACES
from workers._namespaces import NamespaceLabels
from workers._reflector_metrics import ReflectorMetrics
from workers._stores import StoresWorker
from workers._threads import Threads

NAMESPACES_WAIT = 5.0
"""Seconds for which kinds wait for the labels of namespaces that their expressions read."""
INTERVAL = 30.0
"""Seconds between two discoveries while no definition changes: aggregated API servers come and go without one."""
SOON, SOON_TRIES = 0.5, 40
"""Seconds between discoveries while definitions have kinds that are not served yet, and the largest number of these."""
INDEXES_WAIT = 5.0
"""Seconds for which a starting worker waits for the definitions, if it serves the health of kinds, and for the ConfigMaps."""
NOTES, NOTE_CHARACTERS = 50, 500
"""Lines about absent kinds on the status page, lines about others, and characters of one: the document of the notes is small."""
NUMBERS, SERVICES = f"{PREFIX}health", f"{PREFIX}apiservices"
"""Stores of the numbers of kinds and of APIServices."""
GRACE = 30.0
"""Seconds for which a kind that discovery lacks stays: an API server that starts does not serve all kinds at once."""


class CustomWorker(StoresWorker):
    """Feeds a store per kind."""

    page_bytes = 4 << 20
    tables_have_limits = True

    def keeps(self, store: str) -> bool:
        """Return True for the stores of kinds: which of them are still served is known after the first discovery."""
        return store.startswith(PREFIX) or super().keeps(store)

    def start(self, threads: Threads) -> None:
        """Watch the definitions, and discover kinds."""
        self._wake, self._started = threading.Event(), time.monotonic()
        self._number, self._maps_number, self._tries = -1, 0, 0
        self._absent: list[str] = []
        self._failure = "no answer yet"
        # It stands for all kinds on /readyz, and is published when each of them is complete.
        self._whole = MetricsStore(self.assignment.stores[0], (), lambda obj: [], self.arena)
        settings = self.config.kube_metrics.kube_state.custom_resource_state
        self._configured = Configured(scope=Scope.of(settings))
        self._wanted: dict[Kind, Selected] = {}
        self._loop = loop = WatchLoop([], self.stop, threads.start)
        loop.start()
        further = self._make_health_stores()
        self._namespaces = NamespaceLabels[Mapping[str, str]](plain_labels, {})
        self._kinds = KindStores(self, loop, further, settings.health_detail, self._namespaces.get)
        self._statuses: dict[str, StoreStatus] = {}
        self._definitions = Definitions(self._notice_change, further.get(self._store_name(STORE)))
        loop.add(self._index_reflector(STORE, COLLECTION, self._definitions))
        self._tables, self._entries = CustomTables(), ConfigMapEntries()
        self._config_maps = ConfigMaps(self._wake.set) if settings.config_maps.selector else None
        if self._config_maps:
            chosen = config_maps.collection(settings.config_maps)
            loop.add(self._index_reflector(config_maps.STORE, chosen, self._config_maps, config_maps.RIGHTS))
        services = further.get(self._store_name(SERVICES))
        if services is not None:
            loop.add(self._index_reflector(SERVICES, Collection(API_SERVICES.path(), reads=API_SERVICES.needs), services))
        self._served = ServedKinds(self._definitions)
        self._client = make_client(self.shared, self.assignment.cluster)
        self._limits = KindLimits(self._client, self.telemetry, self._kinds.paths)
        threads.start("discover", self._discover)

    def _make_health_stores(self) -> dict[str, MetricsStore]:
        """Make the stores of the numbers of kinds, and of definitions and APIServices, which are shown once in the whole cluster."""
        self._numbers: KindNumbers | None = None
        if not self._configured.scope:
            return {}
        self._numbers = KindNumbers(self, self._store_name(NUMBERS), ORDER)
        tables = {STORE: CRDS, SERVICES: API_SERVICES} if self.assignment.agent_shard[0] == 0 else {}
        named = {self._store_name(name): table for name, table in tables.items()}
        stores = {name: resource_store(self, name, table, ORDER, self.constant) for name, table in named.items()}
        return {self._numbers.store.name: self._numbers.store, **stores}

    def _store_name(self, name: str) -> str:
        cluster = self.assignment.cluster
        return f"{name}@{cluster.name}" if cluster else name

    def _index_reflector(self, name: str, collection: Collection, store: ReflectorStore, rights: str = RIGHTS) -> Reflector:
        status = self._statuses[name] = StoreStatus()
        metrics = ReflectorMetrics(self.telemetry, self.log, name, status)
        metrics.cure, metrics.resource = rights, collection.path.rpartition("/")[2]
        client = make_client(self.shared, self.assignment.cluster)
        return Reflector(client, collection, store, metrics, self.stop, reflector_settings(self.config))

    def _notice_change(self) -> None:
        """Discover soon: a definition has changed."""
        self._tries = SOON_TRIES
        self._wake.set()

    def turn(self) -> None:
        """Notice a new configuration, and publish the status."""
        if self.shared.custom.number != self._number:
            self._wake.set()
        if self._namespaces.take_change():
            self._kinds.renew_namespaced()
        self._kinds.complete()
        if self._numbers:
            wanted, is_complete = self._wanted, bool(self._wanted) and not self._kinds.pending()
            self._numbers.update(self._kinds.complete_stores(), self._limits.counts, wanted, is_complete)
        self._kinds.withhold_old()
        self._write_notes()
        status = self.shared.statuses[self.assignment.name][self.assignment.stores[0]]
        if self._failure:
            status.note_failed(self._failure)
            return
        # A kind that fails has a line; it concerns neither the others nor, once it was complete, the readiness of the agent.
        status.note_synced()
        if not self._whole.synced and not self._kinds.pending():
            self._whole.begin()

    def _write_notes(self) -> None:
        """Write the lines of the status page if they have changed."""
        lines = shortened([f"{pattern}: the API server does not serve it" for pattern in self._absent], "kinds are not served")
        lines += shortened([*self._kinds.notes(), *self._limits.notes()], "kinds are refused")
        causes = {name: status.read().cause for name, status in self._statuses.items()}
        lines += [f"{STORE}: {causes[STORE]}; new kinds are found within {INTERVAL:.0f} s"] if causes[STORE] else []
        lines += [f"{name}: {causes[name]}" for name in (SERVICES, config_maps.STORE) if causes.get(name)]
        lines += [f"{NAMESPACES}: {causes[NAMESPACES]}; labels of namespaces are empty"] if causes.get(NAMESPACES) else []
        lines += shortened([line.replace("\n", "; ") for line in self._entries.problems.values()], "ConfigMaps are bad")
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
            if self._awaits_indexes():
                delay = SOON
                continue
            try:
                delay = self._refresh()
                self._failure, backoff = "", SOON
            except (ApiError, Unreachable, ProtocolError) as error:
                if str(error) != self._failure:
                    self.log.warning("discovery: %s; retrying in %.1f s", error, backoff)
                self._failure = str(error)
                delay, backoff = backoff, min(2 * backoff, INTERVAL)

    def _awaits_indexes(self) -> bool:
        """Return True while a starting worker may still get the schemas and the ConfigMaps: without schemas it would watch all kinds, and
        then anew; without ConfigMaps it would remove the series that its predecessor has shown."""
        missing = [STORE] if self._configured.scope and not self._definitions.synced else []
        missing += [config_maps.STORE] if self._config_maps and not self._config_maps.synced else []
        is_open = time.monotonic() < self._started + INDEXES_WAIT
        return is_open and any(self._statuses[name].read().kind not in REFUSALS for name in missing)

    def _awaits_namespaces(self) -> bool:
        """Follow the namespaces when expressions read their labels for the first time; return True while they may still come."""
        if NAMESPACES not in self._statuses:
            self._loop.add(self._index_reflector(NAMESPACES, COLLECTION_OF_NAMESPACES, self._namespaces))
            self._namespaces_since = time.monotonic()
        is_open = self._statuses[NAMESPACES].read().kind not in REFUSALS and time.monotonic() < self._namespaces_since + NAMESPACES_WAIT
        return is_open and not self._namespaces.synced

    def _refresh(self) -> float:
        """Apply the configuration to the kinds that are served now; return the seconds until the next discovery.

        Raises:
            ApiError, Unreachable, ProtocolError: discovery failed, and nothing has changed.
        """
        number, document = self.shared.custom.read()
        if number != self._number:
            self._tables = CustomTables.decode(document)
        self._configure(number)
        if self._configured.reads_namespaces and self._awaits_namespaces():
            return SOON
        kinds = self._served_kinds()
        schemas = self._definitions.schemas()
        self._wanted = self._configured.select(kinds, schemas)
        self._kinds.apply(self._limits.choose(self._wanted, self._kinds.sizes()))
        self._absent = list(self._configured.absent(kinds))
        if self._tries and self._configured.select(set(schemas) - kinds, schemas):
            self._tries -= 1
            return SOON
        return SOON if self._limits.is_behind else INTERVAL

    def _configure(self, number: int) -> None:
        """Take the configuration of the settings and of the ConfigMaps, if one of the two has changed.

        Args:
            number: of the configuration of the settings.
        """
        maps = self._config_maps
        # Read before the data: a change in between is noticed by the next discovery.
        version = number, maps.number if maps else 0
        if version == (self._number, self._maps_number):
            return
        self._number, self._maps_number = version
        before = {**self._entries.problems, **self._entries.warnings}
        tables = self._entries.join(self._tables, maps.data()) if maps else self._tables
        for name, text in (*self._entries.problems.items(), *self._entries.warnings.items()):
            if before.get(name) != text:
                fate = "; its last good version stays, if there is one" if name in self._entries.problems else ""
                self.log.warning("%s%s", text.replace("\n", "; "), fate)
        self._configured = tables.configured(self._configured.scope)

    def _served_kinds(self) -> set[Kind]:
        """Return the kinds of the groups that entries, packs and the health select.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        groups, scope = self._configured.groups, self._configured.scope
        if scope and scope.groups is None:
            # A definition may be in a group of Kubernetes.
            defined = {kind.group for kind in self._definitions.kinds()}
            return self._served.update(discover(self._client, None, BUILT_IN - groups - defined))
        groups |= scope.groups or set() if scope else set()
        return self._served.update(discover(self._client, groups)) if groups else set()


def shortened(lines: list[str], rest: str) -> list[str]:
    """Return the first lines, and the number of the others: an account without rights is refused thousands of kinds."""
    more = len(lines) - NOTES
    found = [line[:NOTE_CHARACTERS] for line in lines[:NOTES]]
    return [*found, f"customresources: {more} more {rest}"] if more > 0 else found


class ServedKinds:
    """Kinds that count as served. One that discovery lacks is gone at once if its definition is, else after `GRACE`."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._kinds: set[Kind] = set()
        self._missing: dict[Kind, float] = {}

    def update(self, found: Served) -> set[Kind]:
        """Return the kinds after a discovery."""
        now = time.monotonic()
        kinds = {Kind(one.group, one.version, one.plural, one.kind, one.namespaced) for one in found.resources}
        lost = {kind for kind in self._kinds - kinds if (kind.group, kind.version) not in found.stale}
        self._missing = {kind: self._missing.get(kind, now) for kind in lost}
        expired = {kind for kind, since in self._missing.items() if now - since > GRACE}
        self._kinds = (self._kinds | kinds) - expired - self._definitions.gone()
        return set(self._kinds)
