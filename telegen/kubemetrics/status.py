"""The agent's status: what is watched and how fresh, sizes, processes, shards, problems, scrapers and settings.

Names of objects and addresses of clients are left out for clients that are not authenticated.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from telegen import __version__
from telegen.kubemetrics.agent_state import AgentState, ProcessState
from telegen.kubemetrics.readiness import View, readiness
from telegen.kubemetrics.scrapers import Scraper, all_scrapers
from telegen.shm.layout import LENGTH
from telegen.shm.notices import Notices
from telegen.shm.reader import ArenaReader, TornSnapshot
from telegen.shm.shared_document import SharedDocument

LARGEST = 10
"""Families that are listed."""
FRESH = 1.0
"""Seconds for which a status is shown again: a client that asks all the time costs no more."""
HIDDEN = "hidden"
"""Stands for names and addresses that a client without authentication does not see."""
_NAMING = frozenset(
    "namespace namespaces namespaces_exclude node node_name pod pod_namespace clusters kubeconfig apiserver endpoint".split()
)
"""Last parts of settings whose values name objects or servers."""
_CONFIG_MAP = re.compile(r"ConfigMap [^\s:]+")
_SERVER = re.compile(r"\w+://[^\s;,]*[^\s;,:]")
_MESSAGE = re.compile(r"(\b[45]\d\d \w+): (?!no right to )[^;\n]*")
"""An error of the API server: its message may name objects. The agent's own words about a missing right do not."""

Json = dict[str, Any]


@dataclass(frozen=True)
class StatusSources:
    """Shared memory that the status is read from.

    Attributes:
        state: of the supervisor.
        holders: holder by Lease.
        notices: last warning of each process.
        served: returns, by Lease, True if this agent serves the shard now.
        folder: files of the scrapers; "" for none.
    """

    view: View
    state: SharedDocument
    holders: SharedDocument
    notices: Notices
    served: Callable[[], Mapping[str, bool]]
    folder: str


@dataclass
class _Resource:
    """Sums over the stores of a resource."""

    objects: int = 0
    series: int = 0
    bytes: int = 0
    stored: int = 0
    published: float = 0.0
    states: list[tuple[float, str, str]] = field(default_factory=list)


class StatusReader:
    """Reads the status, at most once a second."""

    def __init__(self, sources: StatusSources, paths: Sequence[str]) -> None:
        """Prepare.

        Args:
            paths: of the pages and probes.
        """
        self._sources, self._paths = sources, list(paths)
        self._read: tuple[float, bool, Json] | None = None

    def read(self, authenticated: bool) -> Json:
        """Return the status as JSON-like data.

        Args:
            authenticated: the client may see names of objects and addresses of clients.
        """
        now = time.monotonic()
        if self._read is None or self._read[1] != authenticated or now - self._read[0] > FRESH:
            self._read = now, authenticated, self._make(authenticated)
        return self._read[2]

    def _make(self, authenticated: bool) -> Json:
        sources = self._sources
        content = sources.state.read()[1]
        state = msgspec.msgpack.decode(content, type=AgentState) if content else AgentState()
        report = readiness(sources.view)
        resources, families = self._sizes(authenticated)
        return {
            "agent": {
                "version": __version__,
                "python": platform.python_version(),
                "up": time.monotonic() - state.started if state.started else 0.0,
                "reason": state.reason if authenticated else "",
                "authenticated": authenticated,
                "time": time.time(),
            },
            "ready": not report.problems,
            "problems": report.problems if authenticated else list(map(public_line, report.problems)),
            "notes": report.notes if authenticated else list(map(public_line, report.notes)),
            "totals": {key: sum(one[key] for one in resources) for key in ("objects", "series", "bytes", "stored")},
            "resources": resources,
            "families": families,
            "processes": [self._process(one) for one in _with_supervisor(state)],
            "shards": self._shards(authenticated),
            "warnings": list(self._warnings(state, authenticated)),
            "scrapers": [_scraper(one, authenticated) for one in all_scrapers(sources.folder)] if sources.folder else [],
            "settings": [
                {"path": one.path, "value": one.value if authenticated or not _names(one.path) else HIDDEN, "origin": one.origin}
                for one in state.settings
            ],
            "paths": self._paths,
        }

    def _sizes(self, authenticated: bool) -> tuple[list[Json], list[Json]]:
        """Return the sizes by resource, and the largest families."""
        resources: dict[str, _Resource] = {}
        families: dict[str, list[int]] = {}
        for reader in _readers(self._sources.view):
            for name, store in _load(reader):
                one = resources.setdefault(name.partition("/")[0].partition("@")[0], _Resource())
                one.objects += store.entry.objects
                one.published = max(one.published, store.entry.published)
                for family, column in zip(store.families, store.columns):
                    if not family.text:
                        # A copy of a counter for OpenMetrics.
                        continue
                    one.series += column.series
                    one.bytes += column.length
                    one.stored += sum(cell & LENGTH for cell in column.cells)
                    sizes = families.setdefault(family.name, [0, 0])
                    sizes[0] += column.series
                    sizes[1] += column.length
        self._add_states(resources, authenticated)
        largest = sorted(families.items(), key=lambda item: (-item[1][1], item[0]))[:LARGEST]
        listed = [_resource(name, one) for name, one in sorted(resources.items(), key=lambda item: (-item[1].bytes, item[0]))]
        return listed, [{"name": name, "series": series, "bytes": size} for name, (series, size) in largest if size]

    def _add_states(self, resources: dict[str, _Resource], authenticated: bool) -> None:
        view = self._sources.view
        for worker, statuses in view.statuses.items():
            for store in statuses if view.is_served(worker) else ():
                status = statuses[store].read()
                one = resources.setdefault(store.partition("/")[0].partition("@")[0], _Resource())
                cause = status.cause if authenticated else _public(status.cause)
                one.states.append((status.seconds, status.kind.name.lower(), cause))

    def _process(self, one: ProcessState) -> Json:
        now, board = time.monotonic(), self._sources.view.heartbeats
        is_running = one.state == "running"
        return {
            "name": one.name,
            "state": one.state,
            "pid": one.pid,
            "up": now - one.since if is_running else 0.0,
            "restarts_in": max(0.0, one.due - now) if one.state == "restarting" else 0.0,
            "beat": board.age(one.row) if is_running else 0.0,
            "memory": board.memory(one.row),
            "restarts": one.restarts,
        }

    def _shards(self, authenticated: bool) -> list[Json]:
        content = self._sources.holders.read()[1]
        holders: dict[str, str] = msgspec.msgpack.decode(content) if content else {}
        return [
            {"lease": lease, "served": served, "holder": holders.get(lease, "") if authenticated else HIDDEN if holders.get(lease) else ""}
            for lease, served in self._sources.served().items()
        ]

    def _warnings(self, state: AgentState, authenticated: bool) -> Iterator[Json]:
        """Yield the last warning of each process, the newest first."""
        rows = [(one.name, self._sources.notices.read(one.row)) for one in _with_supervisor(state)]
        for name, (at, text) in sorted(rows, key=lambda row: -row[1][0]):
            if at:
                yield {"process": name, "time": at, "text": text if authenticated else HIDDEN}


def _with_supervisor(state: AgentState) -> tuple[ProcessState, ...]:
    # Its parent is of no interest: it has the first row, and runs as this is read.
    return (ProcessState("supervisor", "running", 0, state.started, 0.0, 0, 0), *state.processes)


def _readers(view: View) -> list[ArenaReader]:
    """Return the readers of all arenas that are served, each once."""
    found = {reader.name: reader for readers in view.pages.values() for reader in readers}
    return [reader for name, reader in found.items() if view.is_served(name)]


def _load(reader: ArenaReader) -> Iterator[tuple[str, Any]]:
    try:
        snapshot = reader.load()
    except TornSnapshot:
        # The next status shows it again.
        return
    yield from snapshot.stores.items() if snapshot else ()


def _resource(name: str, one: _Resource) -> Json:
    seconds, state, cause = max(one.states, default=(0.0, "synced" if one.published else "", ""))
    return {
        "name": name,
        "objects": one.objects,
        "series": one.series,
        "bytes": one.bytes,
        "stored": one.stored,
        "state": state,
        "out_of_sync": seconds,
        "age": max(0.0, time.time() - one.published) if one.published else None,
        "cause": cause,
    }


def _scraper(one: Scraper, authenticated: bool) -> Json:
    return {
        "agent": one.agent,
        "address": one.address if authenticated else HIDDEN,
        "path": one.path,
        "scrapes": one.scrapes,
        "interval": one.interval,
        "duration": one.duration,
        "bytes": one.sent,
        "ago": max(0.0, time.time() - one.last),
    }


def _names(path: str) -> bool:
    return path.rpartition(".")[2] in _NAMING


def public_line(line: str) -> str:
    """Remove names from a line of a probe, such as the namespace and the cluster of a store: `pods/shop@east: ...`."""
    store, colon, rest = _public(line).partition(": ")
    if re.fullmatch(r"[a-z][\w.-]*[/@]\S+", store):
        store = re.split("[/@]", store)[0]
    return store + colon + rest


def _public(text: str) -> str:
    """Remove the addresses of servers, the names of ConfigMaps, and what an API server says about objects, from the cause of a failure."""
    return _MESSAGE.sub(r"\1", _CONFIG_MAP.sub(f"ConfigMap {HIDDEN}", _SERVER.sub(HIDDEN, text)))


def folder_of_scrapers() -> str:
    """Folder in which the processes of this arbiter keep their scrapers."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
