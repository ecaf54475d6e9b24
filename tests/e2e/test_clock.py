"""A whole agent whose clock jumps, as after a wrong answer of a time server."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path

from telegen.demo.server import SimulatedServer
from tests.e2e.test_events import BUFFER, CONFIG, Events, handled, names, server, settings, wait_watching
from tests.harness import start_agent
from tests.otlp.receiver import Answer, ScriptedReceiver, points_of, scripted
from tests.process_tree import wait_for

__all__ = ["server"]

DAY = 86_400.0
PUSHED = CONFIG.replace("  logs_streaming:", "  streaming: {{enabled: true, interval: 1s}}\n  logs_streaming:")
CODE = """
import os, time

def offset():
    try:
        with open(os.environ["CLOCK_FILE"]) as file:
            return int(file.read())
    except (OSError, ValueError):
        # A process that may not open files keeps its clock.
        return 0

seconds, nanoseconds = time.time, time.time_ns
time.time = lambda: seconds() + offset()
time.time_ns = lambda: nanoseconds() + offset() * 10**9
"""


class JumpingClock:
    """Clock of an agent: a module that Python imports at its start adds an offset to the system's."""

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(textwrap.dedent(CODE))
        self._file = folder / "offset"
        self.environ = {"PYTHONPATH": str(folder), "CLOCK_FILE": str(self._file)}

    def set(self, offset: float) -> None:
        """Let the clock differ from the system's by so many seconds."""
        self._file.with_suffix(".new").write_text(str(int(offset)))
        os.replace(self._file.with_suffix(".new"), self._file)


def times(receiver: ScriptedReceiver) -> list[float]:
    """Return the time of the points of each push that was accepted, in Unix seconds."""
    found = [
        (series, at)
        for request in receiver.received
        if request.path == "/v1/metrics"
        for series, at, _ in points_of(request.metrics)
        if series[0] == "kube_node_info"
    ]
    return [at / 1e9 for series, at in found if series == found[0][0]]


def test_clock_that_jumps(server: SimulatedServer, tmp_path: Path) -> None:
    """A jump by a day forwards and backwards delays nothing: each event is sent once, pushes go on with the time of the clock, none has the
    time of another, and one that the receiver refuses, as Prometheus refuses points in the future, is dropped."""
    clock, events, written = JumpingClock(tmp_path), Events(server), []
    with scripted() as receiver, start_agent(PUSHED, environ=clock.environ, **settings(server, receiver, more=BUFFER)) as agent:
        agent.wait_ready()
        wait_watching(agent)
        for jump in (0.0, DAY, -DAY, 0.0):
            clock.set(jump)
            before = len(times(receiver))
            written.append(events.write())
            wait_for(f"the event after a jump of {jump} s", lambda: names(receiver) == written, 20, 0.05)
            receiver.script = [Answer(400)]
            wait_for(f"pushes after a jump of {jump} s", lambda: len(times(receiver)) >= before + 2, 20, 0.05)
            assert abs(times(receiver)[-1] - time.time() - jump) < 60
        assert len(set(times(receiver))) == len(times(receiver))
        wait_for("the count", lambda: handled(agent, "sent") == len(written), 10)
        page = agent.page("/telemetry")
        assert 'telegen_push_points_total{outcome="queue_full"} 0.0' in page
        assert 'telegen_push_points_total{outcome="refused"} 0.0' not in page
        agent.wait_ready(1)
