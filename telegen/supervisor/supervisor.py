"""The supervisor: parent of every process of the agent.

It imports what its children need, creates what they share (sockets, arenas, heartbeats), forks them from that warm state
and watches them. It starts no thread, so that a fork is safe at any time. A child that ends is forked again; its last
published pages stay served, because its arena belongs to the supervisor.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from errno import ENOSPC

from telegen import __version__
from telegen.api.credentials import prepare
from telegen.config import Config, ConfigError, ConfigSource
from telegen.config.custom_resources import present_files
from telegen.config.model import CustomResourceState
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubemetrics.value_files import ROOM, make_folder
from telegen.kubestate.selectors import Selection
from telegen.process.listeners import Listeners, addresses, close_all, open_listener, rebind
from telegen.process.log_repeats import UNLIMITED
from telegen.process.log_settings import log_text
from telegen.process.logs import configure
from telegen.process.os_process import BootFailure, Exit, Pidfile, bound_heap, set_name, share_memory
from telegen.supervisor.agent_certificates import AgentCertificates
from telegen.supervisor.children import Children
from telegen.supervisor.configuration import load_all
from telegen.supervisor.credential_check import check_credentials
from telegen.supervisor.file_watch import WatchedFile, WatchedFiles
from telegen.supervisor.inherited import Inherited
from telegen.supervisor.limits import check_limits
from telegen.supervisor.plan import Plan, sampled_fields, watched_resources
from telegen.supervisor.preload import preload
from telegen.supervisor.published_state import PublishedState
from telegen.supervisor.roles import AGENT, Role
from telegen.supervisor.rules_file import RulesPublisher, load_rules
from telegen.supervisor.signals import Signals
from telegen.supervisor.trial import try_aside
from telegen.supervisor.warmup import warm_up
from telegen.supervisor.web_files import WebFiles, load_web_file
from workers.statefulset_shard import shard_problem

log = logging.getLogger("telegen.supervisor")

TURN = 1.0
"""Seconds between two turns of the loop if no signal arrives."""
RELOAD_INTERVAL = 1.0
"""Minimum of seconds between two reloads: a burst of signals leads to one."""


class Supervisor:
    """Runs the processes of a plan until it gets a signal to stop, and reloads the configuration while it runs."""

    def __init__(
        self, config: Config, plan: Plan, source: ConfigSource, custom: bytes, demo: str | None = None, role: Role = AGENT
    ) -> None:
        """Prepare; `run` does the work.

        Args:
            config, plan: loaded from `source`.
            source: read again on a reload.
            custom: the configuration of custom resources, for the workers.
            demo: URL of the simulated API server to watch instead of any cluster.
            role: makes the plan again on a reload.
        """
        self._config, self._plan, self._source, self._custom, self._demo = config, plan, source.for_reloads(), custom, demo
        self._role = role
        self._file = WatchedFile(source.path)
        self._custom_files = _custom_files(config)
        self._kubeconfigs = _kubeconfigs(plan)
        self._signals = Signals()
        self._stopping = self._reload_wanted = False
        self._next_reload = 0.0
        self._status = Exit.OK

    def run(self) -> Exit:
        """Serve until a signal asks to stop; return the exit status.

        Raises:
            BootFailure: an address is taken, or no folder is writable.
            ConfigError: a file with credentials is missing or malformed.
        """
        listeners = {setting: open_listener(self._config, setting) for setting in self._role.listeners}
        self._inherited = Inherited(self._source.environ, listeners)
        folder = _make_folder()
        self._inherited.custom.write(self._custom)
        try:
            share_memory()
            # Before the agent's own Telemetry is created: prometheus_client writes to the value files opened last, and the
            # warm-up's are deleted.
            selection, fields = Selection.of(self._config.kube_metrics.kube_state), sampled_fields(self._plan, self._config)
            warm_up(watched_resources(self._plan), selection, fields, folder)
            prepare(self._plan.clusters)
            check_credentials(self._plan, self._source.environ)
            self._supervise()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            close_all(self._inherited.listeners)
        return self._status

    def _supervise(self) -> None:
        """Fork the processes of the plan, and turn the loop until the end."""
        self._telemetry = Telemetry("supervisor")
        for result in ("success", "error"):
            # Created at 0: increase() in PromQL does not see the first step of a counter that begins at 1.
            self._telemetry.reloads.labels(result)
        self._web_files = WebFiles(self._inherited.web_file, self._telemetry)
        self._web_files.adopt(self._config.web, *load_web_file(self._config.web))
        self._certificates = AgentCertificates(self._inherited.agent_tls)
        self._certificates.adopt(_tls_dir(self._config, self._inherited.listeners))
        self._rules = RulesPublisher(self._inherited.rules, self._telemetry)
        self._rules.adopt(self._config.adapter.rules_file, load_rules(self._config.adapter.rules_file))
        self._children = Children(self._config, self._plan, self._inherited, self._telemetry, self._signals)
        self._published = PublishedState(self._inherited.state)
        self._published.adopt(self._config, self._source.origins())
        try:
            self._signals.install()
            log.info("telegen %s listens on %s; %s", __version__, addresses(self._inherited.listeners), self._plan.reason)
            preload({assignment.kind for assignment in self._plan.assignments})
            share_memory()
            self._children.apply_plan(self._config, self._plan)
            self._published.write(self._plan.reason, self._children.states())
            while not self._stopping:
                self._turn()
            self._children.stop_all()
        finally:
            # Also after an exception: a child that outlived the supervisor would hold its port.
            self._children.kill_all()

    def _turn(self) -> None:
        """Wait for a signal or a second, then handle signals, ended and hanging children, and changed files."""
        self._signals.wait(TURN)
        for name in self._signals.take():
            getattr(self, f"handle_{name}")()
        if self._stopping:
            # Children that end from now on were told to, and must not be restarted.
            return
        self._children.reap()
        if self._children.boot_failed:
            self._stopping, self._status = True, Exit.BOOT
            return
        self._children.murder_late()
        self._children.end_unwanted()
        self._follow_shard()
        self._children.spawn_due()
        self._reload_if_due()
        self._web_files.follow()
        self._certificates.follow()
        self._rules.follow()
        self._children.note_usage()
        self._published.write(self._plan.reason, self._children.states())
        self._inherited.heartbeats.beat(0)

    def handle_term(self) -> None:
        """SIGTERM: end all workers, then end."""
        log.info("stopping")
        self._stopping = True

    handle_int = handle_term

    def handle_chld(self) -> None:
        """SIGCHLD: only ends the wait; every turn of the loop reaps."""

    def handle_usr2(self) -> None:
        """SIGUSR2 from the elector, when a shard is won or lost: only ends the wait; every turn reads the deadlines."""

    def handle_usr1(self) -> None:
        """SIGUSR1: log the state of every worker."""
        self._children.log_status()

    def handle_hup(self) -> None:
        """SIGHUP: request a reload."""
        self._reload_wanted = True

    def _reload_if_due(self) -> None:
        """Reload once for all signals and changes of the file in `RELOAD_INTERVAL`."""
        if self._file.changed():
            log.info("%s has changed: reloading", self._source.path)
            self._reload_wanted = True
        if self._custom_files.changed():
            log.info("the configuration of custom resources has changed: reloading")
            self._reload_wanted = True
        now = time.monotonic()
        if not self._reload_wanted or now < self._next_reload:
            return
        self._reload_wanted = False
        try:
            self._reload()
        except (ConfigError, BootFailure, OSError) as error:
            self._reject(str(error))
        except Exception as error:
            # No content of a file may end a running agent, even if it meets a fault of this program.
            log.exception("reload failed by a fault of this program")
            self._reject(repr(error))
        self._next_reload = time.monotonic() + RELOAD_INTERVAL

    def _reject(self, error: str) -> None:
        self._telemetry.reloads.labels("error").inc()
        for line in error.splitlines():
            log.error("reload failed: %s; the old configuration stays in force", line, extra={UNLIMITED: True})

    def _reload(self) -> None:
        """Apply the new configuration.

        Raises:
            ConfigError: the new configuration is invalid.
            BootFailure: a new address cannot be opened.
        """
        # Everything that can fail comes first, so that a failed reload changes nothing.
        config, custom, _ = load_all(self._source)
        plan = self._role.make_plan(config, self._source.environ, self._demo)
        check_limits(plan, config)
        check_credentials(plan, self._source.environ)
        prepare(plan.clusters)
        self._inherited.make_room(plan, config.kube_metrics.kube_state.arena_limit)
        self._check_pod(config, plan)
        web_file, rules = self._web_files.load(config.web), self._rules.load(config.adapter.rules_file)
        listeners = rebind(self._inherited.listeners, self._config, config)
        self._web_files.adopt(config.web, *web_file)
        self._certificates.adopt(_tls_dir(config, listeners))
        self._rules.adopt(config.adapter.rules_file, rules)
        if listeners != self._inherited.listeners:
            log.info("listening on %s now", addresses(listeners))
        self._inherited.listeners = listeners
        # Another pod has another ordinal: the shard is unknown until it is read from the StatefulSet again.
        if _pod(config) != _pod(self._config):
            self._inherited.shard.clear()
        if _custom_settings(config) != _custom_settings(self._config):
            self._custom_files = _custom_files(config)
        if custom != self._custom:
            self._inherited.custom.write(custom)
        self._config, self._custom = config, custom
        self._published.adopt(config, self._source.origins())
        configure("supervisor", config.log.level, config.log.format)
        self._inherited.log.write(log_text(config.log))
        self._telemetry.reloads.labels("success").inc()
        log.info("configuration reloaded; %s", plan.reason)
        cluster_changed = plan.cluster != self._plan.cluster or any([file.changed() for file in self._kubeconfigs])
        self._kubeconfigs = _kubeconfigs(plan)
        self._apply_plan(plan.with_shard(self._inherited.shard.read()), cluster_changed)

    def _check_pod(self, config: Config, plan: Plan) -> None:
        """Check that a pod that is new in the configuration can have a shard; its worker would end the agent otherwise.

        Raises:
            BootFailure: it cannot, or the API server does not answer.
        """
        if plan.has_dynamic_shard and (_pod(config), plan.cluster) != (_pod(self._config), self._plan.cluster):
            shared = self._inherited.shared(config, plan)
            problem = try_aside(lambda: shard_problem(shared), self._signals.forsake)
            if problem:
                raise BootFailure(Exit.BOOT, problem)

    def _follow_shard(self) -> None:
        """Apply the plan of another shard when the StatefulSet gives the agent another one."""
        plan = self._plan.with_shard(self._inherited.shard.read())
        if plan != self._plan:
            self._apply_plan(plan)

    def _apply_plan(self, plan: Plan, cluster_changed: bool = False) -> None:
        self._plan = plan
        self._children.apply_plan(self._config, plan, cluster_changed)


def run_with_pidfile(supervisor: Supervisor, path: str) -> Exit:
    """Run the supervisor while a pidfile names its process.

    Args:
        path: of the pidfile; "" for none.

    Raises:
        BootFailure: the pidfile cannot be written or names a running agent, or see `Supervisor.run`.
    """
    set_name("telegen")
    bound_heap()
    pidfile = Pidfile(path) if path else None
    try:
        if pidfile:
            pidfile.create()
    except OSError as error:
        raise BootFailure(Exit.BOOT, f"supervisor.pidfile: {error}") from error
    try:
        return supervisor.run()
    finally:
        if pidfile:
            pidfile.remove()


def _make_folder() -> str:
    """Create the folder for the value files of the agent's own metrics.

    Raises:
        BootFailure: no folder is writable, or none has room.
    """
    try:
        return make_folder()
    except OSError as error:
        cure = f"free {ROOM >> 20} MiB in /dev/shm or /tmp" if error.errno == ENOSPC else "make /dev/shm or /tmp writable"
        message = f"cannot create a folder for the agent's own metrics: {error.strerror}; {cure}"
        raise BootFailure(Exit.BOOT, message) from error


def _kubeconfigs(plan: Plan) -> list[WatchedFile]:
    """Watch the kubeconfigs of all clusters: new content may name another server."""
    sources = (source.partition(":") for source in sorted(plan.clusters))
    return [WatchedFile(os.path.expanduser(path)) for kind, _, path in sources if kind == "kubeconfig"]


def _custom_settings(config: Config) -> CustomResourceState:
    return config.kube_metrics.kube_state.custom_resource_state


def _custom_files(config: Config) -> WatchedFiles:
    """Watch the files of the configuration of custom resources."""
    settings = _custom_settings(config)
    return WatchedFiles(lambda: present_files(settings))


def _tls_dir(config: Config, listeners: Listeners) -> str:
    """Return the folder of the certificates of adapter.agent_address, "" if the role does not listen on it."""
    return config.adapter.agent_tls_dir if listeners.get("adapter.agent_address") else ""


def _pod(config: Config) -> tuple[str, str]:
    """Return the pod whose ordinal is the shard of this agent, and its namespace."""
    state = config.kube_metrics.kube_state
    return state.pod, state.pod_namespace
