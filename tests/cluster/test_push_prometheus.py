"""Pushes to a real Prometheus with its OTLP receiver, compared with its scrapes of the same agent."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.binaries import PROMETHEUS, need
from tests.e2e.conftest import small_cluster
from tests.harness import free_port, get, start_agent
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{apiserver: "{url}"}}
  cadvisor: {{enabled: {containers}}}
  streaming: {{enabled: true, interval: 2s}}
  otlp: {{endpoint: "{receiver}/api/v1/otlp"}}
  signal_metadata: {{enabled: false}}
"""


@contextlib.contextmanager
def prometheus(folder: Path, target: int) -> Iterator[str]:
    """Run Prometheus: it receives pushes, and scrapes an agent under the job `scraped`; yield its URL."""
    (program,) = need([PROMETHEUS], os.environ)
    scrapes = [{"job_name": "scraped", "scrape_interval": "2s", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({"scrape_configs": scrapes}))
    port = free_port()
    command = [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data", "--web.enable-otlp-receiver"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for("Prometheus", lambda: _is_ready(url), 60, 0.2)
        yield url
    finally:
        process.terminate()
        process.wait(120)


def _is_ready(url: str) -> bool:
    try:
        return get(f"{url}/-/ready").status == 200
    except OSError:
        return False


def query(url: str, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the value by labels, without job and instance."""
    answer: Any = json.loads(get(f"{url}/api/v1/query?query={urllib.parse.quote(expression)}").body)
    return {
        tuple(sorted((key, text) for key, text in one["metric"].items() if key not in ("job", "instance"))): float(one["value"][1])
        for one in answer["data"]["result"]
    }


def test_pushed_series_equal_scraped_ones(tmp_path: Path) -> None:
    """After a push Prometheus has the series and values that it has after a scrape; a deleted pod is stale at once in both."""
    server, port = small_cluster(), free_port()
    try:
        with prometheus(tmp_path, port) as url:
            with start_agent(CONFIG, port=port, url=server.url, receiver=url, containers="false") as agent:
                agent.wait_ready()
                selector = '{job="%s",__name__=~"kube_.+"}'

                def equal() -> bool:
                    pushed = query(url, selector % "telegen")
                    return bool(pushed) and pushed == query(url, selector % "scraped")

                wait_for("equal series", equal, 60, 1)
                namespace, gone = next(iter(server.state.collections["pods"].objects))
                server.state.delete("pods", namespace, gone)
                # Without the last point of a series Prometheus would show it for five minutes.
                wait_for("the end of the pod", lambda: not query(url, '{job="telegen",pod="%s"}' % gone), 30, 0.2)
                assert query(url, 'count({job="telegen",__name__=~"kube_pod_.+"})') != {}
                assert query(url, 'target_info{instance="telegen-shard-0"}') != {}
    finally:
        server.stop()


def test_names_of_containers_are_kept(tmp_path: Path) -> None:
    """Prometheus' default translation changes no name of a family of containers, those without _total included."""
    server, port = small_cluster(), free_port()
    try:
        with prometheus(tmp_path, port) as url:
            with start_agent(CONFIG, port=port, url=server.url, receiver=url, containers="true") as agent:
                agent.wait_ready()
                names = 'group by (__name__) ({job="%s",__name__=~"(container|machine|cadvisor)_.+"})'

                def equal() -> bool:
                    pushed = set(query(url, names % "telegen"))
                    return bool(pushed) and pushed == set(query(url, names % "scraped"))

                wait_for("equal names", equal, 60, 1)
    finally:
        server.stop()
