"""The parent of every process of the agent: `python -m telegen.supervisor`.

It imports what its children need, makes what they share (socket, arenas, board), forks them from that warm state and
watches them. It starts no thread, so a fork is safe at any time. A child that ends is forked again; what it had
published goes on being served, because its arena belongs to the supervisor.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from telegen import __version__
from telegen.arguments import given, parser
from telegen.config import Config, ConfigError, Sources, not_effective
from telegen.config.checks import MOST_SHARDS
from telegen.config.flags import ignored_flags
from telegen.kubemetrics.telemetry import Telemetry, forget, make_folder
from telegen.kubestate.checks import notes
from telegen.kubestate.selectors import Selection
from telegen.listeners import LISTENERS, Listeners, close_all, open_listener, set_timeouts
from telegen.logs import configure
from telegen.plan import Plan, make_plan, watched_resources
from telegen.processes import BootFailure, Exit, Pidfile, bound_heap, describe, end_at_term, hold_term, set_name
from telegen.rehearsal import rehearse
from telegen.shm.board import Board
from telegen.shm.cell import ShardCell, TextCell
from telegen.shm.gate import Gates
from telegen.shm.layout import Arena
from telegen.watchfile import WatchedFile
from workers import WORKERS
from workers.base import Assignment, Shared, exit_now

log = logging.getLogger("telegen.supervisor")

ROWS = 2048
"""Rows of the board: the supervisor's and one per worker name that was ever used."""
ABORT_TIME = 2.0
"""Seconds between SIGABRT, at which a hanging worker prints its stacks, and SIGKILL."""
LATE = 3.0
"""A turn of the loop that took so many seconds shows that this process was stopped. Others may have been, and have as
long again to show that they live."""
HEALTHY = 60.0
"""A worker that ran for so many seconds starts again without delay when it ends."""


@dataclass
class Child:
    """One assignment and the process that fulfils it now, if any."""

    assignment: Assignment
    pid: int = 0
    started: float = 0.0
    delay: float = 0.0
    due: float = 0.0
    aborted: float = 0.0


class Supervisor:
    """Forks the workers of a plan and keeps them alive until it is told to stop."""

    def __init__(self, config: Config, plan: Plan, sources: Sources, demo: bool) -> None:
        self._config, self._plan, self._sources, self._demo = config, plan, sources, demo
        self._environ = sources.environ
        self._file = WatchedFile(sources.path)
        self._signals: list[int] = []
        self._children: dict[str, Child] = {}
        self._leaving: dict[int, str] = {}
        self._arenas: dict[str, Arena] = {}
        self._rows = {"supervisor": 0}
        self._board = Board(ROWS)
        self._board.enter(0, os.getpid())
        self._gates = Gates(MOST_SHARDS)
        self._shard = ShardCell()
        self._uid = TextCell()
        self._group = plan.group
        self._stopping = False
        self._lenient_until = 0.0
        self._status = Exit.OK
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> Exit:
        """Serve until a signal says stop; the exit status."""
        self._listeners = {setting: open_listener(self._config, setting) for setting in LISTENERS}
        folder = _make_folder()
        try:
            _share()
            # Before there are metrics of our own: prometheus_client writes to the files that were opened last.
            rehearse(watched_resources(self._plan), Selection.of(self._config.kube_metrics.kube_state), folder)
            self._telemetry = Telemetry("supervisor")
            for result in ("success", "error"):
                # Shown from 0: increase() does not see the step of a counter that begins with 1.
                self._telemetry.reloads.labels(result)
            self._install_signals()
            log.info("telegen %s listens on %s; %s", __version__, self._shown_addresses(), self._plan.reason)
            _share()
            self._adopt(self._plan)
            self._loop()
        finally:
            self._kill_all()
            shutil.rmtree(folder, ignore_errors=True)
            close_all(self._listeners)
        return self._status

    # --- the loop

    def _loop(self) -> None:
        """Once a second, or at a signal: look after the children."""
        while not self._stopping:
            self._wait(1.0)
            while self._signals:
                name = signal.Signals(self._signals.pop(0)).name[3:].lower()
                getattr(self, f"handle_{name}")()
            self.reap()
            self.murder_late()
            self.close_gated()
            self.follow_shard()
            self.spawn_due()
            if self._file.changed():
                log.info("%s has changed", self._sources.path)
                self.handle_hup()
            self._board.beat(0)
        self._stop_all()

    def _wait(self, timeout: float) -> None:
        readable, _, _ = select.select([self._wake_read], [], [], timeout)
        if readable:
            os.read(self._wake_read, 512)

    def _install_signals(self) -> None:
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._enqueue)

    def _enqueue(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: nothing but a note for the loop."""
        self._signals.append(number)

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
        now = time.monotonic()
        for name, child in sorted(self._children.items()):
            age = self._board.age(self._rows[name])
            if not self._is_wanted(child):
                log.info("%s: not wanted: what it is for is done, another agent's, or not known yet", name)
            elif child.pid:
                log.info("%s: process %d, up %.0f s, last beat %.1f s ago", name, child.pid, now - child.started, age)
            else:
                log.info("%s: down, starts again in %.1f s", name, max(0.0, child.due - now))

    def handle_hup(self) -> None:
        """SIGHUP, or the file has changed: take the new configuration, or keep the old one when the new one is
        invalid."""
        try:
            config = self._sources.load()
            plan = make_plan(config, self._environ, self._plan.cluster if self._demo else None)
            self._rebind(config)
        except (ConfigError, BootFailure) as error:
            for line in str(error).splitlines():
                log.error("configuration not taken, the old one stays: %s", line)
            self._telemetry.reloads.labels("error").inc()
            return
        if _pod(config) != _pod(self._config):
            self._shard.clear()
        self._config = config
        configure("supervisor", config.log.level, config.log.format)
        self._telemetry.reloads.labels("success").inc()
        log.info("configuration taken; %s", plan.reason)
        self._adopt(plan.with_shard(self._shard.read()))

    def follow_shard(self) -> None:
        """Take another shard of the objects when our StatefulSet says so."""
        plan = self._plan.with_shard(self._shard.read())
        if plan != self._plan:
            self._adopt(plan)

    # --- the children

    def _adopt(self, plan: Plan) -> None:
        """Make the children those of `plan`. Whoever runs is replaced: the new one is forked first, so that the socket
        is always served."""
        moved, self._plan = plan.cluster != self._plan.cluster, plan
        self._telemetry.note_shard(plan.shard)
        for assignment in plan.assignments:
            if assignment.stores and assignment.name not in self._arenas:
                limit = self._config.kube_metrics.kube_state.arena_limit
                self._arenas[assignment.name] = Arena.create(assignment.name, limit)
            if assignment.name not in self._rows:
                self._rows[assignment.name] = len(self._rows)
        before, self._children = self._children, {}
        self._gates.leave(plan.group != self._group)
        web_last = sorted(plan.assignments, key=lambda assignment: assignment.kind == "web")
        for child in before.values():
            if child.assignment.kind != "web":
                self._dismiss(child)
                forget(child.assignment.name)
        self._gates.leave(False)
        if moved:
            self._uid.clear()
        self._group = plan.group
        for assignment in web_last:
            self._children[assignment.name] = child = Child(assignment)
            if self._is_wanted(child):
                self._spawn(child)
            elif assignment.gate is not None or not assignment.shard[1]:
                self._arenas[assignment.name].clear()
        for child in before.values():
            if child.assignment.kind == "web":
                self._dismiss(child)
        for name in set(self._arenas) - set(self._children):
            self._arenas.pop(name).close()

    def _dismiss(self, child: Child) -> None:
        """Ask a child that is no longer wanted to end. The one writer of an arena must be gone before the next
        begins."""
        if not child.pid:
            return
        _kill(child.pid, signal.SIGTERM)
        self._leaving[child.pid] = child.assignment.name
        if child.assignment.kind != "web":
            self._wait_gone([child.pid], self._config.supervisor.grace_period)
        child.pid = 0

    def _is_wanted(self, child: Child) -> bool:
        """Whether a child is to run: always, unless it is for a shard of the cluster that others serve, or one that is
        not known yet. What the cluster is must be found out before anything is said of it, and once."""
        kind, gate = child.assignment.kind, child.assignment.gate
        if self._plan.identifies and kind != "web" and (kind == "identify") == bool(self._uid.read()):
            return False
        return child.assignment.shard[1] > 0 if gate is None else self._gates.wanted(gate)

    def close_gated(self) -> None:
        """End who works for a shard that is not ours any more, or is done, and forget what it had published."""
        for name, child in self._children.items():
            if child.started and not self._is_wanted(child):
                self._dismiss(child)
                if name in self._arenas:
                    self._arenas[name].clear()
                self._board.clear(self._rows[name])
                forget(name)
                self._children[name] = Child(child.assignment)

    def _spawn(self, child: Child) -> None:
        """Fork a worker from the warm parent."""
        name, parent = child.assignment.name, os.getpid()
        shared = Shared(
            config=self._config,
            cluster=self._plan.cluster,
            environ=self._environ,
            assignments=self._plan.assignments,
            arenas=self._arenas,
            board=self._board,
            rows=self._plan_rows(),
            listeners=self._listeners,
            gates=self._gates,
            shard=self._shard,
            uid=self._uid,
            group=self._plan.group,
        )
        self._telemetry.restarts.labels(name)
        with hold_term():
            pid = os.fork()
            if pid == 0:
                self._live(child.assignment, shared, parent)
        child.pid, child.started, child.aborted = pid, time.monotonic(), 0.0
        self._board.enter(self._rows[name], pid)
        log.debug("%s: process %d", name, pid)

    def _live(self, assignment: Assignment, shared: Shared, parent: int) -> NoReturn:
        """What a forked process does."""
        code = int(Exit.CRASH)
        try:
            signal.set_wakeup_fd(-1)
            end_at_term()
            os.close(self._wake_read)
            os.close(self._wake_write)
            code = WORKERS[assignment.kind](assignment, shared).main(parent)
        except BaseException:
            log.exception("%s: could not live", assignment.name)
        finally:
            exit_now(code)

    def _plan_rows(self) -> dict[str, int]:
        """Rows of the board that are in use under this plan."""
        names = ["supervisor", *(assignment.name for assignment in self._plan.assignments)]
        return {name: self._rows[name] for name in names}

    def spawn_due(self) -> None:
        """Start again whoever's delay is over."""
        now = time.monotonic()
        for child in self._children.values():
            if child.pid or child.due > now or self._stopping or not self._is_wanted(child):
                continue
            if child.started:
                self._telemetry.restarts.labels(child.assignment.name).inc()
            self._spawn(child)

    def reap(self) -> None:
        """Collect every ended process, our own and, as PID 1 of a container, those that lost their parents."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._collect(pid, status)

    def _collect(self, pid: int, status: int) -> None:
        """Judge one ended process."""
        if self._leaving.pop(pid, None) is not None:
            return
        child = next((child for child in self._children.values() if child.pid == pid), None)
        if child is None:
            log.debug("process %d, not one of ours, has ended", pid)
            return
        name, now = child.assignment.name, time.monotonic()
        self._board.leave(self._rows[name])
        child.pid = 0
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == Exit.BOOT:
            log.error("%s cannot work as configured: the agent stops", name)
            self._stopping, self._status = True, Exit.BOOT
            return
        if status == Exit.OK and not self._is_wanted(child):
            return
        settings = self._config.supervisor
        quiet = now - child.started > HEALTHY
        child.delay = 0.0 if quiet else min(settings.backoff_max, child.delay * 2 or settings.backoff_initial)
        child.due = now + (0.0 if quiet else child.delay)
        if not self._stopping:
            log.warning("%s: %s; starts again in %.1f s", name, describe(status), child.due - now)

    def murder_late(self) -> None:
        """Abort who shows no sign of life, then kill."""
        limit, now = self._config.supervisor.heartbeat_timeout, time.monotonic()
        if self._board.age(0) > LATE:
            self._lenient_until = now + LATE
        if now < self._lenient_until:
            return
        for name, child in self._children.items():
            age = self._board.age(self._rows[name])
            if not child.pid or age < limit:
                continue
            if not child.aborted:
                log.error("%s: no sign of life for %.0f s: aborted, its stacks follow", name, age)
                child.aborted = time.monotonic()
                _kill(child.pid, signal.SIGABRT)
            elif time.monotonic() - child.aborted > ABORT_TIME:
                _kill(child.pid, signal.SIGKILL)

    # --- the end

    def _stop_all(self) -> None:
        """SIGTERM to all, and time to end within the grace period."""
        self._gates.leave(True)
        for child in self._children.values():
            if child.pid:
                _kill(child.pid, signal.SIGTERM)
        pids = [child.pid for child in self._children.values() if child.pid] + list(self._leaving)
        self._wait_gone(pids, self._config.supervisor.grace_period)

    def _wait_gone(self, pids: list[int], timeout: float) -> None:
        """Reap until all of `pids` have ended; kill what is left after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        waiting = set(pids)
        while waiting:
            for pid in list(waiting):
                ended, status = _waitpid(pid)
                if ended:
                    waiting.discard(pid)
                    self._leaving.pop(pid, None)
                    for child in self._children.values():
                        child.pid = 0 if child.pid == pid else child.pid
            if waiting and time.monotonic() > deadline:
                for pid in waiting:
                    log.warning("process %d did not end in time: killed", pid)
                    _kill(pid, signal.SIGKILL)
                deadline = float("inf")
            if waiting:
                self._board.beat(0)
                self._wait(0.05)

    def _kill_all(self) -> None:
        """Whatever happens here, leave nobody behind."""
        for pid in [child.pid for child in self._children.values() if child.pid] + list(self._leaving):
            _kill(pid, signal.SIGKILL)
            _waitpid(pid, block=True)

    def _rebind(self, config: Config) -> None:
        """Take new addresses before the old ones are given up."""
        fresh: Listeners = {}
        try:
            for setting in LISTENERS:
                if getattr(config.kube_metrics, setting) != getattr(self._config.kube_metrics, setting):
                    fresh[setting] = open_listener(config, setting)
        except BootFailure:
            close_all(fresh)
            raise
        set_timeouts(self._listeners, config)
        if fresh:
            close_all({setting: self._listeners[setting] for setting in fresh})
            self._listeners = {**self._listeners, **fresh}
            log.info("listens on %s now", self._shown_addresses())

    def _shown_addresses(self) -> str:
        open_ones = [listener.getsockname() for listener in self._listeners.values() if listener]
        return " and ".join(f"{name[0]} port {name[1]}" for name in open_ones)


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


def _pod(config: Config) -> tuple[str, str]:
    """The pod whose ordinal says which shard is taken."""
    state = config.kube_metrics.kube_state
    return state.pod, state.pod_namespace


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        log.debug("process %d had ended before %s", pid, number.name)


def _waitpid(pid: int, block: bool = False) -> tuple[bool, int]:
    """Whether a child has ended, and its wait status."""
    try:
        ended, status = os.waitpid(pid, 0 if block else os.WNOHANG)
    except ChildProcessError:
        return True, 0
    return ended == pid, status


def check(config: Config, plan: Plan) -> None:
    """Print what a start would do."""
    print(plan.reason)
    for path in not_effective(config):
        print(f"{path}: not effective yet")
    for line in notes(config):
        print(line)
    print("the configuration is valid")


def _share() -> None:
    """What exists now is shared by all children for good: keep the collector from writing into it, and from looking through it
    again. PERF: 40 ms for what is imported."""
    gc.collect()
    gc.freeze()


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

            demo = DemoProcess.start(options.demo_pods, options.demo_rate)
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
