"""An agent with kube-state-metrics' arguments, and requests as in its manifests."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from telegen.demo.server import SimulatedServer
from tests.e2e.conftest import small_cluster
from tests.harness import Agent, free_port, get, start_agent


@pytest.fixture(scope="module")
def flagged() -> Iterator[tuple[Agent, str]]:
    """An agent without a configuration file, and the URL of its second address."""
    server: SimulatedServer = small_cluster()
    port, second = free_port(), free_port()
    line = [
        f"--apiserver={server.url}",
        "--host=127.0.0.1",
        f"--port={port}",
        "--telemetry-host=127.0.0.1",
        f"--telemetry-port={second}",
        "--resources=pods,nodes",
        "--metric-labels-allowlist=pods=[*],nodes=[zone]",
        "--metric-denylist=kube_pod_container_.*",
        "--server-read-timeout=1s",
        "--enable-gzip-encoding",
        "-v=4",
    ]
    try:
        with start_agent("", *line, port=port) as running:
            running.wait_ready()
            yield running, f"http://127.0.0.1:{second}"
    finally:
        server.stop()


def test_arguments_of_a_manifest(flagged: tuple[Agent, str]) -> None:
    """The page has exactly the selection of the flags; the log names a flag without effect."""
    agent, _ = flagged
    page = get(f"{agent.url}/metrics?exclude_resources=").body.decode()
    assert "kube_pod_info{" in page and "kube_node_info{" in page
    assert "kube_deployment" not in page and "kube_pod_container_" not in page
    assert 'label_app="' in page
    assert "--enable-gzip-encoding: no effect" in agent.log.read_text()


def test_second_address(flagged: tuple[Agent, str]) -> None:
    """The telemetry address serves the agent's own metrics at /metrics, as kube-state-metrics does, and the probes."""
    agent, second = flagged
    own = get(f"{second}/metrics").body.decode()
    assert "telegen_build_info{" in own and "\nkube_" not in own
    for path in ("readyz", "livez", "healthz", "telemetry"):
        assert get(f"{second}/{path}").status == 200
    for address in (agent.url, second):
        # The readiness probe of kube-state-metrics' older manifests, and the first page that users open.
        index = get(f"{address}/")
        assert index.status == 200 and {b"/metrics", b"/telemetry", b"/readyz"} <= set(index.body.split())
    refused = get(f"{second}/metrics/kubestate")
    assert refused.status == 404 and b"choose from /metrics, /telemetry" in refused.body


def test_silent_client_is_disconnected(flagged: tuple[Agent, str]) -> None:
    """A client that stops in the middle of a request is disconnected after the read timeout; others are served."""
    agent, _ = flagged
    with socket.create_connection(("127.0.0.1", agent.port), timeout=60) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        assert get(f"{agent.url}/healthz").status == 200
        # The agent resets the connection.
        with pytest.raises(ConnectionResetError):
            while slow.recv(4096):
                pass
