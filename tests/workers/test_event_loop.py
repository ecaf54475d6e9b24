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
from tests.otlp.receiver import Answer, scripted
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
        self._stream, self._ended, self.late = stream, ended, threading.Event()
        self.made.append(self)

    def run(self) -> None:
        """Deliver."""
        number = 2 * len(self.made)
        self._stream.upsert(event(f"in-time-{number}", number))
        self._ended.wait()
        self.late.wait()
        self._stream.upsert(event(f"late-{number}", number + 1))


def handled(telemetry: EventTelemetry, outcome: str) -> float:
    """Return a count of events."""
    found: float = telemetry.handled.labels(outcome)._value.get()
    return found


def test_events_of_a_lost_shard_are_not_sent_in_the_next_term(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that a thread of an earlier term leaves behind are the next holder's: this agent does not send them when it holds the
    shard again. Those that were not sent are counted, each."""
    monkeypatch.setattr(event_loop, "Reflector", LateReflector)
    monkeypatch.setattr(event_loop, "make_client", lambda shared: None)
    monkeypatch.setattr(event_loop, "ReflectorMetrics", lambda *of: None)
    monkeypatch.setattr(LateReflector, "made", [])
    path = tmp_path / "config.yaml"
    path.write_text("kube_metrics: {logs_streaming: {flush_interval: 50ms}}")
    with scripted() as receiver:
        # Every try fails until the shard is lost: a retry may follow the first one at once.
        receiver.usual = Answer(503)
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        position, deadlines = SimpleNamespace(read=lambda: "", write=lambda text: None), Deadlines()
        shared = SimpleNamespace(environ=environ, group=object(), deadlines=deadlines, events_position=position)
        worker: Any = SimpleNamespace(
            config=load(str(path), {}),
            shared=shared,
            stop=threading.Event(),
            log=logging.getLogger("test"),
            telemetry=None,
            beat=lambda: None,
        )
        loop = EventLoop(worker)
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
