"""Start an agent and a simulated API server as processes, and send requests to them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.process_tree import Tree, wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  separate_endpoints: true
  kube_state:
    apiserver: {url}
log: {{level: warning}}
"""

FAST = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  separate_endpoints: true
  kube_state:
    apiserver: {url}
  cadvisor: {{collect_interval: 1s}}
api: {{backoff_initial: 50ms, backoff_max: 500ms, read_timeout: 10s}}
supervisor: {{backoff_initial: 100ms, backoff_max: 1s}}
"""
"""Configuration for tests, with shorter intervals than in production."""

TOKENS = re.compile(r"eyJ[\w-]{16,}\.[\w-]{16,}|-token-of-a-test|(?i:bearer )\S")
"""Tokens of service accounts (JWT), the administrator's token of tests, and the value of any Authorization header."""
PORTS_FROM, PORTS, PORT_RANGES = 12000, 2500, 8
"""First port of tests, ports of one worker, and how many workers have ports of their own."""


@dataclass(frozen=True)
class Answer:
    """A response: seconds until the last byte, and the body as received."""

    status: int
    seconds: float
    body: bytes


def get(url: str, gzip: bool = False, timeout: float = 60) -> Answer:
    """Send a GET as Prometheus does."""
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
    """Return the seconds of a scrape whose body is discarded, so that the work of the client is not measured."""
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
    """Run a simulated API server with `pods` pods; yield its URL."""
    with served([sys.executable, "-m", "telegen.demo", "--pods", str(pods), "--rate", str(rate)]) as url:
        yield url


@contextlib.contextmanager
def served(command: list[str]) -> Iterator[str]:
    """Run a server that prints its URL; yield the URL."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(120)


def replace_file(path: Path, content: str | bytes) -> None:
    """Replace a watched file by a rename: a file that is written in place is empty for a moment, which is an error of its own."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    fresh.replace(path)


class Agent:
    """An agent as a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, config: Path, log: Path) -> None:
        self.process, self.port, self.config, self.log = process, port, config, log
        self.url = f"http://127.0.0.1:{port}"
        self.tree = Tree.of(process.pid)

    def configure(self, text: str) -> None:
        """Replace the configuration."""
        replace_file(self.config, text)

    def page(self, path: str = "/metrics") -> str:
        """Return a page as text.

        Raises:
            AssertionError: the status is not 200.
        """
        answer = get(f"{self.url}{path}")
        assert answer.status == 200, answer.body
        return answer.body.decode()

    def wait_ready(self, timeout: float = 20, interval: float = 0.02) -> None:
        """Wait until /readyz returns 200; request it once per interval."""
        wait_for(f"{self.url}/readyz", lambda: is_ready(self.url), timeout, interval)

    def page_if_up(self, path: str = "/metrics") -> str:
        """Return a page as text; "" if the agent does not listen or does not answer with 200."""
        try:
            answer = get(f"{self.url}{path}", timeout=10)
        except (OSError, http.client.HTTPException):
            return ""
        return answer.body.decode() if answer.status == 200 else ""

    def wait_page(self, what: str, shows: Callable[[str], bool], timeout: float = 10) -> None:
        """Wait until `shows` is true for the page."""
        wait_for(what, lambda: shows(self.page_if_up()), timeout, 0.05)

    def named(self, name: str) -> list[psutil.Process]:
        """Return the agent's processes with this name, as ps shows it."""
        return [process for process in self.tree.processes() if _name(process) == name[:15]]


def _name(process: psutil.Process) -> str:
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def start_agent(
    text: str, *arguments: str, port: int = 0, environ: Mapping[str, str] | None = None, **values: object
) -> Iterator[Agent]:
    """Start an agent with a configuration; it may not be ready yet.

    Args:
        text: the YAML, a format string with `{port}` and the names in `values`.
        arguments: further arguments of the command line.
        port: port to listen on; 0 for any free port.
        environ: added to its environment.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(text.format(port=port, **values))
        command = [sys.executable, "-m", "telegen.supervisor", "--config", str(config), *arguments]
        with running(command, {**clean_environ(), **(environ or {})}, port, config) as agent:
            yield agent


@contextlib.contextmanager
def running(command: list[str], environ: Mapping[str, str], port: int, config: Path) -> Iterator[Agent]:
    """Run an agent; print its log, a file beside the configuration, if the test fails.

    No log of any test may contain a token.
    """
    log = config.with_name("log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stderr=output)
    try:
        yield Agent(process, port, config, log)
    except BaseException:
        sys.stderr.write(log.read_text())
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    assert not TOKENS.search(log.read_text()), "the log contains a token"


def clean_environ() -> dict[str, str]:
    """Return the environment without variables that configure an agent."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("TELEGEN_", "KUBE"))} | {"HOME": "/nowhere"}


@contextlib.contextmanager
def agent(api: str) -> Iterator[tuple[str, Tree]]:
    """Run an agent with default settings that watches `api`; yield its URL and its processes."""
    with start_agent(CONFIG, url=api) as agent:
        yield agent.url, agent.tree


def _test_ports() -> Iterator[int]:
    """Yield ports from a random one on, round and round.

    Linux gives outgoing connections ports above 32767 only, and each worker of pytest-xdist has a range of its own: no other
    test takes a port before it is used.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = secrets.randbelow(PORTS)
    for number in itertools.count(start):
        yield PORTS_FROM + worker % PORT_RANGES * PORTS + number % PORTS


_ports = _test_ports()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which no process listens, a different one at each call."""
    for port in _ports:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("the ports do not end")


def is_ready(url: str) -> bool:
    """Return True if /readyz of an agent returns 200."""
    try:
        return get(f"{url}/readyz", timeout=2).status == 200
    except (OSError, http.client.HTTPException):
        return False
