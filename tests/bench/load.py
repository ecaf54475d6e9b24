"""Measure the load of a DaemonSet's agents on the API server: requests and bytes per agent and minute, counted by a proxy.

Run it alone with `python -m tests.bench.load [SECONDS]`. docs/scale.md is computed from its figures.
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
from telegen.election.state import RANKS
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
"""Size of the simulated cluster: 30 pods on each node."""
CHANGES = 10.0
"""Changes of pods per second: each pod changes once a minute."""
ROLES = ("holder", "standby", "reserve", "waiting")


@dataclass(frozen=True)
class Watched:
    """An agent, its node, and the proxy between it and the API server."""

    agent: Agent
    node: str
    proxy: Proxy


def roles(server: SimulatedServer) -> dict[str, str]:
    """Role by node, read from the Leases."""
    names = {f"telegen-shard-0{suffix}": role for suffix, role in zip(RANKS, ROLES)}
    leases = [stored.load() for stored in server.state.collections["leases"].objects.values()]
    held = [(lease["metadata"]["name"], lease["spec"].get("holderIdentity") or "") for lease in leases]
    return {identity.rpartition("_")[0]: names[name] for name, identity in held if name in names}


def measure_load(seconds: float) -> dict[str, float]:
    """Return requests, bytes of responses and memory by role, measured once each agent has its role."""
    server = SimulatedServer(make_state(SyntheticCluster(PODS, NODES))).start()
    server.levers.bookmark_interval = 60.0
    server.levers.rate = CHANGES
    churn = Churn(SyntheticCluster(PODS, NODES), server.state, server.levers).start()
    try:
        with contextlib.ExitStack() as stack:
            agents = [_started(stack, server.url, f"node-{number}") for number in range(len(ROLES))]
            for one in agents:
                one.agent.wait_ready(60)
            wait_for("all roles", lambda: set(roles(server).values()) == set(ROLES[:-1]), 60, 0.5)
            time.sleep(20)
            before = [(one.proxy.requests, one.proxy.answered) for one in agents]
            time.sleep(seconds)
            figures = {}
            for one, (requests, answered) in zip(agents, before):
                role = roles(server).get(one.node, ROLES[-1])
                figures[f"{role}_requests_min"] = (one.proxy.requests - requests) / seconds * 60
                figures[f"{role}_kb_min"] = (one.proxy.answered - answered) / seconds * 60 / 1000
                figures[f"{role}_pss_mb"] = one.agent.tree.pss()
            return {name: figures[name] for name in sorted(figures)}
    finally:
        churn.stop()
        server.stop()


def _started(stack: contextlib.ExitStack, url: str, node: str) -> Watched:
    proxy = stack.enter_context(proxied(url))
    return Watched(stack.enter_context(start_agent(CONFIG, node=node, url=proxy.url)), node, proxy)


if __name__ == "__main__":
    for name, value in measure_load(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0).items():
        print(f"{name:24} {value:14,.1f}")
