"""`make bench ADAPTER=5000`: cost of adapter.agent_address for an agent with 30 pods that two adapters poll.

Two agents run side by side on one node, one of them with the part; both are scraped.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from pathlib import Path

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.bench.node import files
from tests.e2e.polled_agent import CONFIG, Site, make_certificates
from tests.harness import free_port, get, start_agent

PODS, NODES, NODE = 30, 3, "node-0"
INTERVAL = 10.0
"""Seconds between two passes."""
ADAPTERS, POLL, SECONDS = 2, 15.0, 120.0
"""Adapters, seconds between two of their polls, and seconds of the measurement."""
BARS = {"part_pss_mb": ("<=", 2), "part_cpu_percent": ("<=", 0.1)}

Figures = dict[str, float]


def measure_agent_part() -> Figures:
    """Measure the difference between the agents."""
    server = SimulatedServer(make_state(SyntheticCluster(NODES * PODS, NODES))).start()
    text = CONFIG.replace("node-1", NODE).replace("collect_interval: 1s", f"collect_interval: {INTERVAL:.0f}s")
    without = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("adapter:"))
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
            root, port = Path(name), free_port()
            make_certificates(root)
            stored = map(lambda one: one.load(), server.state.collections["pods"].objects.values())
            pods = [pod for pod in stored if pod["spec"]["nodeName"] == NODE]
            (root / "cgroup").mkdir()
            (root / "cgroup" / "cgroup.controllers").write_text("cpu memory io\n")
            write(root, pods, 1)
            values = {"url": server.url, "root": root, "second": port, "containers": "true"}
            with start_agent(text, **values) as on, start_agent(without, **values) as off:
                site, agents = Site(root, on, port, pods[0]), (on, off)
                assert len(site.usage()["pods"]) == PODS
                polls = [connection(site) for _ in range(ADAPTERS)]
                for number in (2, 3):
                    # The first round is not measured: both agents answer their first requests in it.
                    before = [agent.tree.cpu() for agent in agents]
                    begun = time.monotonic()
                    while time.monotonic() - begun < (POLL if number == 2 else SECONDS):
                        write(root, pods, int(time.monotonic()))
                        for agent in agents:
                            get(f"{agent.url}/metrics", gzip=True)
                        for poll in polls:
                            poll.request("GET", "/adapter/v1/usage")
                            assert len(poll.getresponse().read()) > 1000
                        time.sleep(POLL)
                cpu = [agent.tree.cpu() - spent for agent, spent in zip(agents, before)]
                pss = [agent.tree.pss() for agent in agents]
                for poll in polls:
                    poll.close()
                return {
                    "agent_pss_mb": pss[1],
                    "part_pss_mb": pss[0] - pss[1],
                    "agent_cpu_percent": 100 * cpu[1] / SECONDS,
                    "part_cpu_percent": 100 * (cpu[0] - cpu[1]) / SECONDS,
                }
    finally:
        server.stop()


def write(root: Path, pods: list[dict[str, object]], usage: int) -> None:
    """Write the control files of all pods."""
    for number, pod in enumerate(pods):
        of_pod = Site(root, None, 0, pod).folders  # type: ignore[arg-type]
        for place, folder in enumerate((of_pod[0].parent, *of_pod)):
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files(2, 3 * number + place, usage).items():
                (folder / name).write_text(content)


def connection(site: Site) -> http.client.HTTPSConnection:
    """Open a connection of an adapter, which it keeps."""
    context = site.context("client")
    context.check_hostname = False
    return http.client.HTTPSConnection("127.0.0.1", site.port, context=context, timeout=10)
