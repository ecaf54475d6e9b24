"""Web worker: gunicorn, whose processes answer from shared memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from telegen.config import Config
from telegen.kubemetrics.agent_security import AgentSecurity
from telegen.kubemetrics.app import by_port, make_app, make_telemetry_app
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.scrapers import Scrapers
from telegen.kubemetrics.series_budgets import SeriesBudgets, withheld_lines
from telegen.kubemetrics.signal_info import SignalInfo
from telegen.kubemetrics.status import StatusSources, folder_of_scrapers
from telegen.kubemetrics.store_ages import StoreAges
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.kubemetrics.web_security import AccessControl, WebSecurity
from telegen.shm.reader import ArenaReader
from workers._base import Shared
from workers._gunicorn import GunicornWorker, HttpApplication
from workers._web.agent_page import make_agent_page
from workers._web.confinement import confine_arbiter, protect_heartbeats

KUBESTATE = "/kubestate"
CADVISOR = "/cadvisor"


class WebWorker(GunicornWorker):
    """Runs gunicorn's arbiter, whose child processes serve."""

    def prepare(self, parent: int) -> None:
        """Give up root, files and the right to write shared memory."""
        confine_arbiter(self.shared, parent, self.death_signal)

    def make_telemetry(self) -> Telemetry:
        """Make the arbiter's metrics; each process below it makes its own."""
        return Telemetry("web")

    def run(self) -> None:
        """Serve until gunicorn is told to stop."""
        self.serve(_Application(self.shared), web_processes(self.shared))


class _Application(HttpApplication):
    """Our ASGI application."""

    def __init__(self, shared: Shared) -> None:
        agents = shared.listeners["adapter.agent_address"]
        self._agent_port = agents.getsockname()[1] if agents else None
        super().__init__(shared, "web", "kube_metrics.telemetry_address", web_processes(shared))

    def load(self) -> Any:
        """Make the application of one process."""
        shared, telemetry = self.shared, self.telemetry
        view = make_view(shared)
        registry = reading_registry(shared.heartbeats, shared.rows, _served_shards(shared), shared.uid.read)
        registry.register(StoreAges(view))
        kube = shared.config.kube_metrics
        registry.register(SeriesBudgets(view.pages[kube.metrics_path], kube.limits))
        registry.register(SignalInfo(kube.signal_metadata))
        security = WebSecurity(shared.web_file, shared.reviews)
        self.worker.security = security
        app = make_app(view, registry, telemetry, AccessControl(security, telemetry), shared.config.web.body_memory, _status(shared, view))
        app = Scrapers(folder_of_scrapers(), self.process).observe(app, view.pages)
        others = {}
        if self.plain_port is not None:
            others[self.plain_port] = make_telemetry_app(view, registry, AccessControl(security, telemetry, is_plain=True))
        if self._agent_port is not None:
            self.worker.other_security[self._agent_port] = AgentSecurity(shared.agent_tls)
            others[self._agent_port] = make_agent_page(shared, view, telemetry)
        return by_port(app, others)

    def settle(self, arbiter: Any, worker: Any) -> None:
        """Give up the arbiter's last way to write shared memory."""
        protect_heartbeats(self.shared)
        super().settle(arbiter, worker)


def web_processes(shared: Shared) -> Callable[[], int]:
    """Return a function that gives the number of web processes to run now."""
    workers = shared.config.web.workers
    if workers != "auto":
        return lambda: int(workers)
    # Pages of kube_* are large, those of one node are not.
    return lambda: 2 if shared.group and shared.deadlines.serves_any() else 1


def make_view(shared: Shared) -> View:
    """State that the web workers read, by the configuration."""
    kube, pages, is_served = shared.config.kube_metrics, _pages(shared, shared.config), _is_served(shared)
    # These readers keep what they have unpacked: others would unpack it again.
    readers = pages[kube.metrics_path]
    return View(
        pages=pages,
        expected={assignment.name: assignment.stores for assignment in shared.assignments if assignment.name in shared.arenas},
        heartbeats=shared.heartbeats,
        # The process that reads the cluster's UID ends when it has; until then the supervisor restarts it.
        rows={name: row for name, row in shared.rows.items() if name != "identify"},
        grace=shared.config.supervisor.worker_grace,
        is_served=is_served,
        pending_reason=_pending_reason(shared),
        problems=_problems(shared),
        notes=lambda: [*_notes(shared)(), *withheld_lines([one for one in readers if is_served(one.name)], kube.limits)],
        statuses=shared.statuses,
        max_staleness=kube.max_staleness,
    )


def _is_served(shared: Shared) -> Callable[[str], bool]:
    """Return a function that is true for a worker whose stores may be served now."""
    shards = {one.name: one.lease_shard for one in shared.assignments if one.lease_shard is not None}
    deadlines = shared.deadlines
    return lambda worker: worker not in shards or deadlines.is_served(shards[worker])


def _pending_reason(shared: Shared) -> Callable[[], str]:
    """Return a function that gives the reason why collection has not started, "" when it has."""
    needs_uid = any(assignment.kind == "identify" for assignment in shared.assignments)
    reason = "kubernetes.cluster_uid: the UID of the namespace kube-system is not known yet; the log has the cause"
    return lambda: reason if needs_uid and not shared.uid.read() else ""


def _problems(shared: Shared) -> Callable[[], list[str]]:
    """Return a function that gives the problems of Leases and of the paths of the node's file systems."""
    samples = any(assignment.kind == "sample" for assignment in shared.assignments)

    def problems() -> list[str]:
        lease_problem = shared.lease_problem.read() if shared.group else ""
        root_problems = shared.root_problems.read()[1].decode().splitlines() if samples else []
        return [*([lease_problem] if lease_problem else []), *root_problems]

    return problems


def _notes(shared: Shared) -> Callable[[], list[str]]:
    """Return a function that gives the lines that the workers of custom resources have written."""

    def notes() -> list[str]:
        served = _is_served(shared)
        return [line for name, document in shared.notes.items() if served(name) for line in document.read()[1].decode().splitlines()]

    return notes


def _status(shared: Shared, view: View) -> StatusSources:
    """State that the status page shows."""
    return StatusSources(view, shared.state, shared.holders, shared.notices, _served_shards(shared), folder_of_scrapers())


def _served_shards(shared: Shared) -> Callable[[], Mapping[str, bool]]:
    """Return a function that tells, by Lease, whether this agent serves the shard now."""
    names = shared.group.names if shared.group else ()
    return lambda: {name: shared.deadlines.is_served(number) for number, name in enumerate(names)}


def _pages(shared: Shared, config: Config) -> dict[str, list[ArenaReader]]:
    """Arenas by path: all on one page and, with `separate_endpoints`, each source on a page of its own as well."""

    def readers(*kinds: str) -> list[ArenaReader]:
        names = [assignment.name for assignment in shared.assignments if assignment.kind in kinds]
        return [ArenaReader(shared.arenas[name]) for name in names if name in shared.arenas]

    path = config.kube_metrics.metrics_path
    pages = {path: readers("watch", "custom", "sample")}
    if config.kube_metrics.separate_endpoints:
        pages[path + KUBESTATE] = readers("watch", "custom")
        pages[path + CADVISOR] = readers("sample")
    return pages
