"""`make bench PUSH=10000`: measure the push of an agent that watches so many simulated pods, and of one that watches 100.

The receiver is a process of its own that reads and answers, so that only the agent's work is measured.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from tests.bench.events import BARS as EVENT_BARS
from tests.bench.events import measure_events
from tests.bench.machine import measure_machine
from tests.harness import get, is_ready, simulated, start_agent
from tests.otlp.grpc_receiver import grpc_receiver
from tests.process_tree import Tree, wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{apiserver: "{url}"}}
  cadvisor: {{enabled: false}}
  streaming: {{enabled: true, interval: {interval}s, naming: {naming}}}
  otlp: {{protocol: {protocol}, endpoint: "{receiver}"}}
  signal_metadata: {{enabled: {metadata}}}
log: {{level: warning}}
"""
BARS = {
    "push_unchanged_points_core_s": (">=", 1_500_000),
    "push_changed_points_core_s": (">=", 200_000),
    "push_grpc_unchanged_points_core_s": (">=", 500_000),
    "push_semconv_unchanged_points_core_s": (">=", 400_000),
    "push_pss_mb": ("<=", 45),
    "push_small_pss_mb": ("<=", 12),
    **EVENT_BARS,
}
INTERVAL = 10
PUSHES = 4
"""Unchanged pushes that are measured."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def drain(connection: socket.socket) -> None:
    """Read requests and answer each."""
    buffer, data = bytearray(1 << 20), b""
    while True:
        while b"\r\n\r\n" not in data:
            piece = connection.recv(1 << 16)
            if not piece:
                return
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        left = int(found[1]) - len(body) if found else 0
        while left > 0:
            left -= connection.recv_into(buffer, min(left, len(buffer)))
        data = b""
        connection.sendall(ANSWER)


def serve(protocol: str) -> None:
    """Print the URL, then receive until the process is killed."""
    if protocol == "grpc":
        with grpc_receiver() as receiver:
            receiver.keeps = False
            print(f"http://{receiver.address}", flush=True)
            threading.Event().wait()
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=drain, args=(connection,), daemon=True).start()


@contextlib.contextmanager
def receiving(protocol: str) -> Iterator[str]:
    """Run a receiver; yield its URL."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench.push", protocol], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def accepted(url: str) -> float:
    """Return the number of points that the receiver has accepted."""
    found = re.search(r'telegen_push_points_total\{outcome="accepted"\} (\S+)', get(f"{url}/telemetry").body.decode())
    return float(found[1]) if found else 0.0


def pss_of(tree: Tree) -> float:
    """Return the PSS of the push worker in MB."""
    (process,) = [one for one in tree.processes() if one.name().startswith("telegen-push")]
    return process.memory_full_info().pss / 1e6


def measure_pods(
    pods: int, prefix: str, metadata: str = "false", protocol: str = "http/protobuf", naming: str = "prometheus"
) -> dict[str, float]:
    """Measure the first push, which encodes everything, and those after it, which encode nothing."""
    with simulated(pods) as api, receiving(protocol) as receiver:
        values = {"url": api, "receiver": receiver, "metadata": metadata, "protocol": protocol, "naming": naming}
        with start_agent(CONFIG, interval=INTERVAL, **values) as agent:
            wait_for("readiness", lambda: is_ready(agent.url), 120)
            wait_for("a push", lambda: accepted(agent.url) > 0, 60, 0.1)
            time.sleep(2 * INTERVAL)
            first_points, first = accepted(agent.url), agent.tree.cpu("telegen-push")
            time.sleep(PUSHES * INTERVAL)
            points, cpu = accepted(agent.url) - first_points, agent.tree.cpu("telegen-push") - first
            # The first push: all CPU so far less that of the unchanged points after it.
            per_push = points / PUSHES
            unchanged = cpu / points
            extra = first_points / per_push - 1
            changed = per_push / max(1e-9, first - extra * per_push * unchanged)
            return {
                f"{prefix}_points": per_push,
                f"{prefix}_unchanged_points_core_s": 1 / unchanged,
                f"{prefix}_changed_points_core_s": changed,
                f"{prefix}_cpu_percent": 100 * cpu / (PUSHES * INTERVAL),
                f"{prefix}_pss_mb": pss_of(agent.tree),
            }


def measure_push(pods: int) -> dict[str, float]:
    """Run all measurements."""
    figures = measure_machine()
    figures |= measure_pods(pods, "push")
    figures |= measure_pods(pods, "push_metadata", metadata="true")
    figures |= measure_pods(pods, "push_grpc", protocol="grpc")
    figures |= measure_pods(pods, "push_semconv", naming="semconv")
    figures |= measure_pods(100, "push_small")
    figures |= measure_pods(100, "push_small_grpc", protocol="grpc")
    return figures | measure_events()


if __name__ == "__main__":
    serve(sys.argv[1])
