"""Whole agents that send Kubernetes events to a scripted receiver."""

from __future__ import annotations

import itertools
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from telegen.demo.server import SimulatedServer
from tests.e2e.conftest import small_cluster
from tests.harness import Agent, start_agent
from tests.otlp.receiver import Answer, ScriptedReceiver, scripted
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: {scope}
  node_name: {node}
  election: {{namespace: telegen, lease_duration: 3s, renew_deadline: 2s, retry_period: 200ms, waiting_period: 1s}}
  kube_state: {{apiserver: "{url}", resources: [nodes]}}
  cadvisor: {{enabled: false}}
  logs_streaming: {{enabled: true, flush_interval: 200ms, {settings}}}
  otlp: {{endpoint: "{receiver}", timeout: {timeout}}}
api: {{backoff_initial: 50ms, backoff_max: 500ms}}
supervisor: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


POD = {"kind": "Pod", "name": "web-1", "namespace": "shop-0", "uid": "u"}
BUFFER = "buffer_size: 10000"


class Events:
    """Writes events to the simulated API server."""

    def __init__(self, server: SimulatedServer) -> None:
        self._state, self._numbers = server.state, itertools.count()

    def write(self, reason: str = "BackOff", kind: str = "Warning", note: str = "back-off", regarding: Mapping[str, str] = POD) -> str:
        """Create an event; return its name."""
        name = f"event-{next(self._numbers)}"
        self._state.put(
            "events",
            {
                "metadata": {"name": name, "namespace": "shop-0", "uid": name},
                "regarding": regarding,
                "reason": reason,
                "type": kind,
                "note": note,
                "eventTime": "2026-11-28T10:06:32.400038Z",
            },
        )
        return name


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    """An API server that has events."""
    server = small_cluster()
    server.state.define("events", "Event", "events.k8s.io/v1")
    yield server
    server.stop()


def settings(
    server: SimulatedServer, receiver: ScriptedReceiver, scope: str = "cluster", node: str = "node-1", more: str = "", timeout: str = "30s"
) -> dict[str, str]:
    """Return the values of the configuration. A timeout that a busy machine exceeds would repeat events."""
    more = more or "buffer_size: 1000"
    return {"url": server.url, "receiver": receiver.url, "scope": scope, "node": node, "settings": more, "timeout": timeout}


def names(receiver: ScriptedReceiver) -> list[str]:
    """Return the name of each event that was accepted, in the order of its arrival."""
    return [name for batch in batches(receiver) for name in batch]


def batches(receiver: ScriptedReceiver) -> list[list[str]]:
    """Return the names of the events of each request that was accepted."""
    return [
        [
            item.value.string_value
            for resource in request.logs.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
            for item in record.attributes
            if item.key == "k8s.event.name"
        ]
        for request in list(receiver.received)
        if request.path == "/v1/logs"
    ]


def handled(agent: Agent, outcome: str) -> float:
    """Return the number of events with an outcome."""
    found = re.search(rf'^telegen_events_handled_total{{outcome="{outcome}"}} (\S+)$', agent.page("/telemetry"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_watching(agent: Agent) -> None:
    """Wait until the agent has the first state of the events: later ones are sent."""
    wait_for("the first state", lambda: _listed(agent), 20)


def _listed(agent: Agent) -> bool:
    return 'telegen_store_last_sync_timestamp_seconds{store="events"}' in agent.page_if_up("/telemetry")


def test_events_are_sent_once(server: SimulatedServer) -> None:
    """Events before the start are not sent, those after it once, through closed watches, a 410 and a worker that is killed."""
    events = Events(server)
    events.write()
    with scripted() as receiver, start_agent(CONFIG, **settings(server, receiver)) as agent:
        agent.wait_ready()
        wait_watching(agent)
        wanted = [events.write()]
        wait_for("the first event", lambda: names(receiver) == wanted, 10)
        server.state.end_watches()
        wanted.append(events.write())
        wait_for("an event after a closed watch", lambda: names(receiver) == wanted, 20)
        server.state.compact()
        server.state.end_watches()
        wanted.append(events.write())
        wait_for("an event after a 410", lambda: names(receiver) == wanted, 20)
        # The position is noted after the receiver's answer and the count; a kill in between repeats events.
        wait_for("the count", lambda: handled(agent, "sent") == 3, 10)
        time.sleep(1)
        agent.named("telegen-events")[0].kill()
        wanted.append(events.write())
        wait_for("an event after a kill", lambda: names(receiver) == wanted, 20)
        wait_for("the count", lambda: handled(agent, "sent") == 4, 10)
        page = agent.page("/telemetry")
        assert 'telegen_kubernetes_events_total{kind="Pod",namespace="shop-0",reason="BackOff",type="Warning"} 4.0' in page


def test_events_wait_for_the_receiver(server: SimulatedServer) -> None:
    """While the receiver is away events are kept as the buffer allows, the oldest dropped and counted; filters apply before."""
    events = Events(server)
    with scripted() as receiver, start_agent(CONFIG, **settings(server, receiver, more="buffer_size: 3, reasons: [BackOff]")) as agent:
        agent.wait_ready()
        wait_watching(agent)
        receiver.usual = Answer(503)
        first = events.write()
        wait_for("a try", lambda: bool(receiver.tried), 10)
        events.write("Killing")
        later = [events.write() for _ in range(5)]
        wait_for("the last event", lambda: handled(agent, "seen") == 7, 40)
        receiver.usual = Answer()
        wait_for("the events", lambda: names(receiver) == [first, *later[2:]], 40)
        assert (handled(agent, "dropped"), handled(agent, "filtered")) == (2, 1)
        agent.wait_ready(1)


class Stream:
    """Writes events at 200/s from a thread."""

    RATE = 200

    def __init__(self, events: Events) -> None:
        self._events, self.written = events, list[str]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stop.is_set():
            # By the clock, so that the rate is kept on a busy machine.
            while len(self.written) < (time.monotonic() - started) * self.RATE:
                self.written.append(self._events.write())
            time.sleep(0.005)

    def wait(self, count: int) -> None:
        """Wait until so many more events are written."""
        until = len(self.written) + count
        wait_for("events", lambda: len(self.written) >= until, 30)

    def end(self) -> list[str]:
        """Stop; return the names of all events."""
        self._stop.set()
        self._thread.join()
        return self.written


def repetitions(receiver: ScriptedReceiver) -> int:
    """Return the number of events that came again."""
    return sum(count - 1 for count in Counter(names(receiver)).values())


def largest(receiver: ScriptedReceiver) -> int:
    """Return the number of events of the largest batch: more of them wait on a busy machine."""
    return max(map(len, batches(receiver)))


REPEATED = Stream.RATE * 2
"""Events of the longest time between two renewals by one holder, `renew_deadline`."""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_disturbed_stream(server: SimulatedServer, end: signal.Signals) -> None:
    """200 events a second through closed watches, 410, a killed worker and a hand-over: none is lost. Watches repeat none, a killed worker
    at most a batch, and a hand-over at most what was sent since the last renewal, and a batch."""
    events = Events(server)
    with scripted() as receiver:
        with start_agent(CONFIG, **settings(server, receiver, "node", "node-1", BUFFER)) as first:
            wait_for("the first holder", lambda: "telegen-shard-0" in first.page_if_up("/telemetry") and _listed(first), 30)
            with start_agent(CONFIG, **settings(server, receiver, "node", "node-2", BUFFER)) as second:
                wait_for("the second agent", lambda: bool(second.page_if_up("/telemetry")), 20)
                stream = Stream(events)
                stream.wait(100)
                server.state.end_watches()
                stream.wait(100)
                server.state.compact()
                server.state.end_watches()
                stream.wait(200)
                wait_for("all events so far", lambda: len(set(names(receiver))) >= 400, 20, 0.2)
                assert repetitions(receiver) == 0
                first.named("telegen-events")[0].kill()
                stream.wait(400)
                wait_for("events of the next worker", lambda: len(set(names(receiver))) >= 700, 20, 0.2)
                by_worker = repetitions(receiver)
                assert by_worker <= largest(receiver)
                first.tree.kill() if end == signal.SIGKILL else first.process.send_signal(end)
                stream.wait(400)
                written = stream.end()
                wait_for("all events", lambda: set(names(receiver)) >= set(written), 60, 0.2)
                by_holder = repetitions(receiver) - by_worker
                print(f"repeated: {by_worker} by the worker, {by_holder} by the holder")
                assert by_holder <= REPEATED + largest(receiver)
                assert _listed(second)
                first.process.wait(60)


def test_agent_that_starts_again(server: SimulatedServer) -> None:
    """An agent that ends in order and another that starts under the same Lease: the events between them are sent, and none twice.

    They are more than the buffer has room for: the watch waits for the receiver.
    """
    events = Events(server)
    with scripted() as receiver:
        with start_agent(CONFIG, **settings(server, receiver, "node", "node-1", "buffer_size: 40")) as agent:
            wait_for("the holder", lambda: "telegen-shard-0" in agent.page_if_up("/telemetry") and _listed(agent), 30)
            stream = Stream(events)
            stream.wait(200)
            agent.process.terminate()
            agent.process.wait(60)
        with start_agent(CONFIG, **settings(server, receiver, "node", "node-1", "buffer_size: 40")) as second:
            stream.wait(200)
            written = stream.end()
            wait_for("all events", lambda: set(names(receiver)) >= set(written), 60, 0.2)
            print(f"repeated: {repetitions(receiver)}")
            assert repetitions(receiver) <= REPEATED + largest(receiver) and handled(second, "dropped") == 0


def test_labels_of_the_object(server: SimulatedServer) -> None:
    """The resource of an event has the labels of its object that the settings select."""
    events, node = Events(server), next(iter(server.state.collections["nodes"].objects.values())).load()
    metadata, more = node["metadata"], f"{BUFFER}, object_labels: ['app*']"
    with scripted() as receiver, start_agent(CONFIG, **settings(server, receiver, more=more)) as agent:
        agent.wait_ready()
        wait_watching(agent)
        events.write(regarding={"kind": "Node", "name": metadata["name"], "uid": metadata["uid"]})
        wait_for("the event", lambda: bool(names(receiver)), 10)
        (logs,) = receiver.received[0].logs.resource_logs
        found = {item.key: item.value.string_value for item in logs.resource.attributes if ".label." in item.key}
        wanted = {f"k8s.node.label.{key}": value for key, value in metadata["labels"].items() if key.startswith("app")}
        assert wanted and found == wanted
        assert 'telegen_events_label_lookups_total{outcome="read"} 1.0' in agent.page("/telemetry")


def test_huge_event(server: SimulatedServer) -> None:
    """An event larger than a request may be goes alone. One that the receiver refuses is counted, and those after it are sent."""
    events = Events(server)
    with scripted() as receiver, start_agent(CONFIG, **settings(server, receiver, more=BUFFER)) as agent:
        agent.wait_ready()
        wait_watching(agent)
        first = events.write(note="x" * (4 << 20))
        wait_for("the huge event", lambda: names(receiver) == [first], 20)
        receiver.script = [Answer(413)]
        events.write(note="y" * (4 << 20))
        wait_for("a refusal", lambda: handled(agent, "refused") == 1, 20)
        last = [events.write() for _ in range(3)]
        wait_for("the others", lambda: names(receiver) == [first, *last], 20)
        agent.wait_ready(1)


def test_receiver_that_never_answers(server: SimulatedServer) -> None:
    """A receiver that accepts and never answers costs one log line; events wait, scrapes and /readyz do not, and each is sent once it
    answers."""
    events = Events(server)
    with scripted() as receiver, start_agent(CONFIG, **settings(server, receiver, more=BUFFER, timeout="1s")) as agent:
        agent.wait_ready()
        wait_watching(agent)
        receiver.usual = Answer(hang=60)
        written = [events.write() for _ in range(20)]
        wait_for("a second try", lambda: len(receiver.tried) >= 2, 30)
        agent.wait_ready(1)
        assert "kube_node_info" in agent.page() and handled(agent, "sent") == 0
        receiver.usual = Answer()
        wait_for("the events", lambda: names(receiver) == written, 60, 0.2)
        assert agent.log.read_text().count("not accepted") == 1
