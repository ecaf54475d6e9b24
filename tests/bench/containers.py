"""`make bench CONTAINERS=200`: cost of the sampler on a synthetic node, idle and with all containers busy."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import zlib
from pathlib import Path

from tests.bench.machine import measure_machine
from tests.bench.node import Node
from tests.harness import Agent, drain, get, start_agent
from tests.process_tree import wait_for

CONFIG = """
kubernetes: {{enable: false}}
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{enabled: false}}
  cadvisor:
    collect_interval: {interval}s
    cgroup_root: {root}/cgroup
    proc_root: {root}/proc
    sys_root: {root}/sys
    root: {root}/host
log: {{level: warning}}
"""
INTERVAL = 10
"""Seconds between two passes in production, for the share of a core."""

BARS = {"pass_cpu_ms": 30.0, "core_percent": 0.3, "gzip_cpu_ms": 1.5, "sampler_pss_mb": 28.0}
"""Limits for 200 idle containers; the limit of CPU time is proportional to the containers."""

Figures = dict[str, float]


def measure(version: int, containers: int) -> Figures:
    """Run an agent on a node with this version of cgroups."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        node = Node(Path(folder), version, containers)
        node.write()
        pause = max(1, containers // 500)
        with start_agent(CONFIG, root=folder, interval=pause) as agent:
            agent.wait_ready(60)
            wait_for("the first pass", lambda: len(agent.page()) > 1000, 30)
            time.sleep(2 * pause)
            figures = {**measure_machine(), "cgroups": float(len(list(node.cgroups())) + 1), "pass_cpu_ms": _per_pass(agent, pause, 10)}
            figures["core_percent"] = figures["pass_cpu_ms"] / 10 / INTERVAL
            figures |= _scrapes(agent)
            sampler = agent.named("telegen-sample")[0]
            figures["sampler_pss_mb"] = sampler.memory_full_info().pss / 1e6
            figures["sampler_files"] = float(sampler.num_fds())
            figures["busy_pass_cpu_ms"] = _busy(agent, node, pause)
            return figures


def _per_pass(agent: Agent, pause: int, passes: int) -> float:
    """Measure CPU milliseconds of the sampler per pass."""
    before = agent.tree.cpu("telegen-sample")
    time.sleep(pause * passes)
    return 1000 * (agent.tree.cpu("telegen-sample") - before) / passes


def _busy(agent: Agent, node: Node, pause: int) -> float:
    """Measure CPU milliseconds of a pass after changes of all files, from the difference to passes without changes."""
    idle = _per_pass(agent, pause, 5)
    costs = []
    for usage in range(2, 5):
        before = agent.tree.cpu("telegen-sample")
        node.write(usage)
        started = time.monotonic()
        time.sleep(3 * pause)
        passes = (time.monotonic() - started) / pause
        costs.append(1000 * (agent.tree.cpu("telegen-sample") - before) - idle * (passes - 1))
    return statistics.median(costs)


def _scrapes(agent: Agent, times: int = 100) -> Figures:
    """Measure CPU of the web processes for a gzip scrape, and the size of the page."""
    url = f"{agent.url}/metrics"
    text = zlib.decompress(get(url, gzip=True).body, 31)
    before = agent.tree.cpu("telegen-web")
    latencies = [drain(url, True) for _ in range(times)]
    cpu = agent.tree.cpu("telegen-web") - before
    return {
        "lines": float(text.count(b"\n")),
        "bytes": float(len(text)),
        "gzip_cpu_ms": 1000 * cpu / times,
        "gzip_latency_ms": 1000 * statistics.median(latencies),
    }


def main(containers: int) -> int:
    """Measure both versions, print the table, and write build/bench-containers.json."""
    found = {f"v{version}": measure(version, containers) for version in (2, 1)}
    for name in found["v2"]:
        bar = BARS.get(name) if containers == 200 else None
        values = [figures[name] for figures in found.values()]
        verdict = "" if bar is None else f"<= {bar:<4g} {'kept' if max(values) <= bar else 'MISSED'}"
        print(f"{name:20} {'  '.join(f'{key} {figures[name]:12,.2f}' for key, figures in found.items())}  {verdict}")
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-containers.json").write_text(json.dumps(found, indent=2) + "\n")
    return 0
