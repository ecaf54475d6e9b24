"""A running agent with `limits`: budgets that its processes share, over deletions, a reload and the death of a worker."""

from __future__ import annotations

import re
import signal

from telegen.demo.server import SimulatedServer
from tests.harness import FAST, Agent, start_agent
from tests.process_tree import wait_for

CONFIG = FAST.replace("  kube_state:\n", "  kube_state:\n    pod_processes: 2\n").replace("collect_interval: 1s", "enabled: false")
"""Without containers: their number changes with what runs on the machine."""
LIMITED = CONFIG.replace("  kube_state:\n", "  limits: {{series: LIMIT, families: {{kube_pod_info: 20}}}}\n  kube_state:\n")


def series(page: str, family: str = "") -> int:
    """Return the number of samples of a page, or of one family of it."""
    return len(re.findall(rf"^{family or '[a-z]'}.*", page, re.MULTILINE))


def change(agent: Agent, limit: int) -> None:
    """Change the budget of all series by a reload."""
    agent.configure(re.sub("series: [0-9]+", f"series: {limit}", agent.config.read_text()))
    agent.process.send_signal(signal.SIGHUP)


def test_budgets_of_a_running_agent(server: SimulatedServer) -> None:
    """Pods in two processes share the budget of a family, all processes that of all series. What is withheld is named, counted, and
    appears when pods go; a reload changes the limits in force; a killed worker does not exceed them."""
    with start_agent(LIMITED.replace("LIMIT", "100000"), url=server.url) as agent:
        agent.wait_ready()
        assert series(agent.page(), "kube_pod_info{") == 20
        assert "limits.families.kube_pod_info has no room: 40 series are withheld: kube_pod_info 40\n" in agent.page("/readyz")
        telemetry = agent.page("/telemetry")
        assert 'telegen_withheld_series{family="kube_pod_info"} 40.0' in telemetry
        assert 'telegen_series_budget_used_ratio{budget="limits.families.kube_pod_info"} 1.0' in telemetry
        assert 'telegen_series_withheld_total{family="kube_pod_info"} 40.0' in telemetry
        wait_for("a warning", lambda: agent.log.read_text().count("limits.families.kube_pod_info: 20 of 20 series; ") == 1, 5)

        for namespace, name in list(server.state.collections["pods"].objects)[:50]:
            server.state.delete("pods", namespace, name)
        agent.wait_page("the last ten pods", lambda page: series(page, "kube_pod_info{") == 10)
        assert "has no room" not in agent.page("/readyz")

        whole = series(agent.page())
        change(agent, whole - 300)
        agent.wait_page("fewer series", lambda page: whole - 320 < series(page) <= whole - 300, 20)
        killed = agent.named("telegen-watch-pods-1")[0]
        killed.kill()
        wait_for("another process", lambda: bool(agent.named("telegen-watch-pods-1")) and not killed.is_running(), 10)
        agent.wait_ready()
        assert whole - 320 < series(agent.page()) <= whole - 300
        change(agent, 100_000)
        agent.wait_page("all series", lambda page: series(page) > whole - 50, 20)
