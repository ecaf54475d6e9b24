"""Kubernetes events: the time from the API server to the receiver, and the CPU of an event. A part of `make bench PUSH=10000`."""

from __future__ import annotations

import statistics
import time

from tests.e2e.conftest import small_cluster
from tests.e2e.test_events import CONFIG, Events, handled, settings, wait_watching
from tests.harness import is_ready, start_agent
from tests.otlp.receiver import ScriptedReceiver, scripted
from tests.process_tree import wait_for

FLUSH_MS = 200
"""flush_interval of CONFIG in ms."""
BARS = {
    "events_p99_ms": ("<=", 1000 + FLUSH_MS),
    "events_per_core_s": (">=", 5000),
}
RATE, TIMED, BURST = 200, 2000, 20_000
"""Events per second whose way is timed, their number, and the number of those whose CPU is measured."""


def arrivals(receiver: ScriptedReceiver) -> dict[str, float]:
    """Return the monotonic time of arrival by the name of the event."""
    return {
        item.value.string_value: request.at
        for request in receiver.received
        for resource in request.logs.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
        for item in record.attributes
        if item.key == "k8s.event.name"
    }


def write_timed(events: Events) -> dict[str, float]:
    """Write events at RATE; return the monotonic time at which each was written by its name."""
    written, started = {}, time.monotonic()
    for number in range(TIMED):
        time.sleep(max(0.0, started + number / RATE - time.monotonic()))
        at = time.monotonic()
        written[events.write()] = at
    return written


def measure_events() -> dict[str, float]:
    """Run both measurements on one agent."""
    server = small_cluster()
    server.state.define("events", "Event", "events.k8s.io/v1")
    events = Events(server)
    with scripted() as receiver, start_agent(CONFIG, **settings(server, receiver, more="buffer_size: 100000")) as agent:
        wait_for("readiness", lambda: is_ready(agent.url), 60)
        wait_watching(agent)
        written = write_timed(events)
        wait_for("the timed events", lambda: handled(agent, "sent") >= TIMED, 60, 0.2)
        found = arrivals(receiver)
        delays = [1000 * (found[name] - at) for name, at in written.items()]
        before = agent.tree.cpu("telegen-events")
        for _ in range(BURST):
            events.write()
        wait_for("all events", lambda: handled(agent, "sent") >= TIMED + BURST, 120, 0.2)
        cpu = agent.tree.cpu("telegen-events") - before
    server.stop()
    return {
        "events_p50_ms": statistics.median(delays),
        "events_p99_ms": statistics.quantiles(delays, n=100)[98],
        "events_per_core_s": BURST / cpu,
    }
