"""The parent of every process of the agent: `python -m telegen.supervisor`.

It imports what its children need, makes what they share (socket, arenas, board), forks them from that warm state and
watches them. It starts no thread, so a fork is safe at any time. A child that ends is forked again; what it had
published goes on being served, because its arena belongs to the supervisor.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Sequence

from telegen import __version__
from telegen.api.credentials import prepare
from telegen.config import Config, ConfigError, Sources, not_effective
from telegen.config.flags import ignored_flags
from telegen.kubemetrics.telemetry import Telemetry, make_folder
from telegen.kubestate.checks import notes
from telegen.kubestate.selectors import Selection
from telegen.process.listeners import LISTENERS, addresses, close_all, open_listener, rebind
from telegen.process.logs import configure
from telegen.process.os_process import BootFailure, Exit, Pidfile, bound_heap, set_name, share_memory
from telegen.supervisor.children import Children
from telegen.supervisor.file_watch import WatchedFile
from telegen.supervisor.inherited import Heritage
from telegen.supervisor.plan import Plan, make_plan, watched_resources
from telegen.supervisor.run_options import given, parser
from telegen.supervisor.signals import Signals
from telegen.supervisor.warmup import rehearse

log = logging.getLogger("telegen.supervisor")


class Supervisor:
    """Runs the processes of a plan until it is told to stop; takes a new configuration while it runs."""

    def __init__(self, config: Config, plan: Plan, sources: Sources, demo: bool) -> None:
        self._config, self._plan, self._sources, self._demo = config, plan, sources, demo
        self._file = WatchedFile(sources.path)
        self._kubeconfig = _kubeconfig(plan)
        self._signals = Signals()
        self._stopping = False
        self._status = Exit.OK

    def run(self) -> Exit:
        """Serve until a signal says stop; the exit status."""
        listeners = {setting: open_listener(self._config, setting) for setting in LISTENERS}
        self._heritage = Heritage(self._sources.environ, listeners)
        folder = _make_folder()
        try:
            share_memory()
            # Before there are metrics of our own: prometheus_client writes to the files that were opened last.
            rehearse(watched_resources(self._plan), Selection.of(self._config.kube_metrics.kube_state), folder)
            prepare(self._plan.sources)
            self._live()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            close_all(self._heritage.listeners)
        return self._status

    def _live(self) -> None:
        """Begin what the plan says, and look after it."""
        self._telemetry = Telemetry("supervisor")
        for result in ("success", "error"):
            # Shown from 0: increase() does not see the step of a counter that begins with 1.
            self._telemetry.reloads.labels(result)
        self._children = Children(self._config, self._plan, self._heritage, self._telemetry, self._signals)
        try:
            self._signals.install()
            log.info("telegen %s listens on %s; %s", __version__, addresses(self._heritage.listeners), self._plan.reason)
            share_memory()
            self._children.adopt(self._config, self._plan)
            while not self._stopping:
                self._turn()
            self._children.stop_all()
        finally:
            self._children.kill_all()

    def _turn(self) -> None:
        """Once a second, or at a signal: do what was asked for, look after the children."""
        self._signals.wait(1.0)
        for name in self._signals.take():
            getattr(self, f"handle_{name}")()
        if self._stopping:
            return
        self._children.reap()
        if self._children.hopeless:
            self._stopping, self._status = True, Exit.BOOT
            return
        self._children.murder_late()
        self._children.close_gated()
        self.follow_shard()
        self._children.spawn_due()
        if self._file.changed():
            log.info("%s has changed", self._sources.path)
            self.handle_hup()
        self._heritage.board.beat(0)

    def handle_term(self) -> None:
        """SIGTERM: end all workers, then end."""
        log.info("stopping")
        self._stopping = True

    handle_int = handle_term

    def handle_chld(self) -> None:
        """SIGCHLD: the loop reaps anyway."""

    def handle_usr2(self) -> None:
        """SIGUSR2, from our own elector: a shard is won or lost. The loop looks at the gates anyway."""

    def handle_usr1(self) -> None:
        """SIGUSR1: the state of every worker, to the log."""
        self._children.tell()

    def handle_hup(self) -> None:
        """SIGHUP, or the file has changed: take the new configuration, or keep the old one when the new one is
        invalid."""
        try:
            config = self._sources.load()
            plan = make_plan(config, self._sources.environ, self._plan.cluster if self._demo else None)
            listeners = rebind(self._heritage.listeners, self._config, config)
        except (ConfigError, BootFailure) as error:
            for line in str(error).splitlines():
                log.error("configuration not taken, the old one stays: %s", line)
            self._telemetry.reloads.labels("error").inc()
            return
        if listeners != self._heritage.listeners:
            log.info("listens on %s now", addresses(listeners))
        self._heritage.listeners = listeners
        if _pod(config) != _pod(self._config):
            self._heritage.shard.clear()
        self._config = config
        prepare(plan.sources)
        configure("supervisor", config.log.level, config.log.format)
        self._telemetry.reloads.labels("success").inc()
        log.info("configuration taken; %s", plan.reason)
        moved = plan.cluster != self._plan.cluster or self._kubeconfig.changed()
        self._kubeconfig = _kubeconfig(plan)
        self._adopt(plan.with_shard(self._heritage.shard.read()), moved)

    def follow_shard(self) -> None:
        """Take another shard of the objects when our StatefulSet says so."""
        plan = self._plan.with_shard(self._heritage.shard.read())
        if plan != self._plan:
            self._adopt(plan)

    def _adopt(self, plan: Plan, moved: bool = False) -> None:
        self._plan = plan
        self._children.adopt(self._config, plan, moved)


def _make_folder() -> str:
    """A folder for our own metrics.

    Raises:
        BootFailure: nothing can be written.
    """
    try:
        return make_folder()
    except OSError as error:
        why = f"no folder for the agent's own metrics: {error.strerror}; /dev/shm or /tmp has to be writable"
        raise BootFailure(Exit.BOOT, why) from error


def _kubeconfig(plan: Plan) -> WatchedFile:
    """The kubeconfig of the agent's own cluster, if that has one: it may come to name another cluster."""
    kind, _, path = plan.cluster.partition(":")
    return WatchedFile(os.path.expanduser(path) if kind == "kubeconfig" else None)


def _pod(config: Config) -> tuple[str, str]:
    """The pod whose ordinal says which shard is taken."""
    state = config.kube_metrics.kube_state
    return state.pod, state.pod_namespace


def check(config: Config, plan: Plan) -> None:
    """Print what a start would do."""
    print(plan.reason)
    for path in not_effective(config):
        print(f"{path}: not effective yet")
    for line in notes(config):
        print(line)
    print("the configuration is valid")


def _page(config: Config) -> str:
    """Return the URL of the agent on this machine; empty if it does not listen."""
    address = config.kube_metrics.listen_address
    if not address:
        return ""
    host = f"[{address.host}]" if ":" in address.host else address.host or "localhost"
    return f"http://{host}:{address.port}/"


def main(argv: Sequence[str] | None = None) -> int:
    """Start the agent; the exit status (see `Exit`)."""
    options = parser().parse_args(argv)
    sources = Sources(options.config, dict(os.environ), given(options), options.continue_without_config)
    demo = None
    try:
        config = sources.load()
        configure("supervisor", config.log.level, config.log.format)
        if options.demo and not options.check:
            from telegen.demo.process import DemoProcess

            demo = DemoProcess.start(options.demo_pods, options.demo_rate, _page(config))
        plan = make_plan(config, sources.environ, demo.url if demo else None)
        if options.check:
            check(config, plan)
            return Exit.OK
        for line in [*ignored_flags(sources.given), *notes(config)]:
            log.info(line)
        for path in not_effective(config):
            log.warning("%s: not effective yet", path)
        return _serve(Supervisor(config, plan, sources, bool(demo)), config)
    except ConfigError as error:
        print("\n".join(f"telegen: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return Exit.CONFIG
    except BootFailure as error:
        print(f"telegen: {error}", file=sys.stderr)
        return error.status
    finally:
        if demo:
            demo.stop()


def _serve(supervisor: Supervisor, config: Config) -> int:
    """Run with the pidfile that the configuration asks for."""
    set_name("telegen")
    bound_heap()
    pidfile = Pidfile(config.supervisor.pidfile) if config.supervisor.pidfile else None
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


if __name__ == "__main__":
    sys.exit(main())
