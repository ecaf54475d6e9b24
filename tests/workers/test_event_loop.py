"""Terms of the events worker: what belongs to one does not reach the next."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from telegen.config import load
from telegen.kubemetrics.event_telemetry import EventTelemetry
from telegen.shm.shared_value import SharedText
from tests.otlp.receiver import Answer, ScriptedReceiver, scripted
from tests.otlp.test_events import event
from tests.process_tree import wait_for
from workers._events import loop as event_loop
from workers._events.loop import EventLoop


class Deadlines:
    """Stands for the deadlines of a shard."""

    def __init__(self) -> None:
        self.served = True

    def is_served(self, shard: int) -> bool:
        """Return the state that the test has set."""
        return self.served


class LateReflector:
    """A reflector that delivers one event in its term, and one more after it, as a thread that is slow to end."""

    made: list[LateReflector] = []

    def __init__(self, client: Any, collection: Any, stream: Any, observer: Any, ended: threading.Event, settings: Any) -> None:
        self._stream, self._ended, self.delivered, self.late = stream, ended, threading.Event(), threading.Event()
        self.made.append(self)

    def run(self) -> None:
        """Deliver."""
        number = 2 * len(self.made)
        self._stream.upsert(event(f"in-time-{number}", number))
        self.delivered.set()
        self._ended.wait()
        self.late.wait()
        self._stream.upsert(event(f"late-{number}", number + 1))


def handled(telemetry: EventTelemetry, outcome: str) -> float:
    """Return a count of events."""
    found: float = telemetry.handled.labels(outcome)._value.get()
    return found


@pytest.fixture(autouse=True)
def reflectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace reflectors by LateReflector."""
    monkeypatch.setattr(event_loop, "Reflector", LateReflector)
    monkeypatch.setattr(event_loop, "make_client", lambda shared: None)
    monkeypatch.setattr(event_loop, "ReflectorMetrics", lambda *of: None)
    monkeypatch.setattr(LateReflector, "made", [])


def made_worker(folder: Path, receiver: ScriptedReceiver, settings: str) -> Any:
    """Make a worker that serves the shard and has no position yet."""
    path = folder / "config.yaml"
    path.write_text(f"kube_metrics: {{logs_streaming: {{{settings}}}}}")
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    shared = SimpleNamespace(environ=environ, group=object(), deadlines=Deadlines(), events_position=SharedText())
    common = {"stop": threading.Event(), "log": logging.getLogger("test"), "telemetry": None, "beat": lambda: None}
    return SimpleNamespace(config=load(str(path), {}), shared=shared, **common)


@pytest.mark.parametrize(("interval", "ends"), [("50ms", False), ("1h", True)])
def test_events_that_are_left_out_move_the_position(tmp_path: Path, interval: str, ends: bool) -> None:
    """A successor does not see events again that a filter has left out, else it would count them twice: the position passes them after
    flush_interval, and when the worker ends."""
    with scripted() as receiver:
        worker = made_worker(tmp_path, receiver, f"reasons: [Nothing], flush_interval: {interval}")
        runner = threading.Thread(target=EventLoop(worker).run)
        runner.start()
        try:
            wait_for("the event", lambda: any(one.delivered.is_set() for one in LateReflector.made), 20)
            if not ends:
                wait_for("the position", lambda: worker.shared.events_position.read() != "", 20)
        finally:
            worker.stop.set()
            runner.join(20)
            for reflector in LateReflector.made:
                reflector.late.set()
        assert worker.shared.events_position.read().startswith("2 ") and not receiver.tried


def test_events_of_a_lost_shard_are_not_sent_in_the_next_term(tmp_path: Path) -> None:
    """Events that a thread of an earlier term leaves behind are the next holder's: this agent does not send them when it holds the
    shard again. Those that were not sent are counted, each."""
    with scripted() as receiver:
        # Every try fails until the shard is lost: a retry may follow the first one at once.
        receiver.usual = Answer(503)
        worker = made_worker(tmp_path, receiver, "flush_interval: 50ms")
        deadlines, loop = worker.shared.deadlines, EventLoop(worker)
        runner = threading.Thread(target=loop.run)
        runner.start()
        try:
            wait_for("a failed try", lambda: bool(receiver.tried), 10)
            deadlines.served = False
            wait_for("the end of the term", lambda: handled(loop._telemetry, "not_served") == 1, 10)
            (first,) = LateReflector.made
            first.late.set()
            wait_for("the late event", lambda: handled(loop._telemetry, "seen") == 2, 10)
            receiver.usual = Answer()
            deadlines.served = True
            wait_for("an event of the next term", lambda: bool(receiver.received), 10)
        finally:
            worker.stop.set()
            runner.join(60)
            for reflector in LateReflector.made:
                reflector.late.set()
    names = [
        attribute.value.string_value
        for request in receiver.received
        for logs in request.logs.resource_logs
        for record in logs.scope_logs[0].log_records
        for attribute in record.attributes
        if attribute.key == "k8s.event.name"
    ]
    assert names == ["in-time-4"]
