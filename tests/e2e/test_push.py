"""Whole agents that push to a scripted receiver."""

from __future__ import annotations

import re
import signal
import time

import pytest

from telegen.demo.server import SimulatedServer
from tests.harness import FAST, Agent, start_agent
from tests.otlp.pages import series_of_page
from tests.otlp.receiver import Answer, ScriptedReceiver, Series, points_of, scripted
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{apiserver: "{url}", resources: [pods, nodes]}}
  cadvisor: {{enabled: false}}
  streaming: {{enabled: true, interval: 1s, queue_size: 3, batch_size: 1000}}
  otlp: {{endpoint: "{receiver}", timeout: 1s}}
  signal_metadata: {{enabled: {metadata}}}
supervisor: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


def pushed(receiver: ScriptedReceiver, since: int = 0) -> dict[Series, float | None]:
    """Return the newest value of each series among the requests from number `since` on."""
    return {series: value for request in receiver.received[since:] for series, _, value in points_of(request.metrics)}


def scraped(agent: Agent) -> dict[Series, float]:
    """Return the series of the page."""
    return series_of_page(agent.page())


def own(agent: Agent, pattern: str) -> float:
    """Return the sum of one of the agent's own metrics."""
    return sum(float(value) for value in re.findall(rf"^telegen_push_{pattern} (\S+)$", agent.page("/telemetry"), re.MULTILINE))


def test_push_equals_scrape_and_ends_deleted_pods(server: SimulatedServer) -> None:
    """Every series of the page is pushed with its value; a deleted pod ends with the next push, and all series end with the agent."""
    with scripted() as receiver, start_agent(CONFIG, url=server.url, receiver=receiver.url, metadata="false") as agent:
        agent.wait_ready()
        wait_for("a push", lambda: pushed(receiver) == scraped(agent), 20)
        namespace, gone = next(iter(server.state.collections["pods"].objects))
        server.state.delete("pods", namespace, gone)
        of_pod = {series for series in pushed(receiver) if ("pod", gone) in series[1]}

        def ended_now() -> set[Series]:
            return {series for series, value in pushed(receiver).items() if value is None}

        wait_for("the end of the pod", lambda: ended_now() == of_pod, 10)
        times = {point[1] for request in receiver.received for point in points_of(request.metrics)}
        assert all(0 <= time.time_ns() - at < 120e9 for at in times) and len(times) < len(receiver.received)
        assert own(agent, r'points_total{outcome="accepted"}') > 0
        last, before = scraped(agent), len(receiver.received)
        agent.process.terminate()
        agent.process.wait(60)
        ended = pushed(receiver, before)
        assert {series for series, value in ended.items() if value is None} == set(last)


def test_metadata_is_on_the_points_only(server: SimulatedServer) -> None:
    """Signal metadata are attributes of pushed points; the page does not have them."""
    with scripted() as receiver, start_agent(CONFIG, url=server.url, receiver=receiver.url, metadata="true") as agent:
        wait_for("a push", lambda: bool(pushed(receiver)), 20)
        (name, labels), _ = next(iter(pushed(receiver).items()))
        assert {key: value for key, value in labels if key.startswith("telegen.")} == {
            "telegen.signal.category": "Kubernetes State",
            "telegen.signal.subcategory": "Pod Metrics" if name.startswith("kube_pod") else "Node Metrics",
            "telegen.source.module": "telegen.kubestate",
            "telegen.collector.type": "api",
        }
        assert "telegen.signal" not in agent.page()


def test_receiver_that_fails_harms_nothing_else(server: SimulatedServer) -> None:
    """A receiver that never answers: scrapes and probes are as before, the log has one line a minute, and later pushes arrive."""
    with scripted() as receiver, start_agent(CONFIG, url=server.url, receiver=receiver.url, metadata="false") as agent:
        receiver.usual = Answer(hang=60)
        agent.wait_ready()
        wait_for("a full queue", lambda: own(agent, r'points_total{outcome="queue_full"}') > 0, 30)
        agent.wait_ready(1)
        assert "kube_pod_info" in agent.page()
        assert own(agent, "queue_pushes") == 3
        assert len(re.findall("not accepted: no answer within 1 s; retrying", agent.log.read_text())) == 1
        receiver.usual = Answer()
        wait_for("a push", lambda: pushed(receiver) == scraped(agent), 20)
        times = [next(points_of(request.metrics))[1] for request in receiver.received]
        assert times == sorted(times)


def test_worker_that_is_killed_goes_on(server: SimulatedServer) -> None:
    """A push worker that is killed is forked again and sends everything anew."""
    with scripted() as receiver, start_agent(CONFIG, url=server.url, receiver=receiver.url, metadata="false") as agent:
        agent.wait_ready()
        wait_for("a push", lambda: pushed(receiver) == scraped(agent), 20)
        before = len(receiver.received)
        agent.named("telegen-push")[0].kill()
        wait_for("a push of the next worker", lambda: pushed(receiver, before) == scraped(agent), 20)


def test_no_push_no_process(server: SimulatedServer) -> None:
    """By default, and with use_otlp: false, there is no process; a reload starts and ends it and replaces no other."""
    with scripted() as receiver, start_agent(FAST, url=server.url) as agent:
        agent.wait_ready()
        assert not agent.named("telegen-push")
        watching = agent.named("telegen-watch-pods")
        text = agent.config.read_text()
        push = "  streaming: {enabled: true, interval: 1s}\n  otlp: {endpoint: '%s'}\n" % receiver.url
        agent.configure(text.replace("  separate_endpoints: true\n", push))
        wait_for("a push", lambda: bool(pushed(receiver)), 20)
        assert agent.named("telegen-watch-pods") == watching
        agent.configure(text.replace("  separate_endpoints: true\n", push.replace("interval: 1s", "interval: 1s, use_otlp: false")))
        wait_for("the end of the process", lambda: not agent.named("telegen-push"), 20)
        assert agent.named("telegen-watch-pods") == watching


SHARED = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: node
  node_name: {node}
  election: {{namespace: telegen, lease_duration: 3s, renew_deadline: 2s, retry_period: 200ms, waiting_period: 1s}}
  kube_state: {{apiserver: "{url}", resources: [pods, nodes]}}
  cadvisor: {{enabled: false}}
  streaming: {{enabled: true, interval: 1s}}
  otlp: {{endpoint: "{receiver}", timeout: 30s}}
  signal_metadata: {{enabled: false}}
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_hand_over_renames_and_ends_nothing(server: SimulatedServer, end: signal.Signals) -> None:
    """The next holder of a Lease sends the same series under the same resource, and no series ends in between."""
    with scripted() as receiver, start_agent(SHARED, node="node-1", url=server.url, receiver=receiver.url) as first:
        wait_for("a push", lambda: bool(pushed(receiver)) and pushed(receiver) == scraped(first), 30)
        with start_agent(SHARED, node="node-2", url=server.url, receiver=receiver.url) as second:
            second.wait_ready()
            first.tree.kill() if end == signal.SIGKILL else first.process.send_signal(end)
            first.process.wait(60)
            before = len(receiver.received)
            wait_for("a push of the next holder", lambda: bool(scraped(second)) and pushed(receiver, before) == scraped(second), 30)
        resources = [one.metrics.resource_metrics[0].resource for one in receiver.received]
        instances = {item.value.string_value for one in resources for item in one.attributes if item.key == "service.instance.id"}
        assert instances == {"telegen-shard-0"}
        times: dict[Series, list[int]] = {}
        for request in receiver.received[:before]:
            for series, at, value in points_of(request.metrics):
                assert value is not None, f"{series} has ended"
                times.setdefault(series, []).append(at)
        assert all(found == sorted(set(found)) for found in times.values())
