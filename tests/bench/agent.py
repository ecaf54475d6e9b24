"""A simulated API server and an agent that watches it, as processes of their own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.tree import Tree

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state:
    apiserver: {url}
log: {{level: warning}}
"""


@dataclass(frozen=True)
class Answer:
    """One scrape: seconds until the last byte, the body as it came over the wire."""

    status: int
    seconds: float
    body: bytes


def get(url: str, gzip: bool = False, timeout: float = 60) -> Answer:
    """A GET as Prometheus does it."""
    parts = urlsplit(url)
    headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    started = time.perf_counter()
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        return Answer(response.status, time.perf_counter() - started, body)
    finally:
        connection.close()


def drain(url: str, gzip: bool) -> float:
    """Seconds of a scrape whose body is thrown away as it comes: what the client does with it is not the agent's."""
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: {'gzip' if gzip else 'identity'}\r\n\r\n"
    buffer = bytearray(1 << 20)
    started = time.perf_counter()
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60) as connection:
        connection.sendall(request.encode())
        while connection.recv_into(buffer):
            pass
    return time.perf_counter() - started


def post(url: str) -> None:
    """Pull a lever of the simulated server."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", f"{parts.path}?{parts.query}")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 200:
        raise RuntimeError(f"{url}: {status}")


@contextlib.contextmanager
def simulated(pods: int, rate: float = 0.0) -> Iterator[str]:
    """A simulated API server with so many pods; its URL."""
    command = [sys.executable, "-m", "telegen.demo", "--pods", str(pods), "--rate", str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def agent(api: str) -> Iterator[tuple[str, Tree]]:
    """An agent that watches `api`; its URL and its processes. It has only just been started."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(CONFIG.format(port=port, url=api))
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("TELEGEN_", "KUBE"))}
        process = subprocess.Popen([sys.executable, "-m", "telegen.supervisor", "--config", str(config)], env=environ)
        try:
            yield f"http://127.0.0.1:{port}", Tree.of(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_ready(url: str) -> bool:
    """Whether the agent at `url` has synced everything."""
    try:
        return get(f"{url}/readyz", timeout=2).status == 200
    except (OSError, http.client.HTTPException):
        return False
