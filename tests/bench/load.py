"""Load of a DaemonSet on the API server: requests and bytes per agent and minute, counted by a proxy.

Alone: `python -m tests.bench.load [SECONDS]`. docs/scale.md reckons with it.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass

from telegen.demo.churn import Churn
from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.harness import Agent, start_agent
from tests.process_tree import wait_for
from tests.proxy import Proxy, proxied

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: node
  node_name: {node}
  election: {{namespace: telegen}}
  kube_state: {{apiserver: {url}}}
log: {{level: warning}}
"""
NODES, PODS = 20, 600
"""Pods of the simulated cluster: 30 per node."""
CHANGES = 10.0
"""Changes of pods per second: one per pod and minute."""
ROLES = ("holder", "standby", "waiting")


@dataclass(frozen=True)
class Watched:
    """An agent and its proxy to the API server."""

    agent: Agent
    proxy: Proxy

    @property
    def role(self) -> str:
        """Role of the agent by its own metrics."""
        page = self.agent.page_if_up("/telemetry")
        if 'telegen_shard_served{lease="telegen-shard-0"} 1.0' in page:
            return "holder"
        return "standby" if 'telegen_api_lists_total{by="watch",store="election"}' in page else "waiting"


def measure_load(seconds: float) -> dict[str, float]:
    """Measure requests, bytes of responses and memory by role, after all roles are settled."""
    server = SimulatedServer(make_state(SyntheticCluster(PODS, NODES))).start()
    server.levers.bookmark_interval = 60.0
    server.levers.rate = CHANGES
    churn = Churn(SyntheticCluster(PODS, NODES), server.state, server.levers).start()
    try:
        with contextlib.ExitStack() as stack:
            agents = [_started(stack, server.url, f"node-{number}") for number in range(len(ROLES))]
            for one in agents:
                one.agent.wait_ready(60)
            wait_for("all roles", lambda: {one.role for one in agents} == set(ROLES), 60, 0.5)
            time.sleep(20)
            before = [(one.proxy.requests, one.proxy.answered) for one in agents]
            time.sleep(seconds)
            figures = {}
            for one, (requests, answered) in zip(agents, before):
                figures[f"{one.role}_requests_min"] = (one.proxy.requests - requests) / seconds * 60
                figures[f"{one.role}_kb_min"] = (one.proxy.answered - answered) / seconds * 60 / 1000
                figures[f"{one.role}_pss_mb"] = one.agent.tree.pss()
            return {name: figures[name] for name in sorted(figures)}
    finally:
        churn.stop()
        server.stop()


def _started(stack: contextlib.ExitStack, url: str, node: str) -> Watched:
    proxy = stack.enter_context(proxied(url))
    return Watched(stack.enter_context(start_agent(CONFIG, node=node, url=proxy.url)), proxy)


if __name__ == "__main__":
    for name, value in measure_load(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0).items():
        print(f"{name:24} {value:14,.1f}")
