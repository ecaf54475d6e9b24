"""The supervisor's children: it forks them, restarts them with backoff, aborts hanging ones, and replaces them at a new plan."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from typing import NoReturn

from msgspec.structs import replace

from telegen.config import Config
from telegen.kubemetrics.agent_state import ProcessState
from telegen.kubemetrics.telemetry import Telemetry, forget
from telegen.process.os_process import (
    Exit,
    cpu_nanoseconds,
    describe,
    end_at_term,
    ended,
    hold_term,
    kill,
    offer_to_oom_killer,
    resident_bytes,
)
from telegen.supervisor.inherited import Inherited
from telegen.supervisor.plan import Plan
from telegen.supervisor.relevance import relevant
from telegen.supervisor.signals import Signals
from workers import worker_class
from workers._base import READERS, SERVERS, Assignment, Shared, exit_now

log = logging.getLogger("telegen.supervisor")

ABORT_TIME = 2.0
"""Seconds between SIGABRT, on which a hanging worker prints its stacks, and SIGKILL."""
LATE = 3.0
"""Seconds of a turn of the loop after which this process was probably stopped. Its children probably were as well, so they get
the same time to beat again before any is aborted."""
HEALTHY = 60.0
"""Seconds after which a worker counts as healthy: it is restarted without delay."""


@dataclass
class Child:
    """One assignment and its current process.

    Attributes:
        pid: 0 if no process runs.
        started: time of the last start; this and the other times are seconds of the monotonic clock, 0 for never.
        delay: current backoff in seconds.
        due: time of the next start.
        aborted: time of SIGABRT to the current process.
        restarts: number of starts after the first one.
    """

    assignment: Assignment
    pid: int = 0
    started: float = 0.0
    delay: float = 0.0
    due: float = 0.0
    aborted: float = 0.0
    restarts: int = 0


class Children:
    """The processes of a plan.

    Attributes:
        plan: the plan in force.
        boot_failed: a child cannot work with the configuration; the agent has to stop.
    """

    def __init__(self, config: Config, plan: Plan, inherited: Inherited, telemetry: Telemetry, signals: Signals) -> None:
        self.plan = plan
        self.boot_failed = False
        self._config, self._inherited, self._telemetry, self._signals = config, inherited, telemetry, signals
        self._children: dict[str, Child] = {}
        self._leaving: set[int] = set()
        self._lenient_until = 0.0

    # --- replacement at a new plan

    def apply_plan(self, config: Config, plan: Plan, cluster_changed: bool = False) -> None:
        """Replace the children that a new plan or a new configuration concerns.

        Args:
            cluster_changed: the API server may belong to another cluster than before; all children are replaced.
        """
        leave = (plan.cluster, plan.group) != (self.plan.cluster, self.plan.group)
        kept = {} if cluster_changed else self._unconcerned(config, plan)
        self.plan, self._config = plan, config
        self._telemetry.note_shard(plan.shard)
        self._inherited.make_room(plan, config.kube_metrics.kube_state.arena_limit)
        self._inherited.adopt_statuses(plan)
        before = [child for name, child in self._children.items() if name not in kept]
        dropped = self._children.keys() - {one.name for one in plan.assignments}
        self._children = {one.name: kept.get(one.name) or Child(one) for one in plan.assignments}
        self._dismiss_watchers(before, leave)
        if cluster_changed:
            self._inherited.uid.clear()
        # New servers start before the old ones end, so that a process always accepts connections.
        for assignment in sorted(plan.assignments, key=lambda assignment: assignment.kind in SERVERS):
            if assignment.name in kept:
                continue
            child = self._children[assignment.name]
            self._inherited.clear_statuses(assignment.name)
            if self._is_wanted(child):
                self._spawn(child)
                continue
            self._inherited.heartbeats.clear(self._inherited.row(assignment.name))
            if assignment.lease_shard is not None or not assignment.agent_shard[1]:
                self._inherited.clear_arena(assignment.name)
        for child in before:
            if child.assignment.kind in SERVERS:
                self._dismiss(child)
        self._inherited.keep_arenas(self._children)
        self._inherited.forget_series(dropped)

    def _unconcerned(self, config: Config, plan: Plan) -> dict[str, Child]:
        """Return the running children that a new configuration and its plan do not concern, by name."""
        if (plan.cluster, plan.group) != (self.plan.cluster, self.plan.group):
            return {}
        # The pages, and a push, show what the others publish.
        same_assignments = plan.assignments == self.plan.assignments
        return {
            child.assignment.name: child
            for child in self._children.values()
            if child.pid
            and child.assignment in plan.assignments
            and (same_assignments or child.assignment.kind not in READERS)
            and relevant(child.assignment.kind, config) == relevant(child.assignment.kind, self._config)
        }

    def _dismiss_watchers(self, children: list[Child], leave: bool) -> None:
        """End all children but the servers; release the Leases if the agent leaves its group or its cluster."""
        self._inherited.deadlines.set_leaving(leave)
        for child in children:
            if child.assignment.kind not in SERVERS:
                self._dismiss(child)
                forget(child.assignment.name)
        self._inherited.deadlines.set_leaving(False)
        if leave:
            self._inherited.lease_problem.clear()

    def _dismiss(self, child: Child) -> None:
        """End a child. A server may finish its responses; any other has ended when this returns."""
        if not child.pid:
            return
        kill(child.pid, signal.SIGTERM)
        self._leaving.add(child.pid)
        if child.assignment.kind not in SERVERS:
            # An arena has one writer: it must have ended before its successor starts.
            self._wait_gone([child.pid])
        child.pid = 0

    def _is_wanted(self, child: Child) -> bool:
        """Return True if a child has to run now.

        Children of a shard wait until this agent holds its Lease, or until the StatefulSet gives the shard. With cluster_uid
        all but the servers and the reviewer wait for the UID, and the process that reads it ends when it is known.
        """
        kind, lease_shard = child.assignment.kind, child.assignment.lease_shard
        if self.plan.needs_cluster_uid and kind not in (*SERVERS, "review") and (kind == "identify") == bool(self._inherited.uid.read()):
            return False
        return child.assignment.agent_shard[1] > 0 if lease_shard is None else self._inherited.deadlines.is_wanted(lease_shard)

    def end_unwanted(self) -> None:
        """End children that no longer have to run, and remove their pages, heartbeats and gauges."""
        for name, child in self._children.items():
            if child.started and not self._is_wanted(child):
                self._dismiss(child)
                self._inherited.clear_arena(name)
                self._inherited.heartbeats.clear(self._inherited.row(name))
                forget(name)
                self._children[name] = Child(child.assignment)

    # --- start

    def spawn_due(self) -> None:
        """Start the children whose delay is over."""
        now = time.monotonic()
        for child in self._children.values():
            if child.pid or child.due > now or not self._is_wanted(child):
                continue
            if child.started:
                self._telemetry.restarts.labels(child.assignment.name).inc()
                child.restarts += 1
            self._spawn(child)

    def _spawn(self, child: Child) -> None:
        """Fork a worker from the warm parent."""
        name, parent = child.assignment.name, os.getpid()
        # A setting that is missing in `relevant` is at its default in the worker, so that its tests fail.
        settings = replace(relevant(child.assignment.kind, self._config), log=self._config.log)
        shared = self._inherited.shared(settings, self.plan)
        # Creates the counter at 0, so that increase() sees the first restart.
        self._telemetry.restarts.labels(name)
        # SIGTERM between the fork and the child's own handlers would be lost; see `hold_term`.
        child.started, child.aborted = time.monotonic(), 0.0
        try:
            with hold_term():
                pid = os.fork()
                if pid == 0:
                    self._live(child.assignment, shared, parent)
        except OSError as error:
            # The limit of processes or of memory may have been reached for a moment.
            self._postpone(child, f"cannot start a process: {error.strerror}")
            return
        child.pid = pid
        self._inherited.heartbeats.enter(self._inherited.row(name), pid)
        log.debug("%s: process %d", name, pid)

    def _live(self, assignment: Assignment, shared: Shared, parent: int) -> NoReturn:
        """Run a worker in the forked process."""
        code = int(Exit.CRASH)
        try:
            self._signals.forsake()
            end_at_term()
            offer_to_oom_killer()
            self._inherited.close_unused(assignment)
            self._telemetry.abandon()
            code = worker_class(assignment.kind)(assignment, shared).main(parent)
        except BaseException:
            log.exception("%s: the process crashed outside its worker; the supervisor restarts it", assignment.name)
        finally:
            exit_now(code)

    def note_usage(self) -> None:
        """Write the resident memory and the CPU time of every process into its row: web processes may not read them themselves."""
        pids = {"supervisor": os.getpid(), **{name: child.pid for name, child in self._children.items()}}
        for name, pid in pids.items():
            if pid:
                self._inherited.heartbeats.note_memory(self._inherited.row(name), resident_bytes(pid))
                self._inherited.heartbeats.note_cpu(self._inherited.row(name), cpu_nanoseconds(pid))

    # --- end

    def reap(self) -> None:
        """Reap every ended process: children and, as PID 1 of a container, orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._collect(pid, status)

    def _collect(self, pid: int, status: int) -> None:
        """Decide about the restart of an ended process."""
        # Web workers of the plan before end some time after their replacement.
        if pid in self._leaving:
            self._leaving.discard(pid)
            return
        child = next((child for child in self._children.values() if child.pid == pid), None)
        if child is None:
            log.debug("reaped orphan process %d", pid)
            return
        name = child.assignment.name
        self._inherited.heartbeats.leave(self._inherited.row(name))
        child.pid = 0
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == Exit.BOOT:
            log.error("%s cannot work with this configuration: the agent stops; the line above has the cause", name)
            self.boot_failed = True
            return
        # The process that reads the cluster's UID ends by itself when it is done.
        if status == Exit.OK and not self._is_wanted(child):
            return
        self._postpone(child, describe(status))

    def _postpone(self, child: Child, cause: str) -> None:
        """Set the time of the next start of a child that has ended or could not be started."""
        settings, now = self._config.supervisor, time.monotonic()
        quiet = now - child.started > HEALTHY
        child.delay = 0.0 if quiet else min(settings.backoff_max, child.delay * 2 or settings.backoff_initial)
        child.due = now + child.delay
        if not self.boot_failed:
            log.warning("%s: %s; restarting in %.1f s", child.assignment.name, cause, child.delay)

    def murder_late(self) -> None:
        """Abort children without a heartbeat, and kill them if that does not end them."""
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
                log.error("%s: no heartbeat for %.0f s; aborting process %d, its stacks follow", name, age, child.pid)
                child.aborted = time.monotonic()
                kill(child.pid, signal.SIGABRT)
            elif time.monotonic() - child.aborted > ABORT_TIME:
                kill(child.pid, signal.SIGKILL)

    def stop_all(self) -> None:
        """Send SIGTERM to all children, and wait for their end."""
        self._inherited.deadlines.set_leaving(True)
        for child in self._children.values():
            if child.pid:
                kill(child.pid, signal.SIGTERM)
        self._wait_gone(self._pids())

    def _wait_gone(self, pids: list[int]) -> None:
        """Reap until all of `pids` have ended; kill the rest after the grace period."""
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
                    log.warning("process %d has not ended within supervisor.grace_period; killed", pid)
                    kill(pid, signal.SIGKILL)
                deadline = float("inf")
            if waiting:
                self._inherited.heartbeats.beat(0)
                self._signals.wait(0.05)

    def kill_all(self) -> None:
        """Kill and reap every process, also after an error in the supervisor."""
        for pid in self._pids():
            kill(pid, signal.SIGKILL)
            ended(pid, block=True)

    def _pids(self) -> list[int]:
        return [child.pid for child in self._children.values() if child.pid] + list(self._leaving)

    def states(self) -> tuple[ProcessState, ...]:
        """Return the state of every child."""
        return tuple(self._state(name, child) for name, child in self._children.items())

    def _state(self, name: str, child: Child) -> ProcessState:
        state = "waiting" if not self._is_wanted(child) else "running" if child.pid else "restarting"
        return ProcessState(name, state, child.pid, child.started, child.due, child.restarts, self._inherited.row(name))

    def log_status(self) -> None:
        """Log the state of every child."""
        now = time.monotonic()
        for name, child in sorted(self._children.items()):
            age = self._inherited.heartbeats.age(self._inherited.row(name))
            if not self._is_wanted(child):
                log.info("%s: not running: its work is done, another agent holds its shard, or its shard is not known yet", name)
            elif child.pid:
                log.info("%s: process %d, up %.0f s, last beat %.1f s ago", name, child.pid, now - child.started, age)
            else:
                log.info("%s: down, restarting in %.1f s", name, max(0.0, child.due - now))
