"""The status of the agent as JSON, and who sees which part of it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import falcon.testing
import msgspec
import pytest

from telegen.config import ConfigSource
from telegen.config.web_file import WebFile
from telegen.kubemetrics.agent_state import AgentState, ProcessState
from telegen.kubemetrics.app import make_app, make_telemetry_app
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.scrapers import Scraper, Scrapers, all_scrapers
from telegen.kubemetrics.status import FRESH, HIDDEN, StatusReader, StatusSources, public_line
from telegen.kubemetrics.status_page import PAGE, SECURITY_POLICY
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.kubemetrics.web_security import AccessControl, WebSecurity
from telegen.metrics.family import gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.layout import Arena
from telegen.shm.notices import Notices
from telegen.shm.reader import ArenaReader
from telegen.shm.shared_document import SharedDocument
from telegen.shm.store_status import StoreStatuses
from telegen.shm.writer import ArenaWriter
from telegen.supervisor.inherited import STATE_BYTES
from telegen.supervisor.published_state import MASK, PublishedState, setting_states

SECRET = "shop-of-a-test"
CAUSE = f"Failed: https://{SECRET}:6443: 500 InternalError: no pod {SECRET}; retrying in 2 s"
FAMILIES = (gauge("kube_pod_a", "A.", "ALPHA", lambda obj: 1), gauge("kube_pod_b", "B.", "ALPHA", lambda obj: [("x", 1), ("y", 2)], "l"))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StatusSources:
    """An agent with one resource in one namespace, one process, one Lease, one scraper and one warning."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    arena, board, notices = Arena.create("watch-pods", 16 << 20), Heartbeats(2), Notices(2)
    store = MetricsStore(f"pods/{SECRET}", FAMILIES, renderer((), FAMILIES, lambda *_: None), ArenaWriter(arena, [f"pods/{SECRET}"]))
    store.replace(("ADDED", {"metadata": {"uid": str(number), "resourceVersion": "1"}}) for number in range(5))
    store.flush()
    statuses = StoreStatuses([f"pods/{SECRET}"])
    statuses[f"pods/{SECRET}"].note_failed(CAUSE)
    for row in (0, 1):
        board.enter(row, 7)
    board.note_memory(1, 1234)
    notices.write(1, f"{SECRET}: broken")
    view = View(
        {"/metrics": [ArenaReader(arena)]}, {"watch-pods": [f"pods/{SECRET}"]}, board, {"supervisor": 0, "watch-pods": 1}, 0.0,
        statuses={"watch-pods": statuses},
    )  # fmt: skip
    state, holders = SharedDocument("state", 1 << 20), SharedDocument("holders", 4096)
    published = PublishedState(state)
    source = ConfigSource(None, {"TELEGEN_KUBE_METRICS__KUBE_STATE__NAMESPACES": f"[{SECRET}]"})
    published.adopt(source.load(), source.origins())
    published.write(f"node {SECRET}", (ProcessState("watch-pods", "running", 7, time.monotonic() - 60, 0.0, 3, 1),))
    holders.write(msgspec.msgpack.encode({"telegen-shard-0": SECRET}))
    scrapers = Scrapers(str(tmp_path), "web-0")
    scrapers._note({"headers": [(b"user-agent", b"Prometheus/3.5")], "client": ("10.9.8.7", 1), "path": "/metrics"}, 0.5, 100)
    return StatusSources(view, state, holders, notices, lambda: {"telegen-shard-0": True}, str(tmp_path))


def test_content(sources: StatusSources) -> None:
    """Sizes are exact, and resources, processes, shards, warnings, scrapers, settings and paths are there."""
    found = StatusReader(sources, ["/metrics"]).read(authenticated=True)
    (pods,) = found["resources"]
    assert (pods["name"], pods["objects"], pods["series"], pods["state"], pods["cause"]) == ("pods", 5, 15, "failed", CAUSE)
    assert found["totals"]["series"] == 15 and 0 < found["totals"]["stored"]
    page = {"kube_pod_a": 5 * len("kube_pod_a 1\n"), "kube_pod_b": 5 * len('kube_pod_b{l="x"} 1\nkube_pod_b{l="y"} 2\n')}
    assert [(one["name"], one["series"], one["bytes"]) for one in found["families"]] == [
        ("kube_pod_b", 10, page["kube_pod_b"]),
        ("kube_pod_a", 5, page["kube_pod_a"]),
    ]
    supervisor, watcher = found["processes"]
    assert (supervisor["name"], watcher["name"], watcher["memory"], watcher["restarts"]) == ("supervisor", "watch-pods", 1234, 3)
    assert 60 <= watcher["up"] < 120 and not found["ready"]
    assert found["shards"] == [{"lease": "telegen-shard-0", "served": True, "holder": SECRET}]
    assert [(one["process"], one["text"]) for one in found["warnings"]] == [("watch-pods", f"{SECRET}: broken")]
    (scraper,) = found["scrapers"]
    assert (scraper["agent"], scraper["address"], scraper["duration"], scraper["bytes"]) == ("Prometheus/3.5", "10.9.8.7", 0.5, 100)
    settings = {one["path"]: one for one in found["settings"]}
    assert settings["kube_metrics.kube_state.namespaces"]["value"] == f"[{SECRET}]"
    assert settings["kube_metrics.kube_state.namespaces"]["origin"] == "TELEGEN_KUBE_METRICS__KUBE_STATE__NAMESPACES"
    assert settings["web.workers"] == {"path": "web.workers", "value": "auto", "origin": "default"}


def test_names_and_addresses_are_hidden(sources: StatusSources) -> None:
    """Without authentication no name of an object and no address of a client is in the status, and its structure is the same."""
    reader = StatusReader(sources, ["/metrics"])
    hidden, shown = reader.read(authenticated=False), reader.read(authenticated=True)
    assert SECRET in repr(shown) and "10.9.8.7" in repr(shown)
    assert SECRET not in repr(hidden) and "10.9.8.7" not in repr(hidden)
    assert hidden["scrapers"][0]["address"] == hidden["shards"][0]["holder"] == hidden["warnings"][0]["text"] == HIDDEN
    assert hidden.keys() == shown.keys()
    assert hidden["resources"][0]["cause"] == "Failed: hidden: 500 InternalError; retrying in 2 s"
    assert f"pods/{SECRET}: {CAUSE}" in shown["problems"][0] and hidden["problems"][0].startswith("pods: ")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("pods/shop@east: not synced yet", "pods: not synced yet"),
        ("pods@east: 403 Forbidden: no right to list pods; apply x.yaml", "pods: 403 Forbidden: no right to list pods; apply x.yaml"),
        ("nodes: 404 NotFound: the server has no https://x/y", "nodes: 404 NotFound"),
        ("nodes: 404 NotFound: no such thing\n", "nodes: 404 NotFound\n"),
        ("/host/proc: no file stat; set proc_root", "/host/proc: no file stat; set proc_root"),
        ("watch-pods: no heartbeat for 40 s", "watch-pods: no heartbeat for 40 s"),
    ],
)
def test_lines_without_names(line: str, shown: str) -> None:
    """Namespaces, clusters, servers and messages of the API server are removed; resources, causes and cures stay."""
    assert public_line(line) == shown


def test_open_probes_hide_names(sources: StatusSources) -> None:
    """Open probes name no object and no server if other requests need a password."""
    web_file = SharedDocument("web-file", 4096)
    access = AccessControl(WebSecurity(web_file, None), Telemetry("web-0"), is_plain=True)
    app: Any = make_telemetry_app(sources.view, reading_registry(sources.view.heartbeats, {}), access)
    client = falcon.testing.TestClient(app)
    assert f"pods/{SECRET}: {CAUSE}" in client.simulate_get("/readyz").text
    web_file.write(msgspec.msgpack.encode(WebFile(users={"ann": "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"})))
    answer = client.simulate_get("/readyz")
    assert answer.status_code == 503 and answer.text.startswith("pods: ") and SECRET not in answer.text
    assert client.simulate_get("/telemetry").status_code == 401


def test_a_status_is_read_once_a_second(sources: StatusSources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask all the time cost one reading a second."""
    reader, now = StatusReader(sources, []), [time.monotonic()]
    monkeypatch.setattr("telegen.kubemetrics.status.time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))
    first = reader.read(False)
    now[0] += 0.9 * FRESH
    assert reader.read(False) is first
    now[0] += 0.2 * FRESH
    assert reader.read(False) is not first


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("*/*", "text/plain"),
        ("", "text/plain"),
        ("text/plain, text/html;q=0.1", "text/plain"),
        ("text/html;q=0", "text/plain"),
    ],
)
def test_browsers_get_the_page(sources: StatusSources, accept: str, kind: str) -> None:
    """`/` is the page for browsers, with a strict policy; scripts and probes get the list of paths."""
    app: Any = make_app(sources.view, reading_registry(sources.view.heartbeats, {}), Telemetry("web-0"), status=sources)
    answer = falcon.testing.TestClient(app).simulate_get("/", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["content-security-policy"] == SECURITY_POLICY
    assert answer.text == (PAGE if kind == "text/html" else "/metrics\n/telemetry\n/healthz\n/livez\n/readyz\n/status.json\n")
    assert falcon.testing.TestClient(app).simulate_get("/status.json").json["totals"]["objects"] == 5


def test_page_is_small_and_self_contained() -> None:
    """The page is under 30 kB, names no other origin, and writes no data as HTML."""
    assert len(PAGE.encode()) < 30_000
    assert not re.search("https?:|//[a-z]|innerHTML|insertAdjacentHTML|document.write|eval|<img|src=", PAGE)
    assert "'unsafe" not in SECURITY_POLICY and SECURITY_POLICY.startswith("default-src 'none'")


def test_scrapers_of_two_processes(tmp_path: Path) -> None:
    """A client that two processes serve is listed once, with its rate; a broken file of another process does no harm."""
    one, other = (Scraper("p", "a", "/metrics", 10, 100.0 + at, 10.0, 0.2, 5) for at in (0.0, 5.0))
    for name, scraper in (("web-0", one), ("web-1", other)):
        (tmp_path / f"scrapers-{name}").write_bytes(msgspec.msgpack.encode([scraper]))
    (tmp_path / "scrapers-web-2").write_bytes(b"\xc1")
    assert list(all_scrapers(str(tmp_path))) == [Scraper("p", "a", "/metrics", 20, 105.0, 5.0, 0.2, 5)]


def test_secrets_in_settings() -> None:
    """Users in URLs and values of secret settings are masked."""
    environ = {
        "TELEGEN_KUBE_METRICS__KUBE_STATE__APISERVER": "http://ann:secret@host:1/",
        "TELEGEN_KUBE_METRICS__OTLP__HEADERS": "{authorization: hush}",
    }
    source = ConfigSource(None, environ)
    found = {one.path: one.value for one in setting_states(source.load(), source.origins())}
    assert found["kube_metrics.kube_state.apiserver"] == f"http://{MASK}@host:1/"
    assert "hush" not in repr(found) and "authorization" in repr(found)


def test_long_settings_fit_into_shared_memory() -> None:
    """A configuration of the largest size is published, with long values cut."""
    path = "kube_metrics.kube_state.metric_allowlist"
    names = "[" + ",".join(f"kube_{number:080}" for number in range(15_000)) + "]"
    source = ConfigSource(None, {"TELEGEN_KUBE_METRICS__KUBE_STATE__METRIC_ALLOWLIST": names})
    shared = SharedDocument("state", STATE_BYTES)
    published = PublishedState(shared)
    published.adopt(source.load(), source.origins())
    published.write("reason", ())
    (value,) = [one.value for one in msgspec.msgpack.decode(shared.read()[1], type=AgentState).settings if one.path == path]
    assert value.startswith("[kube_0") and value.endswith("...") and len(value) < 3000


def test_state_is_written_when_it_changes() -> None:
    """The supervisor writes on a change only."""
    shared = SharedDocument("state", 1 << 16)
    published = PublishedState(shared)
    for _ in range(3):
        published.write("reason", ())
    assert shared.number == 1
    assert msgspec.msgpack.decode(shared.read()[1], type=AgentState).reason == "reason"
