"""The supervisor's children: forked, started again when they end, aborted when they hang, replaced by those of a new plan."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from typing import NoReturn

from telegen.config import Config
from telegen.kubemetrics.telemetry import Telemetry, forget
from telegen.process.os_process import Exit, describe, end_at_term, ended, hold_term, kill
from telegen.supervisor.inherited import Inherited
from telegen.supervisor.plan import Plan
from telegen.supervisor.signals import Signals
from workers import WORKERS
from workers._base import Assignment, Shared, exit_now

log = logging.getLogger("telegen.supervisor")

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


class Children:
    """The processes of a plan.

    Attributes:
        plan: what is to run.
        boot_failed: one of them cannot work as configured.
    """

    def __init__(self, config: Config, plan: Plan, inherited: Inherited, telemetry: Telemetry, signals: Signals) -> None:
        self.plan = plan
        self.boot_failed = False
        self._config, self._inherited, self._telemetry, self._signals = config, inherited, telemetry, signals
        self._children: dict[str, Child] = {}
        self._leaving: set[int] = set()
        self._lenient_until = 0.0

    # --- who is to run

    def apply_plan(self, config: Config, plan: Plan, cluster_changed: bool = False) -> None:
        """Make the children those of `plan`. Whoever runs is replaced: the new one is forked first, so that the socket
        is always served.

        Args:
            moved: the cluster may be another than before.
        """
        leave = plan.group != self.plan.group
        self.plan, self._config = plan, config
        self._telemetry.note_shard(plan.shard)
        self._inherited.make_room(plan, config.kube_metrics.kube_state.arena_limit)
        before, self._children = list(self._children.values()), {}
        self._dismiss_watchers(before, leave)
        if cluster_changed:
            self._inherited.uid.clear()
        for assignment in sorted(plan.assignments, key=lambda assignment: assignment.kind == "web"):
            self._children[assignment.name] = child = Child(assignment)
            if self._is_wanted(child):
                self._spawn(child)
            elif assignment.lease_shard is not None or not assignment.agent_shard[1]:
                self._inherited.clear_arena(assignment.name)
        for child in before:
            if child.assignment.kind == "web":
                self._dismiss(child)
        self._inherited.keep_arenas(self._children)

    def _dismiss_watchers(self, children: list[Child], leave: bool) -> None:
        """End all but the web workers; their Leases are given back if the agent leaves its group."""
        self._inherited.deadlines.set_leaving(leave)
        for child in children:
            if child.assignment.kind != "web":
                self._dismiss(child)
                forget(child.assignment.name)
        self._inherited.deadlines.set_leaving(False)

    def _dismiss(self, child: Child) -> None:
        """Ask a child that is no longer wanted to end. The one writer of an arena must be gone before the next
        begins."""
        if not child.pid:
            return
        kill(child.pid, signal.SIGTERM)
        self._leaving.add(child.pid)
        if child.assignment.kind != "web":
            self._wait_gone([child.pid])
        child.pid = 0

    def _is_wanted(self, child: Child) -> bool:
        """Whether a child is to run: always, unless it is for a shard of the cluster that others serve, or one that is
        not known yet. What the cluster is must be found out before anything is said of it, and once."""
        kind, lease_shard = child.assignment.kind, child.assignment.lease_shard
        if self.plan.needs_cluster_uid and kind != "web" and (kind == "identify") == bool(self._inherited.uid.read()):
            return False
        return child.assignment.agent_shard[1] > 0 if lease_shard is None else self._inherited.deadlines.is_wanted(lease_shard)

    def end_unwanted(self) -> None:
        """End who works for a shard that is not ours any more, or is done, and forget what it had published."""
        for name, child in self._children.items():
            if child.started and not self._is_wanted(child):
                self._dismiss(child)
                self._inherited.clear_arena(name)
                self._inherited.heartbeats.clear(self._inherited.row(name))
                forget(name)
                self._children[name] = Child(child.assignment)

    # --- their beginning

    def spawn_due(self) -> None:
        """Start again whoever's delay is over."""
        now = time.monotonic()
        for child in self._children.values():
            if child.pid or child.due > now or not self._is_wanted(child):
                continue
            if child.started:
                self._telemetry.restarts.labels(child.assignment.name).inc()
            self._spawn(child)

    def _spawn(self, child: Child) -> None:
        """Fork a worker from the warm parent."""
        name, parent = child.assignment.name, os.getpid()
        shared = self._inherited.shared(self._config, self.plan)
        self._telemetry.restarts.labels(name)
        with hold_term():
            pid = os.fork()
            if pid == 0:
                self._live(child.assignment, shared, parent)
        child.pid, child.started, child.aborted = pid, time.monotonic(), 0.0
        self._inherited.heartbeats.enter(self._inherited.row(name), pid)
        log.debug("%s: process %d", name, pid)

    def _live(self, assignment: Assignment, shared: Shared, parent: int) -> NoReturn:
        """What a forked process does."""
        code = int(Exit.CRASH)
        try:
            self._signals.forsake()
            end_at_term()
            code = WORKERS[assignment.kind](assignment, shared).main(parent)
        except BaseException:
            log.exception("%s: could not live", assignment.name)
        finally:
            exit_now(code)

    # --- their end

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
        if pid in self._leaving:
            self._leaving.discard(pid)
            return
        child = next((child for child in self._children.values() if child.pid == pid), None)
        if child is None:
            log.debug("process %d, not one of ours, has ended", pid)
            return
        name, now = child.assignment.name, time.monotonic()
        self._inherited.heartbeats.leave(self._inherited.row(name))
        child.pid = 0
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == Exit.BOOT:
            log.error("%s cannot work as configured: the agent stops", name)
            self.boot_failed = True
            return
        if status == Exit.OK and not self._is_wanted(child):
            return
        settings = self._config.supervisor
        quiet = now - child.started > HEALTHY
        child.delay = 0.0 if quiet else min(settings.backoff_max, child.delay * 2 or settings.backoff_initial)
        child.due = now + (0.0 if quiet else child.delay)
        if not self.boot_failed:
            log.warning("%s: %s; starts again in %.1f s", name, describe(status), child.due - now)

    def murder_late(self) -> None:
        """Abort who shows no sign of life, then kill."""
        limit, now = self._config.supervisor.heartbeat_timeout, time.monotonic()
        if self._inherited.heartbeats.age(0) > LATE:
            self._lenient_until = now + LATE
        if now < self._lenient_until:
            return
        for name, child in self._children.items():
            age = self._inherited.heartbeats.age(self._inherited.row(name))
            if not child.pid or age < limit:
                continue
            if not child.aborted:
                log.error("%s: no sign of life for %.0f s: aborted, its stacks follow", name, age)
                child.aborted = time.monotonic()
                kill(child.pid, signal.SIGABRT)
            elif time.monotonic() - child.aborted > ABORT_TIME:
                kill(child.pid, signal.SIGKILL)

    def stop_all(self) -> None:
        """SIGTERM to all, and time to end within the grace period."""
        self._inherited.deadlines.set_leaving(True)
        for child in self._children.values():
            if child.pid:
                kill(child.pid, signal.SIGTERM)
        self._wait_gone(self._pids())

    def _wait_gone(self, pids: list[int]) -> None:
        """Reap until all of `pids` have ended; kill what is left after the grace period."""
        deadline = time.monotonic() + self._config.supervisor.grace_period
        waiting = set(pids)
        while waiting:
            for pid in list(waiting):
                if ended(pid):
                    waiting.discard(pid)
                    self._leaving.discard(pid)
                    for child in self._children.values():
                        child.pid = 0 if child.pid == pid else child.pid
            if waiting and time.monotonic() > deadline:
                for pid in waiting:
                    log.warning("process %d did not end in time: killed", pid)
                    kill(pid, signal.SIGKILL)
                deadline = float("inf")
            if waiting:
                self._inherited.heartbeats.beat(0)
                self._signals.wait(0.05)

    def kill_all(self) -> None:
        """Whatever happens here, leave nobody behind."""
        for pid in self._pids():
            kill(pid, signal.SIGKILL)
            ended(pid, block=True)

    def _pids(self) -> list[int]:
        return [child.pid for child in self._children.values() if child.pid] + list(self._leaving)

    def log_status(self) -> None:
        """The state of every one of them, to the log."""
        now = time.monotonic()
        for name, child in sorted(self._children.items()):
            age = self._inherited.heartbeats.age(self._inherited.row(name))
            if not self._is_wanted(child):
                log.info("%s: not wanted: what it is for is done, another agent's, or not known yet", name)
            elif child.pid:
                log.info("%s: process %d, up %.0f s, last beat %.1f s ago", name, child.pid, now - child.started, age)
            else:
                log.info("%s: down, starts again in %.1f s", name, max(0.0, child.due - now))
