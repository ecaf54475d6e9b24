"""HTTP responses of the agent: pages that all parsers accept, and refusals with a reason."""

from __future__ import annotations

import gzip
import http.client
import os
import socket
import subprocess
import time
import urllib.request
import zlib
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telegen.demo.server import SimulatedServer
from telegen.kubemetrics.own_families import OWN_FAMILIES
from tests.cluster.binaries import PROMTOOL, need
from tests.cluster.prometheus import Prometheus, prometheus
from tests.harness import FAST, Agent, get, start_agent
from tests.process_tree import wait_for

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
KUBE_PAGE = "/metrics/kubestate"
"""Page that does not change between two requests, unlike pages with container metrics."""


class Response:
    """One answer: status, headers and the bytes of the body."""

    def __init__(self, agent: Agent, path: str, method: str = "GET", **headers: str) -> None:
        parts = urlsplit(agent.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    @property
    def text(self) -> str:
        """The body, unpacked when it came as gzip."""
        packed = self.headers["Content-Encoding"] == "gzip"
        return (zlib.decompress(self.body, 31) if packed else self.body).decode()


def series(families: list[object]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Name and labels of every sample."""
    return [(s.name, tuple(s.labels.items())) for family in families for s in family.samples]  # type: ignore[attr-defined]


def test_text_page_is_parsed_by_prometheus_client(calm: Agent) -> None:
    """Text 0.0.4: every series once, every family declared once, kube_* and container_* on it."""
    answer = Response(calm, "/metrics")
    found = series(list(parse_text(answer.text)))
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert len(found) == len(set(found)) > 3000
    assert {"kube_pod_info", "kube_node_info", "container_memory_usage_bytes"} <= {name for name, _ in found}
    for keyword in ("# HELP ", "# TYPE "):
        declared = [line.split(" ")[2] for line in answer.text.split("\n") if line.startswith(keyword)]
        assert len(declared) == len(set(declared))


def test_openmetrics_page_is_parsed_by_prometheus_client(calm: Agent) -> None:
    """OpenMetrics 1.0 when asked for: it ends with # EOF and says the same series as the text."""
    answer = Response(calm, KUBE_PAGE, Accept=OPENMETRICS)
    assert answer.headers["Content-Type"].startswith(OPENMETRICS)
    assert answer.text.endswith("\n# EOF\n")
    assert sorted(series(list(parse_openmetrics(answer.text)))) == sorted(
        series(list(parse_text(Response(calm, KUBE_PAGE).text)))
    )


@pytest.mark.prometheus
def test_promtool_reads_the_page(calm: Agent) -> None:
    """promtool parses the whole page; what it says of names and HELP is style that kube-state-metrics has set."""
    command = [*need([PROMTOOL], os.environ), "check", "metrics"]
    ran = subprocess.run(command, input=calm.page().encode(), capture_output=True, timeout=60, check=False)
    assert ran.returncode in (0, 3), ran.stderr.decode()
    assert b"error while linting" not in ran.stderr
    assert b"parsing" not in ran.stderr


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_gzip_and_identity_say_the_same(calm: Agent, accept: str) -> None:
    """The gzip body unpacks to exactly the identity body; Content-Length is that of the bytes sent."""
    packed = Response(calm, KUBE_PAGE, Accept=accept, Accept_Encoding="gzip")
    plain = Response(calm, KUBE_PAGE, Accept=accept, Accept_Encoding="identity")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Content-Encoding"] is None
    assert packed.text == plain.text
    assert int(packed.headers["Content-Length"]) == len(packed.body) < len(plain.body)
    assert int(plain.headers["Content-Length"]) == len(plain.body)


@pytest.mark.parametrize("path", [KUBE_PAGE, "/telemetry", "/healthz"])
def test_head_has_the_headers_of_get_and_no_body(calm: Agent, path: str) -> None:
    """HEAD answers as GET does, without the body."""
    head, full = Response(calm, path, "HEAD"), Response(calm, path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == full.headers["Content-Type"]


def test_separate_pages_divide_the_whole(calm: Agent) -> None:
    """/metrics/kubestate and /metrics/cadvisor together have the families of /metrics, none of them twice."""
    names = [
        {line.split(" ")[2] for line in calm.page(path).split("\n") if line.startswith("# TYPE ")}
        for path in ("/metrics", KUBE_PAGE, "/metrics/cadvisor")
    ]
    assert names[0] == names[1] | names[2]
    assert not names[1] & names[2]


def test_resources_in_the_query_choose(calm: Agent) -> None:
    """?resources= keeps, ?exclude_resources= drops. An unknown name to keep is a 400 that lists the known ones."""
    only = Response(calm, "/metrics?" + urlencode({"resources": "nodes,namespaces"})).text
    assert "kube_node_info" in only and "kube_pod_info" not in only and "container_memory" not in only
    without = Response(calm, "/metrics?" + urlencode({"exclude_resources": "pods"})).text
    assert "kube_node_info" in without and "kube_pod_info" not in without
    spaces = Response(calm, "/metrics?" + urlencode({"resources": "nodes, namespaces ", "exclude_resources": " gophers"})).text
    assert sorted(spaces.split("\n")) == sorted(only.split("\n"))
    wrong = Response(calm, "/metrics?resources=gophers")
    assert wrong.status == 400
    assert "gophers: not watched; choose from certificatesigningrequests, configmaps, containers, " in wrong.text


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nowhere", 404, "choose from /metrics"),
        ("POST", "/metrics", 405, "405"),
        ("DELETE", "/readyz", 405, "405"),
    ],
)
def test_refusals_give_the_reason(calm: Agent, method: str, path: str, status: int, reason: str) -> None:
    """Unknown paths and methods get their status and one line of text."""
    answer = Response(calm, path, method)
    assert answer.status == status
    assert reason in answer.text and answer.text.count("\n") == 1


def test_malformed_accept_header_is_ignored(calm: Agent) -> None:
    """A malformed quality does not stop a scrape."""
    answer = Response(calm, "/metrics", Accept="text/plain;q=high", Accept_Encoding="gzip;q=2")
    assert answer.status == 200 and "kube_node_info" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Cookie": "c" * 60_000}, 200),
        ({f"X-{number}": "v" * 80 for number in range(600)}, 200),
        ({"Cookie": "c" * 90_000}, 431),
        ({f"X-{number}": "v" * 80 for number in range(1100)}, 431),
    ],
    ids=["long", "many", "too long", "too many"],
)
def test_size_of_headers(headers: dict[str, str], status: int, calm: Agent) -> None:
    """Headers may have 64 KiB together; a larger block is refused."""
    host, _, port = calm.url.removeprefix("http://").partition(":")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(f"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n".encode())
            assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())
        except ConnectionError:
            # The server closes the connection before it has read everything, and the kernel may drop the answer.
            assert status == 431


def test_clients_that_fail_leave_no_traceback(server: SimulatedServer) -> None:
    """A client that is too slow is dropped; a flood of malformed requests leaves a count and a line in the log, which it cannot forge."""
    with start_agent(FAST + "web: {{read_timeout: 1s}}\n", url=server.url) as agent:
        agent.wait_ready()
        with socket.create_connection(("127.0.0.1", agent.port), timeout=60) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n")
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        started = time.monotonic()
        for _ in range(150):
            with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as connection:
                connection.sendall(b"\x1b[2J\nsupervisor: forged\r\n\r\n")
                assert connection.recv(12) == b"HTTP/1.1 400"
        wait_for("the line", lambda: agent.log.read_text().count("clients dropped: ") > 1, 15)
        log = agent.log.read_text()
        assert "Traceback" not in log and "\x1b" not in log and "forged" not in log
        # One line in ten seconds, however many there are.
        assert log.count("clients dropped: ") <= 2 + (time.monotonic() - started) // 10
        counts = agent.page("/telemetry")
        assert 'telegen_http_clients_dropped_total{reason="invalid"} 150.0\n' in counts
        assert 'telegen_http_clients_dropped_total{reason="silent"} 1.0\n' in counts


def test_probes_succeed(calm: Agent) -> None:
    """/healthz, /livez and /readyz return 200 once all stores have synced."""
    assert [(Response(calm, path).status, Response(calm, path).text) for path in ("/healthz", "/livez", "/readyz")] == [
        (200, "ok\n")
    ] * 3


@pytest.mark.parametrize(
    "name",
    [
        "telegen_build_info{",
        'telegen_cluster_info{uid="',
        'telegen_store_objects{store="pods"} 60.0',
        'telegen_store_pages{store="pods"}',
        'telegen_store_bytes{store="pods"}',
        'telegen_store_last_event_timestamp_seconds{store="pods"}',
        'telegen_store_last_sync_timestamp_seconds{store="pods"}',
        'telegen_worker_heartbeat_age_seconds{worker="watch-pods"}',
        'telegen_worker_resident_memory_bytes{worker="watch-pods"}',
        'telegen_worker_cpu_seconds_total{worker="watch-pods"}',
        "telegen_scrape_duration_seconds_bucket{",
        "telegen_scrape_bytes_total{",
    ],
)
def test_own_metrics_are_there(calm: Agent, name: str) -> None:
    """/telemetry shows what operators watch the agent by."""
    get(f"{calm.url}/metrics")
    wait_for(name, lambda: f"\n{name}" in calm.page("/telemetry"), 5)


def test_own_metrics_are_compressed(calm: Agent) -> None:
    """Clients that accept gzip get /telemetry as gzip, which is a fraction of the text."""
    headers = {"Accept-Encoding": "gzip"}
    request = urllib.request.Request(f"{calm.url}/telemetry", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        body = response.read()
        assert response.headers["Content-Encoding"] == "gzip"
    text = gzip.decompress(body)
    assert b"telegen_build_info{" in text and len(body) < len(text) / 3


def test_own_metrics_are_parsed(calm: Agent) -> None:
    """/telemetry is valid in both formats, and every family of it is declared with its help."""
    declared = {name.removesuffix("_total"): family.help for name, family in OWN_FAMILIES.items()}
    served = {family.name: family.documentation for family in parse_text(Response(calm, "/telemetry").text)}
    assert len(served) > 20 and served.items() <= declared.items()
    assert list(parse_openmetrics(Response(calm, "/telemetry", Accept=OPENMETRICS).text))


PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: telegen
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: own
    metrics_path: /telemetry
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.mark.prometheus
def test_real_prometheus_scrapes_the_agent(calm: Agent, tmp_path: Path) -> None:
    """A Prometheus finds both targets up, with every sample of the page, and answers queries over them."""
    with prometheus(yaml.safe_load(PROMETHEUS.format(port=calm.port)), tmp_path) as server:
        assert _value(server, 'sum(up{job=~"telegen|own"})', 2) == 2
        assert _value(server, "count(kube_pod_info)", 60) == 60
        lines = sum(1 for line in calm.page().split("\n") if line and line[0] != "#")
        assert _value(server, 'scrape_samples_scraped{job="telegen"}', lines) == lines


def _value(server: Prometheus, query: str, wanted: float) -> float:
    """The value of a query once it is what is wanted, or after 30 s."""
    found = float("nan")
    deadline = time.monotonic() + 30
    while found != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
        result = server.query(query)
        found = float(result[0]["value"][1]) if result else found
    return found


def test_series_that_grow_old_are_withheld(server: SimulatedServer) -> None:
    """With max_staleness the kube_* series end some time after the API server, those of containers go on; without it all stay."""
    with start_agent(FAST, url=server.url) as other:
        with start_agent(FAST.replace("kube_state:", "max_staleness: 10s\n  kube_state:", 1), url=server.url) as agent:
            agent.wait_ready()
            other.wait_ready()
            assert "kube_pod_info{" in agent.page()
            server.stop()
            agent.wait_page("no kube_* series", lambda page: "kube_" not in page and "container_" in page, 20)
            assert 'telegen_store_withheld{store="pods"} 1.0' in agent.page("/telemetry")
        assert "kube_pod_info{" in other.page()


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=a", "text/plain;version=:", "text/plain;version=1.0.0;escaping=x"]
)
def test_odd_versions_of_own_metrics(calm: Agent, accept: str) -> None:
    """A malformed version in Accept is no error."""
    assert Response(calm, "/telemetry", Accept=accept).status == 200


def test_created_samples(server: SimulatedServer) -> None:
    """With openmetrics_created, counters of containers and of objects have their begin in OpenMetrics; text stays as it was."""
    own = "{resource: {kind: Pod}, prefix: own, metrics: [{name: seen_total, type: Counter, value: 1}]}"
    custom = f"kube_state:\n    custom_resource_state: {{{{metrics: [{own.replace('{', '{{').replace('}', '}}')}]}}}}"
    with start_agent(FAST.replace("kube_state:", f"openmetrics_created: true\n  {custom}", 1), url=server.url) as agent:
        agent.wait_ready()
        agent.wait_page("containers", lambda page: "container_cpu_usage_seconds_total{" in page, 20)
        families = {family.name: family for family in parse_openmetrics(Response(agent, "/metrics", Accept=OPENMETRICS).text)}
        for name in ("container_cpu_usage_seconds", "kube_pod_container_status_restarts", "own_seen"):
            times = [sample.value for sample in families[name].samples if sample.name == f"{name}_created"]
            assert len(times) == len(families[name].samples) / 2 and all(0 < moment <= time.time() for moment in times)
        assert "_total_created" not in agent.page() and "restarts_created" not in agent.page()
