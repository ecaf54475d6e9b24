"""The status page in a real browser, light and dark."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import small_cluster
from tests.harness import Agent, get, start_agent

pytestmark = pytest.mark.browser
SCREENSHOTS = Path(__file__).parents[2] / "build"
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{apiserver: {url}, resources: [pods, nodes, deployments, jobs]}}
  cadvisor: {{enabled: false}}
"""


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """An agent that has been scraped."""
    server = small_cluster()
    try:
        with start_agent(CONFIG, url=server.url) as running:
            running.wait_ready()
            running.page()
            yield running
    finally:
        server.stop()


def browse(url: str, folder: Path, *options: str) -> tuple[str, str]:
    """Open a page for four seconds; return its document as the scripts leave it, and the browser's messages."""
    program = shutil.which("chromium") or "chromium"
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={folder}/profile"]
    ended = subprocess.run(
        [program, *common, "--virtual-time-budget=4000", "--window-size=1280,1400", *options, url],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    return ended.stdout, "\n".join(line for line in ended.stderr.splitlines() if "CONSOLE" in line)


def test_content(agent: Agent, tmp_path: Path) -> None:
    """The browser shows resources, processes, the scraper, settings and links, and reports no violation of the policy."""
    document, messages = browse(f"{agent.url}/", tmp_path, "--dump-dom")
    assert messages == ""
    words = (">ready<", ">pods<", ">watch-pods<", ">/telemetry<", "kube_pod_", "1 more resources", "listen_address", ">/metrics<")
    for text in words:
        assert text in document, text
    assert "127.0.0.1</td>" not in document


@pytest.mark.parametrize(("mode", "number"), [("dark", 0), ("light", 1)])
def test_screenshots(agent: Agent, tmp_path: Path, mode: str, number: int) -> None:
    """Screenshots of both colour schemes are written to build/."""
    SCREENSHOTS.mkdir(exist_ok=True)
    target = SCREENSHOTS / f"status-{mode}.png"
    target.unlink(missing_ok=True)
    browse(f"{agent.url}/", tmp_path, f"--screenshot={target}", f"--blink-settings=preferredColorScheme={number}")
    assert target.stat().st_size > 20_000


def test_text_from_outside_is_no_html(agent: Agent, tmp_path: Path) -> None:
    """Names with markup, which clients and tenants choose, are shown as text."""
    status = json.loads(get(f"{agent.url}/status.json").body)
    evil = "<img src=x onerror=\"document.title='broken'\">"
    status["problems"], status["scrapers"][0]["agent"] = [evil], evil
    page = get_page(agent)

    class Handler(http.server.BaseHTTPRequestHandler):
        """Serves the page with that status."""

        def do_GET(self) -> None:
            """Send the page or the status."""
            body = json.dumps(status).encode() if self.path.endswith("status.json") else page
            self.send_response(200)
            self.send_header("Content-Type", "application/json" if self.path.endswith("status.json") else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        document, _ = browse(f"http://127.0.0.1:{server.server_address[1]}/", tmp_path, "--dump-dom")
        server.shutdown()
        thread.join()
    assert document.count("&lt;img src=x") == 2 and "<img" not in document
    assert "<title>Telegen</title>" in document


def get_page(agent: Agent) -> bytes:
    """The page without its headers: the policy alone would hide a mistake of the script."""
    request = urllib.request.Request(f"{agent.url}/", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())
