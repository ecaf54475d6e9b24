"""Gunicorn under the supervisor: the arbiter with a heartbeat, the log, and the settings of all workers that serve HTTP.

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
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Chdir
from gunicorn.glogging import Logger

from telegen.kubemetrics.clients import REASONS, Clients, Limits
from telegen.kubemetrics.connection_security import NoTls
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubemetrics.web_process import WebProcess
from telegen.process.log_settings import LogSettings
from telegen.process.os_process import Exit, die_with_parent, end_at_term, hold_term, set_name
from workers._base import Shared, Worker

STOPPED = 3.0
"""The arbiter makes a round each second. After a longer pause than this it was stopped, and gives its processes as long to send a
heartbeat."""
HEADER_FIELDS = 1000
REQUEST_LINE = 8190
"""Bytes of the request line. kube-state-metrics takes more, but no path or selection of the agent is longer."""


class GunicornWorker(Worker):
    """A worker that runs gunicorn's arbiter, whose child processes serve."""

    def install_signals(self) -> None:
        """Leave all signals but SIGCHLD to gunicorn."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def serve(self, application: HttpApplication, processes: Callable[[], int]) -> None:
        """Serve until gunicorn is told to stop.

        Args:
            processes: returns the number of processes to run now.
        """
        try:
            _Arbiter(application, self.beat, processes).run()
        except SystemExit as ending:
            if ending.code not in (None, 0):
                raise RuntimeError(f"gunicorn ended with status {ending.code}") from ending

    def _handle_term(self, number: int, frame: Any) -> None:
        raise SystemExit(Exit.OK)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's parent process, with a heartbeat for the supervisor."""

    def __init__(self, app: HttpApplication, beat: Callable[[], None], processes: Callable[[], int]) -> None:
        self._beat, self._processes, self._round, self._woken = beat, processes, time.monotonic(), 0.0
        super().__init__(app)

    def spawn_worker(self) -> Any:
        """Fork a process, which begins with `HttpApplication.settle`."""
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


class HttpApplication(BaseApplication):  # type: ignore[misc]
    """Gunicorn's settings, and the preparation of each process; a subclass loads the ASGI application.

    Attributes:
        shared: state that the processes inherit.
        telemetry: of a process, once it is settled.
        process: name of a process, for logs and metrics.
        worker: gunicorn's worker, once it is settled.
        least_idle: seconds that a connection may be idle at least.
    """

    least_idle = 0

    telemetry: Telemetry
    worker: WebProcess

    def __init__(self, shared: Shared, name: str, plain: str, processes: Callable[[], int]) -> None:
        """Prepare the arbiter.

        Args:
            name: of the assignment.
            plain: path of the setting whose address has no TLS.
            processes: returns the number of processes to run now.
        """
        # Gunicorn checks the folder in which it was imported, that of the supervisor: a web process may not be able to enter it.
        Chdir.default = "/"
        self.shared, self.process, self._name, self._processes = shared, name, name, processes
        second = shared.listeners[plain]
        # Read now: gunicorn takes the sockets for itself.
        self.plain_port = second.getsockname()[1] if second else None
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings; its own files and variables are not read."""
        web, supervisor = self.shared.config.web, self.shared.config.supervisor
        settings = {
            "bind": [f"fd://{listener.fileno()}" for listener in self.shared.listeners.values() if listener],
            "workers": self._processes(),
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
            "keepalive": max(1, round(web.idle_timeout), self.least_idle),
            "limit_request_line": REQUEST_LINE,
            "limit_request_fields": HEADER_FIELDS,
            # Connection limits the headers as a whole.
            "limit_request_field_size": web.max_header_size,
            # The supervisor has made sure that this folder is writable.
            "worker_tmp_dir": os.environ["PROMETHEUS_MULTIPROC_DIR"],
            "control_socket_disable": True,
            "logger_class": _Logger,
            "proc_name": f"telegen-{self._name}",
            "pre_fork": _number_worker,
            "post_fork": self.settle,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def limits(self) -> Limits:
        """Return the limits of clients."""
        web = self.shared.config.web
        return Limits(
            read_timeout=web.read_timeout,
            write_timeout=web.write_timeout,
            min_rate=web.min_rate,
            max_header_size=web.max_header_size,
            max_connections=web.max_connections,
            max_answers=web.max_answers,
        )

    def drain(self) -> float:
        """Return the seconds for which a process that is told to end still serves."""
        return 0.0

    def settle(self, arbiter: Any, worker: Any) -> None:
        """Set name, log and parent-death signal of a new process."""
        end_at_term()
        self.process = f"{self._name}-{worker.number}"
        # A request under way is finished: the next arbiter's workers take the rest from the queue of the socket.
        die_with_parent(worker.ppid, signal.SIGTERM)
        # If the supervisor ends, nothing is left to serve, and its successor needs the port.
        self.shared.lifeline.follow()
        set_name(f"telegen-{self.process}")
        worker.log_settings = LogSettings(self.process, self.shared.config.log, self.shared.log)
        self.telemetry = Telemetry(self.process)
        for reason in REASONS:
            # Created at 0, so that increase() sees the first client.
            self.telemetry.dropped_clients.labels(reason)
        self.worker = worker
        worker.other_security = {self.plain_port: NoTls()} if self.plain_port is not None else {}
        worker.clients = Clients(self.limits(), self.telemetry.note_dropped_client)
        worker.drain = self.drain
        gc.freeze()


def _number_worker(arbiter: Any, worker: Any) -> None:
    """Give a process the lowest free number: its counters continue those of the last process of that number."""
    taken = {other.number for other in arbiter.WORKERS.values()}
    worker.number = min(number for number in range(len(taken) + 1) if number not in taken)
