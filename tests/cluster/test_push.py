"""Pushes to a real OpenTelemetry collector, compared with scrapes."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from telegen.demo.server import SimulatedServer
from telegen.otlp.resources import SCHEMA
from tests.cluster.collector import collecting
from tests.e2e.conftest import small_cluster
from tests.harness import Agent, start_agent
from tests.otlp.pages import series_of_page
from tests.otlp.receiver import Series
from tests.otlp.test_http import make_certificates
from tests.otlp.translation import entities_of, translated
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{apiserver: "{url}"}}
  cadvisor: {{enabled: {containers}}}
  streaming: {{enabled: true, interval: 1s, queue_size: 30, batch_size: {batch}, naming: {naming}}}
  otlp: {otlp}
  signal_metadata: {{enabled: false}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatedServer]:
    """A cluster that does not change."""
    server = small_cluster()
    yield server
    server.stop()


def settings(
    server: SimulatedServer, otlp: str, batch: int = 1000, containers: str = "false", naming: str = "prometheus"
) -> dict[str, object]:
    """Return the values of the configuration."""
    return {"url": server.url, "otlp": otlp, "batch": batch, "containers": containers, "naming": naming}


@pytest.mark.parametrize(("protocol", "batch"), [("http/protobuf", 7), ("http/protobuf", 1000), ("http/protobuf", 100_000), ("grpc", 1000)])
def test_collector_receives_every_series(server: SimulatedServer, tmp_path: Path, protocol: str, batch: int) -> None:
    """By either protocol, in requests of any size, the collector has the series and values of the page, and no other."""
    with collecting(tmp_path) as collector:
        port = collector.grpc_port if protocol == "grpc" else collector.port
        otlp = f"{{protocol: {protocol}, endpoint: 'http://127.0.0.1:{port}', compression: none}}"
        with start_agent(CONFIG, **settings(server, otlp, batch)) as agent:
            agent.wait_ready()
            wait_for("equal series", lambda: collector.newest() == series_of_page(agent.page()), 30, 1)
            assert len(collector.newest()) > 1000


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_mutual_tls_and_gzip(server: SimulatedServer, tmp_path: Path, protocol: str) -> None:
    """By either protocol with mutual TLS and gzip, series of containers included."""
    make_certificates(tmp_path)
    files = {name: tmp_path / name for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")}
    tls = f", tls: {{cert_file: '{files['server.pem']}', key_file: '{files['server.key']}', client_ca_file: '{files['ca.pem']}'}}"
    with collecting(tmp_path, tls) as collector:
        shown = f"ca_file: '{files['ca.pem']}', certificate_file: '{files['client.pem']}', key_file: '{files['client.key']}'"
        port = collector.grpc_port if protocol == "grpc" else collector.port
        otlp = f"{{protocol: {protocol}, compression: gzip, endpoint: 'https://127.0.0.1:{port}', {shown}}}"
        with start_agent(CONFIG, **settings(server, otlp, containers="true")) as agent:
            agent.wait_ready()

            def stable(series: Iterable[Series]) -> set[object]:
                # Containers of this machine come and go: their families are compared, and the whole series of all others.
                return {name if name.startswith("container_") else (name, labels) for name, labels in series}

            wait_for("equal series", lambda: stable(collector.newest()) == stable(series_of_page(agent.page())), 60, 1)
            assert {name.partition("_")[0] for name, _ in collector.newest()} >= {"kube", "container", "machine"}


def test_entities(server: SimulatedServer, tmp_path: Path) -> None:
    """With the names of the semantic conventions the collector has what the facts make of the page, and no other series."""
    sender = frozenset(("service.name", "service.version", "service.instance.id"))
    with collecting(tmp_path) as collector:
        otlp = f"{{endpoint: 'http://127.0.0.1:{collector.port}'}}"
        with start_agent(CONFIG, **settings(server, otlp, naming="semconv")) as agent:
            agent.wait_ready()
            wait_for("equal series", lambda: entities_of(collector.metrics(), sender) == translated(agent.page()), 40, 1)
            found = collector.metrics()
            assert {one.schema_url for request in found for one in request.resource_metrics} == {SCHEMA}
            assert len(translated(agent.page())) > 1000


def _waiting(agent: Agent) -> float:
    """Return the number of pushes that wait or are being sent."""
    found = re.search(r"^telegen_push_queue_pushes (\S+)$", agent.page("/telemetry"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_collector_that_restarts_misses_nothing(server: SimulatedServer, tmp_path: Path) -> None:
    """The pushes of an outage arrive after it, each once and in order."""
    with collecting(tmp_path) as collector:
        otlp = f"{{endpoint: 'http://127.0.0.1:{collector.port}'}}"
        with start_agent(CONFIG, **settings(server, otlp)) as agent:
            agent.wait_ready()
            wait_for("equal series", lambda: collector.newest() == series_of_page(agent.page()), 30, 1)
            collector.stop()
            down = time.time_ns()
            wait_for("pushes that wait", lambda: _waiting(agent) >= 6, 20, 0.5)
            up = time.time_ns()
            collector.start()
            series = next(iter(series_of_page(agent.page())))

            def times() -> list[int]:
                return [at for one, at, _ in collector.points() if one == series]

            wait_for("pushes after the outage", lambda: max(times()) > up + 2e9, 30, 1)
            found = times()
            assert max(Counter(found).values()) == 1 and found == sorted(found)
            assert sum(down < at < up for at in found) >= 4
