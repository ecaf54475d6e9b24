"""Clients that send or read slowly, or not at all, hold no scrape and no probe, and are dropped."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.certificates import self_signed
from tests.harness import FAST, Agent, get, start_agent
from tests.hostile_clients import attack
from tests.process_tree import wait_for

LIMITS = FAST + "web: {{read_timeout: 2s, write_timeout: 2s, max_connections: 200, max_answers: 16}}\nlog: {{level: warning}}\n"
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"


@pytest.fixture(scope="module")
def large() -> Iterator[SimulatedServer]:
    """An API server whose page, 1.6 MB of gzip, does not fit into the buffers of a socket."""
    server = SimulatedServer(make_state(SyntheticCluster(1000, 20))).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(large: SimulatedServer) -> Iterator[Agent]:
    """An agent with short limits, which the tests of this module share."""
    with start_agent(LIMITS, url=large.url) as agent:
        agent.wait_ready()
        yield agent
        assert "Traceback" not in agent.log.read_text()


def scrape(agent: Agent) -> bytes:
    """Return the text of a whole gzip page."""
    answer = get(f"{agent.url}/metrics", gzip=True, timeout=20)
    assert answer.status == 200
    return zlib.decompress(answer.body, 31)


def dropped(agent: Agent) -> dict[str, float]:
    """Return the number of dropped clients by reason."""
    text = agent.page("/telemetry")
    return {reason: float(count) for reason, count in re.findall(r'clients_dropped_total{reason="(\w+)"} (\S+)', text)}


@pytest.mark.parametrize(
    ("kind", "count", "reasons"),
    [
        ("slow-1", 60, {"slow", "crowded"}),
        ("slow-8k", 60, {"slow", "crowded"}),
        ("stalled", 60, {"slow", "crowded"}),
        ("pipelined", 20, {"slow", "crowded"}),
        ("slowloris", 40, {"silent"}),
        ("headers", 40, {"invalid"}),
        ("idle", 500, {"silent", "crowded"}),
        ("no-body", 40, {"silent"}),
        ("garbage", 40, {"invalid"}),
    ],
)
def test_scrapes_and_probes_go_on(guarded: Agent, kind: str, count: int, reasons: set[str]) -> None:
    """During an attack every scrape is whole and every probe passes; then all attackers are gone, and are counted."""
    before = dropped(guarded)
    with attack(kind, guarded.port, count) as clients:
        clients.wait_connected()
        for _ in range(5):
            assert b"kube_pod_info{" in scrape(guarded)
            assert get(f"{guarded.url}/livez", timeout=10).status == 200
        wait_for("the end of all attackers", lambda: clients.open == 0, 15)
    after = dropped(guarded)
    assert {reason for reason, number in after.items() if number > before[reason]} & reasons
    assert sum(after.values()) - sum(before.values()) >= count


def test_handshakes_that_do_not_end(large: SimulatedServer, tmp_path: Path) -> None:
    """With TLS, silent connections and handshakes that are sent byte by byte hold no scrape, and are dropped."""
    certificate, key = self_signed(tmp_path)
    (tmp_path / "web.yml").write_text(f"tls_server_config: {{cert_file: {certificate}, key_file: {key}}}\n")
    with start_agent(LIMITS.replace("web: {{", f"web: {{{{web_config_file: {tmp_path}/web.yml, "), url=large.url) as agent:
        context = ssl.create_default_context(cafile=str(certificate))

        def status() -> int:
            connection = http.client.HTTPSConnection("localhost", agent.port, timeout=20, context=context)
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status
            except ConnectionRefusedError:
                return 0
            finally:
                connection.close()

        wait_for("readiness", lambda: status() == 200, 20)
        with attack("hello", agent.port, 60) as hello, attack("idle", agent.port, 100) as idle:
            hello.wait_connected()
            idle.wait_connected()
            assert [status() for _ in range(5)] == [200] * 5
            wait_for("the end of all attackers", lambda: hello.open == idle.open == 0, 15)
        with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as plain:
            plain.sendall(SCRAPE + b"\r\n")
            assert plain.recv(1000).endswith(b"\r\n\r\nThis address speaks TLS: use https://.\n")
        assert "Traceback" not in agent.log.read_text()


def test_tls_to_a_plain_address(guarded: Agent) -> None:
    """A client that speaks TLS to a plain address gets an alert at once."""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as sock:
        with pytest.raises(ssl.SSLError, match="(?i)protocol"):
            ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")


def test_slow_but_honest_client_gets_its_page(guarded: Agent) -> None:
    """A client above min_rate takes as long as it needs: write_timeout is no limit of the whole response."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", guarded.port))
        sock.sendall(SCRAPE + b"Connection: close\r\n\r\n")
        body, started = b"", time.monotonic()
        while part := sock.recv(16384):
            body += part
            time.sleep(max(0.0, len(body) / 400_000 - (time.monotonic() - started)))
    assert time.monotonic() - started > 2.5
    assert b"kube_pod_info{" in zlib.decompress(body.partition(b"\r\n\r\n")[2], 31)


def test_scrape_timeout_of_the_client(guarded: Agent) -> None:
    """A response that is not taken within the time that Prometheus names is reset, before it counts as slow."""
    before = dropped(guarded)["deadline"]
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", guarded.port))
        sock.sendall(SCRAPE + b"X-Prometheus-Scrape-Timeout-Seconds: 0.5\r\n\r\n")
        wait_for("the reset", lambda: dropped(guarded)["deadline"] == before + 1, 10, 0.2)
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass


@pytest.mark.parametrize("text", ["0", "-1", "nan", "soon", "1e400", "10s"])
def test_scrape_timeout_that_is_none(guarded: Agent, text: str) -> None:
    """A header that is no time is ignored."""
    answer = b""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as sock:
        sock.sendall(SCRAPE + b"Connection: close\r\nX-Prometheus-Scrape-Timeout-Seconds: %s\r\n\r\n" % text.encode())
        while part := sock.recv(1 << 20):
            answer += part
    assert zlib.decompress(answer.partition(b"\r\n\r\n")[2], 31)


def test_client_that_sends_no_more_gets_its_response(guarded: Agent) -> None:
    """A half-closed connection is answered and then closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as sock:
        sock.sendall(SCRAPE + b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        while part := sock.recv(1 << 20):
            answer += part
    assert zlib.decompress(answer.partition(b"\r\n\r\n")[2], 31)


def test_pipelined_requests_are_answered_in_order(guarded: Agent) -> None:
    """Requests that arrive together are answered one after the other, and a malformed one ends the connection."""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
        answer = b""
        while part := sock.recv(65536):
            answer += part
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"400"]


def test_upgrade_is_ignored(guarded: Agent) -> None:
    """A request for a websocket is answered as any other, so that no connection leaves the limits."""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as sock:
        sock.sendall(
            b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert sock.recv(12) == b"HTTP/1.1 200"


ODD = st.binary(max_size=200) | st.sampled_from([b"GET / HTTP/1.1", b"GET /metrics HTTP/1.0", b"GET * HTTP/1.1", b"POST / HTTP/1.1"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=ODD, headers=st.lists(st.binary(max_size=80), max_size=5))
def test_any_bytes_are_answered(guarded: Agent, line: bytes, headers: list[bytes]) -> None:
    """Whatever the bytes of a request are, the answer is HTTP or the end of the connection, and the log has no traceback."""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as sock:
        answer = b""
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"\r\n".join([line, *headers]) + b"\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(1 << 20):
                answer += part
    assert not answer or re.match(rb"HTTP/1\.[01] [2345]\d\d ", answer) or answer.startswith(b"\x15\x03\x03")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60), accept=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_any_query_and_accept_are_answered(guarded: Agent, query: str, accept: str) -> None:
    """Any query and Accept give a page, or 400 with a reason of one line."""
    connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=20)
    try:
        connection.request("GET", f"/metrics?families={quote(query)}&resources=nodes", headers={"Accept": accept})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    assert answer.status == 200 or (answer.status, body.count(b"\n")) == (400, 1)
