"""Web worker: gunicorn, whose processes answer from shared memory.

The listening socket belongs to the supervisor: when gunicorn dies, connections wait in its queue for the next one. Gunicorn is a child
of the supervisor and never its parent, as its arbiter reaps every child that it sees.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Chdir
from gunicorn.glogging import Logger

from telegen.config import Config
from telegen.config.model import Web
from telegen.kubemetrics.agent_security import AgentSecurity
from telegen.kubemetrics.app import Asgi, by_port, make_app, make_telemetry_app
from telegen.kubemetrics.clients import REASONS, Clients, Limits
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.scrapers import Scrapers
from telegen.kubemetrics.series_budgets import SeriesBudgets, withheld_lines
from telegen.kubemetrics.signal_info import SignalInfo
from telegen.kubemetrics.status import StatusSources, folder_of_scrapers
from telegen.kubemetrics.store_ages import StoreAges
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.kubemetrics.web_process import WebProcess
from telegen.kubemetrics.web_security import AccessControl, NoTls, Security, WebSecurity
from telegen.process.log_settings import LogSettings
from telegen.process.os_process import Exit, die_with_parent, end_at_term, hold_term, set_name
from telegen.shm.reader import ArenaReader
from workers._agent_page import make_agent_page
from workers._base import Shared, Worker
from workers._web_confinement import confine_arbiter, protect_heartbeats

KUBESTATE = "/kubestate"
CADVISOR = "/cadvisor"
STOPPED = 3.0
"""The arbiter makes a round each second. After a longer pause than this it was stopped, and gives its processes as long to send a
heartbeat."""

HEADER_FIELDS = 1000
REQUEST_LINE = 8190
"""Bytes of the request line. kube-state-metrics takes more, but no path or selection of the agent is longer."""


class WebWorker(Worker):
    """Runs gunicorn's arbiter, whose child processes serve."""

    def install_signals(self) -> None:
        """Leave all signals but SIGCHLD to gunicorn."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def prepare(self, parent: int) -> None:
        """Give up root, files and the right to write shared memory."""
        confine_arbiter(self.shared, parent, self.death_signal)

    def make_telemetry(self) -> Telemetry:
        """Make the arbiter's metrics; each process below it makes its own."""
        return Telemetry("web")

    def run(self) -> None:
        """Serve until gunicorn is told to stop."""
        try:
            _Arbiter(_Application(self.shared), self.beat, web_processes(self.shared)).run()
        except SystemExit as ending:
            if ending.code not in (None, 0):
                raise RuntimeError(f"gunicorn ended with status {ending.code}") from ending

    def _handle_term(self, number: int, frame: Any) -> None:
        raise SystemExit(Exit.OK)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's parent process, with a heartbeat for the supervisor."""

    def __init__(self, app: _Application, beat: Callable[[], None], processes: Callable[[], int]) -> None:
        self._beat, self._processes, self._round, self._woken = beat, processes, time.monotonic(), 0.0
        super().__init__(app)

    def spawn_worker(self) -> Any:
        """Fork a process, which begins with `_Application._settle`."""
        with hold_term():
            return super().spawn_worker()

    def murder_workers(self) -> None:
        """Kill processes without a heartbeat, but not just after we were stopped ourselves: they were probably stopped with us."""
        before, self._round = self._round, time.monotonic()
        if self._round - before > STOPPED:
            self._woken = self._round
        if self._round - self._woken > STOPPED:
            super().murder_workers()

    def manage_workers(self) -> None:
        """Once a second, start or end processes, as gunicorn does at TTIN and TTOU. One that ends finishes its requests."""
        self._beat()
        self.num_workers = self._processes()
        super().manage_workers()


class _Logger(Logger):  # type: ignore[misc]
    """Gunicorn's messages in the agent's log."""

    def setup(self, cfg: Any) -> None:
        """Use our handlers, from severity warning on (see `telegen.process.logs`)."""
        self.error_log = logging.getLogger("telegen.web")
        self.access_log = logging.getLogger("telegen.web.access")

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception. A connection that fails is no defect of the agent and gets one line without a traceback."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            text = str(msg) % args if args else str(msg)
            self.error_log.warning("%s: %s: %s", text.rstrip("."), type(error).__name__, error)
        else:
            super().exception(msg, *args, **kwargs)


class _Application(BaseApplication):  # type: ignore[misc]
    """Gunicorn's settings and our ASGI application."""

    def __init__(self, shared: Shared) -> None:
        # Gunicorn checks the folder in which it was imported, that of the supervisor: a web process may not be able to enter it.
        Chdir.default = "/"
        self._shared = shared
        self._process = "web"
        # Read now: gunicorn takes the sockets for itself.
        self._ports = {setting: listener.getsockname()[1] for setting, listener in shared.listeners.items() if listener}
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings; its own files and variables are not read."""
        web, supervisor = self._shared.config.web, self._shared.config.supervisor
        settings = {
            "bind": [f"fd://{listener.fileno()}" for listener in self._shared.listeners.values() if listener],
            "workers": web_processes(self._shared)(),
            "worker_class": WebProcess,
            # "auto" would take uvloop wherever it is importable.
            "asgi_loop": "asyncio",
            "asgi_lifespan": "off",
            # The task of a client that has gone holds a body.
            "asgi_disconnect_grace_period": 0,
            # Gunicorn's own defaults are those of the supervisor, who imported it.
            "user": os.geteuid(),
            "group": os.getegid(),
            "timeout": max(2, round(supervisor.heartbeat_timeout)),
            "graceful_timeout": max(1, round(supervisor.grace_period) - 1),
            "keepalive": max(1, round(web.idle_timeout)),
            "limit_request_line": REQUEST_LINE,
            "limit_request_fields": HEADER_FIELDS,
            # Connection limits the headers as a whole.
            "limit_request_field_size": web.max_header_size,
            # The supervisor has made sure that this folder is writable.
            "worker_tmp_dir": os.environ["PROMETHEUS_MULTIPROC_DIR"],
            "control_socket_disable": True,
            "logger_class": _Logger,
            "proc_name": "telegen-web",
            "pre_fork": _number_worker,
            "post_fork": self._settle,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application of one process."""
        shared, telemetry = self._shared, self._telemetry
        view = make_view(shared)
        registry = reading_registry(shared.heartbeats, shared.rows, _served_shards(shared), shared.uid.read)
        registry.register(StoreAges(view))
        kube = shared.config.kube_metrics
        registry.register(SeriesBudgets(view.pages[kube.metrics_path], kube.limits))
        registry.register(SignalInfo(kube.signal_metadata))
        security = WebSecurity(shared.web_file, shared.reviews)
        self._worker.security = {port: _securities(shared, security)[setting] for setting, port in self._ports.items()}
        app = make_app(view, registry, telemetry, AccessControl(security, telemetry), shared.config.web.body_memory, _status(shared, view))
        app = Scrapers(folder_of_scrapers(), self._process).observe(app, view.pages)
        others: dict[str, Callable[[], Asgi]] = {
            "kube_metrics.telemetry_address": lambda: make_telemetry_app(view, registry, AccessControl(security, telemetry, is_plain=True)),
            "adapter.agent_address": lambda: make_agent_page(shared, view, telemetry),
        }
        return by_port(app, {self._ports[setting]: make() for setting, make in others.items() if setting in self._ports})

    def _settle(self, arbiter: Any, worker: Any) -> None:
        """Set name, log and parent-death signal of a new process."""
        end_at_term()
        protect_heartbeats(self._shared)
        self._process = f"web-{worker.number}"
        # A request under way is finished: the next arbiter's workers take the rest from the queue of the socket.
        die_with_parent(worker.ppid, signal.SIGTERM)
        # If the supervisor ends, nothing is left to serve, and its successor needs the port.
        self._shared.lifeline.follow()
        set_name(f"telegen-{self._process}")
        worker.log_settings = LogSettings(self._process, self._shared.config.log, self._shared.log)
        self._telemetry = Telemetry(self._process)
        for reason in REASONS:
            # Created at 0, so that increase() sees the first client.
            self._telemetry.dropped_clients.labels(reason)
        self._worker = worker
        worker.clients = Clients(_limits(self._shared.config.web), self._telemetry.note_dropped_client)
        gc.freeze()


def _number_worker(arbiter: Any, worker: Any) -> None:
    """Give a process the lowest free number: its counters continue those of the last process of that number."""
    taken = {other.number for other in arbiter.WORKERS.values()}
    worker.number = min(number for number in range(len(taken) + 1) if number not in taken)


def _limits(web: Web) -> Limits:
    return Limits(
        read_timeout=web.read_timeout,
        write_timeout=web.write_timeout,
        min_rate=web.min_rate,
        max_header_size=web.max_header_size,
        max_connections=web.max_connections,
        max_answers=web.max_answers,
    )


def _securities(shared: Shared, security: WebSecurity) -> Mapping[str, Security]:
    """Return the TLS of each address by its setting."""
    return {
        "kube_metrics.listen_address": security,
        "kube_metrics.telemetry_address": NoTls(),
        "adapter.agent_address": AgentSecurity(shared.agent_tls),
    }


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
