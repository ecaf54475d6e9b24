"""Stub workers, so that these tests fork real processes without an API server, cgroups or a web server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from telegen.config import Config
from telegen.kubemetrics.telemetry import Telemetry
from telegen.process.os_process import Exit
from telegen.supervisor import children
from telegen.supervisor.children import Children
from telegen.supervisor.inherited import Inherited
from telegen.supervisor.plan import Plan
from telegen.supervisor.signals import Signals
from workers._base import Assignment, Shared


class Idle:
    """Beats until SIGTERM, whose default action ends it."""

    beats = True

    def __init__(self, assignment: Assignment, shared: Shared) -> None:
        self.assignment, self.shared = assignment, shared

    def main(self, parent: int) -> int:
        """End with the parent, so that a failed test leaves no process."""
        while os.getppid() == parent:
            if self.beats:
                self.shared.heartbeats.beat(self.shared.rows[self.assignment.name])
            time.sleep(0.01)
        return Exit.OK


class Crash(Idle):
    """Ends at once by an unexpected error."""

    def main(self, parent: int) -> int:
        """Return the exit status of a crash."""
        return Exit.CRASH


class Misconfigured(Idle):
    """Ends at once because it cannot work with its configuration."""

    def main(self, parent: int) -> int:
        """Return the exit status that stops the agent."""
        return Exit.BOOT


class Stubborn(Idle):
    """Hangs: does not beat, and ignores SIGTERM and SIGABRT."""

    beats = False

    def main(self, parent: int) -> int:
        """Ignore the signals, then hang."""
        signal.signal(signal.SIGABRT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return super().main(parent)


STUBS = {"watch": Idle, "sample": Idle, "web": Idle, "identify": Idle, "crash": Crash, "boot": Misconfigured, "stubborn": Stubborn}

FAST = msgspec.structs.replace(
    Config(),
    supervisor=msgspec.structs.replace(
        Config().supervisor, grace_period=3.0, heartbeat_timeout=0.2, backoff_initial=10.0, backoff_max=30.0
    ),
)


def plan_of(*assignments: Assignment) -> Plan:
    """A plan of some assignments."""
    return Plan("", assignments, "a test")


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapping[str, type[Idle]]:
    """Replace the kinds of workers by stubs; give prometheus_client a folder."""
    monkeypatch.setattr(children, "worker_class", STUBS.__getitem__)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return STUBS


@pytest.fixture
def inherited() -> Inherited:
    """Shared state without listeners."""
    return Inherited({}, {})


@pytest.fixture
def make_children(stubs: Mapping[str, type[Idle]], inherited: Inherited) -> Iterator[Callable[..., Children]]:
    """A function that makes the children of a plan and starts them; they are killed after the test."""
    made: list[Children] = []

    def make(*assignments: Assignment, config: Config = FAST) -> Children:
        plan = plan_of(*assignments)
        made.append(Children(config, plan, inherited, Telemetry("supervisor"), Signals()))
        made[-1].apply_plan(config, plan)
        return made[-1]

    yield make
    for each in made:
        each.kill_all()
