"""The end of an agent whose clients are silent, keep connections open, or take nothing of an answer."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from telegen.demo.server import SimulatedServer
from tests.harness import FAST, Agent, start_agent
from tests.process_tree import wait_for

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENT = FAST.replace("supervisor: {{", "supervisor: {{grace_period: 60s, ")
"""Configuration whose grace period is much longer than the ends that are expected here."""


def connect(agent: Agent, data: bytes, receive_buffer: int = 0) -> socket.socket:
    """Open a connection and send these bytes."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", agent.port))
    sock.sendall(data)
    return sock


@contextmanager
def idle_clients(agent: Agent) -> Iterator[None]:
    """Clients that send nothing, and clients that keep the connection after an answer."""
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connect(agent, b""))
            kept = stack.enter_context(connect(agent, SCRAPE.replace(b"/metrics", b"/livez")))
            assert kept.recv(1 << 16).startswith(b"HTTP/1.1 200")
        yield


@contextmanager
def stalled_clients(agent: Agent, count: int = 5) -> Iterator[None]:
    """Clients that request more than all buffers hold and take nothing, and one that sends half a request."""
    with ExitStack() as stack:
        stack.enter_context(connect(agent, SCRAPE[:-10]))
        for _ in range(count):
            stack.enter_context(connect(agent, SCRAPE * 100, receive_buffer=4096))
        wait_for("answers that are stuck", lambda: _unsent(agent), 10)
        yield


def _unsent(agent: Agent) -> bool:
    """True if the kernel holds data that a client of the agent does not take (proc(5), tcp)."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return any(row[1].endswith(f":{agent.port:04X}") and int(row[4].partition(":")[0], 16) for row in rows)


def test_killed_supervisor_with_clients(server: SimulatedServer) -> None:
    """After kill -9 of the supervisor no process waits for a client, and a new agent serves at the same address."""
    with start_agent(PATIENT, url=server.url) as agent:
        agent.wait_ready()
        with idle_clients(agent), stalled_clients(agent):
            processes = agent.tree.processes()
            agent.process.kill()
            assert psutil.wait_procs(processes, timeout=60)[1] == []
            with start_agent(PATIENT, port=agent.port, url=server.url) as again:
                again.wait_ready()


def test_killed_parents_of_web_processes(server: SimulatedServer) -> None:
    """If the web worker's parent process is killed and then the supervisor, no process is left either."""
    with start_agent(PATIENT, url=server.url) as agent:
        agent.wait_ready()
        with stalled_clients(agent):
            processes = agent.tree.processes()
            (parent,) = agent.named("telegen-web")
            parent.kill()
            agent.process.kill()
            assert psutil.wait_procs(processes, timeout=60)[1] == []


def test_term_with_idle_clients(server: SimulatedServer) -> None:
    """SIGTERM does not wait for clients that have no request under way."""
    with start_agent(PATIENT, url=server.url) as agent:
        agent.wait_ready()
        with idle_clients(agent):
            agent.process.send_signal(signal.SIGTERM)
            assert agent.process.wait(60) == 0
        assert "killed" not in agent.log.read_text()


@pytest.mark.parametrize("grace", [1, 3])
def test_term_with_stalled_clients(server: SimulatedServer, grace: int) -> None:
    """SIGTERM ends the agent within the grace period, whatever clients do."""
    text = PATIENT.replace("60s", f"{grace}s")
    with start_agent(text, url=server.url) as agent:
        agent.wait_ready()
        with idle_clients(agent), stalled_clients(agent):
            processes = agent.tree.processes()
            agent.process.send_signal(signal.SIGTERM)
            assert agent.process.wait(60) == 0
            assert psutil.wait_procs(processes, timeout=60)[1] == []
