"""`telegen top`: rows of containers, and the display."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest
from rich.console import Console

from telegen.cli.agent_client import AgentClient, NoAnswer
from telegen.cli.containers import QUERY, Row, read_values, rows, selected
from telegen.cli.live_top import LiveTop
from telegen.cli.main import main
from telegen.cli.top import Sampling
from tests.cli.test_status import STATUS, Agent, agent

__all__ = ["agent"]


def page(cpu: float, throttled: float = 0.0) -> str:
    """A page with two containers, the pod's sum, and a cgroup outside pods."""
    labels = 'container="app",namespace="shop",pod="web-1"'
    return f"""\
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{{{labels},cpu="0"}} {cpu / 2}
container_cpu_usage_seconds_total{{{labels},cpu="1"}} {cpu / 2}
container_cpu_usage_seconds_total{{container="db",namespace="shop",pod="db-0"}} 50
container_cpu_usage_seconds_total{{container="",namespace="shop",pod="db-0"}} 999
container_cpu_usage_seconds_total{{id="/"}} 9999
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{{{labels}}} 30000000
container_memory_working_set_bytes{{container="db",namespace="shop",pod="db-0"}} 90000000
# TYPE container_cpu_cfs_periods_total counter
container_cpu_cfs_periods_total{{{labels}}} {cpu * 10}
# TYPE container_cpu_cfs_throttled_periods_total counter
container_cpu_cfs_throttled_periods_total{{{labels}}} {throttled}
# TYPE container_oom_events_total counter
container_oom_events_total{{{labels}}} 2
# TYPE container_pressure_cpu_waiting_seconds_total counter
container_pressure_cpu_waiting_seconds_total{{{labels}}} {cpu / 5}
# TYPE kube_pod_container_resource_requests gauge
kube_pod_container_resource_requests{{{labels},node="n",resource="cpu",unit="core"}} 0.25
kube_pod_container_resource_requests{{{labels},node="n",resource="memory",unit="byte"}} 64000000
# TYPE kube_pod_container_resource_limits gauge
kube_pod_container_resource_limits{{{labels},node="n",resource="memory",unit="byte"}} 128000000
"""


def test_rows() -> None:
    """Usage is the difference of two pages; requests and limits stand beside it, and what is not measured is None."""
    db, app = rows(read_values(page(100)), read_values(page(105, 20)), 10.0)
    assert app == Row(
        "shop", "web-1", "app", cpu=0.5, cpu_request=0.25, cpu_limit=None, memory=30e6, memory_request=64e6, memory_limit=128e6,
        throttled=0.4, oom=2, cpu_pressure=0.1, memory_pressure=None, io_pressure=None,
    )  # fmt: skip
    assert (db.cpu, db.memory, db.cpu_request, db.throttled) == (0.0, 90e6, None, None)


def test_restarted_container() -> None:
    """A counter that begins anew gives no rate, and neither does the first page."""
    assert [row.cpu for row in rows(read_values(page(100)), read_values(page(3)), 10.0)] == [0.0, None]
    assert [row.cpu for row in rows({}, read_values(page(3)), 0.0)] == [None, None]


def test_order_and_filter() -> None:
    """Rows are ordered by a value, the largest first, or by name, and filtered by a part of their name in any case."""
    found = list(rows(read_values(page(100)), read_values(page(105)), 10.0))
    assert [row.container for row in selected(found, "cpu", "")] == ["app", "db"]
    assert [row.container for row in selected(found, "memory", "")] == ["db", "app"]
    assert [row.container for row in selected(found, "name", "")] == ["db", "app"]
    assert [row.container for row in selected(found, "cpu", "WEB")] == ["app"]


def test_once(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    """--once prints agent and containers as tables, or as JSON."""
    agent.pages["/metrics"] = page(100).encode()
    assert main(["top", agent.address, "--once", "--interval", "0.1", "--sort", "memory"]) == 0
    *_, heads, first, second = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["CONTAINER", "CPU", "REQUEST", "LIMIT"]
    assert first.split()[:2] == ["shop/db-0/db", "0.000"]
    assert second.split() == "shop/web-1/app 0.000 0.250 - 30.0 MB 64.0 MB 128 MB - 2 0.0% - -".split()
    assert main(["top", agent.address, "--once", "--interval", "0.1", "--json", "--limit", "1", "--filter", "app"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agent"] == STATUS and [row["pod"] for row in found["containers"]] == ["web-1"]
    assert found["containers"][0]["memory_limit"] == 128e6


class Answers(AgentClient):
    """A client that answers from memory."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {"/metrics" + QUERY: page(100), "/status.json": json.dumps(STATUS)}
        self.is_down, self.url = False, "http://x"

    def get(self, path: str, accept: str = "*/*") -> bytes:
        """Return a page."""
        if self.is_down:
            raise NoAnswer("http://x: connection refused")
        return str(self.pages[path]).encode()


def shown(display: LiveTop) -> str:
    """The display on a terminal of 140 columns."""
    console = Console(width=140, height=40, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(display.screen(40))
        return console.export_text()


def test_live_display() -> None:
    """Keys change order and filter; when the agent goes away the last answer stays, with the reason."""
    client: Any = Answers()
    display = LiveTop(client, Sampling(client, "/metrics"), 10.0, "cpu", "")
    display._sample()
    text = shown(display)
    assert "telegen 1.2.3, up 90 s  not ready" in text and "pods: not synced yet" in text and "watch-pods" in text
    assert "shop/web-1/app" in text and "shop/db-0/db" in text
    assert display._take("m")
    assert shown(display).index("shop/db-0/db") < shown(display).index("shop/web-1/app")
    assert display._take("/wex\x7fb\r") and "order: memory" in shown(display)
    assert "shop/db-0/db" not in shown(display) and "filter: web" in shown(display)
    client.is_down = True
    display._sample()
    assert "connection refused" in shown(display) and "shop/web-1/app" in shown(display)
    assert not display._take("q")


def test_names_are_no_markup() -> None:
    """A name with rich's markup is shown as it is."""
    client: Any = Answers()
    client.pages["/metrics" + QUERY] = page(100).replace("web-1", "[red]web[/red]")
    display = LiveTop(client, Sampling(client, "/metrics"), 10.0, "cpu", "")
    display._sample()
    assert "shop/[red]web[/red]/app" in shown(display)


def test_agent_that_is_not_there() -> None:
    """The display does not begin without a first answer."""
    client: Any = Answers()
    client.is_down = True
    with pytest.raises(NoAnswer, match="connection refused"):
        LiveTop(client, Sampling(client, "/metrics"), 10.0, "cpu", "").run()


def test_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library one line names the extra to install."""
    import sys

    from telegen.cli import top
    from telegen.config import ConfigError

    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "telegen.cli.live_top")
    with pytest.raises(ConfigError, match=r"pip install 'telegen\[top\]'"):
        top.live(argparse.Namespace(url="x"))
