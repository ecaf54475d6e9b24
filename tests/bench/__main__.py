"""`make bench PODS=10000`: start the agent against the simulated API server, measure, print a table, write
build/bench.json. CONTAINERS=200 measures the sampler instead (see `containers`), CUSTOM=10000 custom resources (see `custom`),
PUSH=10000 the push (see `push`), ADAPTER=5000 an adapter (see `adapter`), and what its polls cost an
agent (see `agent_part`)."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
import zlib
from pathlib import Path

from telegen.shm.deflate import GZIP_HEADER, GZIP_TRAILER, decompressor
from tests.bench.adapter import BARS as ADAPTER_BARS
from tests.bench.adapter import main as measure_adapter
from tests.bench.agent_part import BARS as AGENT_PART_BARS
from tests.bench.agent_part import measure_agent_part
from tests.bench.containers import main as measure_containers
from tests.bench.custom import main as measure_custom
from tests.bench.front_door import BARS as FRONT_DOOR
from tests.bench.front_door import measure_front_door
from tests.bench.load import measure_load
from tests.bench.machine import measure_machine
from tests.bench.peer import measure_peer
from tests.bench.push import BARS as PUSH_BARS
from tests.bench.push import measure_push
from tests.bench.rendering import rendering_table
from tests.harness import agent, drain, get, is_ready, post, simulated
from tests.process_tree import Tree, wait_for

BARS = {
    "pss_settled_mb": ("<=", 160),
    "pss_peak_mb": ("<=", 260),
    "sync_cpu_s": ("<=", 2.5),
    "gzip_cpu_ms": ("<=", 30),
    "gzip_latency_ms": ("<=", 50),
    "identity_latency_ms": ("<=", 160),
    "updates_per_core_s": (">=", 3000),
    "visible_p99_ms": ("<=", 500),
    "rest_pss_mb": ("<=", 90),
    "rest_cpu_percent": ("<=", 1),
    "waiting_pss_mb": ("<=", 65),
    **FRONT_DOOR,
    **PUSH_BARS,
    **ADAPTER_BARS,
    **AGENT_PART_BARS,
}
"""Limits for 10,000 pods; of `rest_*` for 100 pods, of `waiting_*` for an agent of a DaemonSet that holds no Lease (see `load`)."""

INFLATE = 64 * 1024
AFTER_RESTARTS = b"# HELP kube_pod_container_status_running "
"""Family that follows the one with the probe."""

Figures = dict[str, float]


def measure_sync(url: str, tree: Tree) -> Figures:
    """Measure the time from the start of the processes to the first complete page."""
    tree.watch_peak()
    # Each probe costs the agent a millisecond, so more frequent ones would distort the result.
    wall = wait_for("readiness", lambda: is_ready(url), 180, 0.1)
    cpu = tree.cpu()
    time.sleep(1)
    tree.stop_watching()
    return {"sync_wall_s": wall, "sync_cpu_s": cpu, "pss_peak_mb": tree.peak}


def measure_scrapes(url: str, tree: Tree, prefix: str, gzip: bool, times: int) -> Figures:
    """Measure latency and CPU of a scrape, without the client."""
    get(f"{url}/metrics", gzip)
    before, latencies = tree.cpu(), []
    for _ in range(times):
        latencies.append(drain(f"{url}/metrics", gzip))
    cpu = tree.cpu() - before
    return {f"{prefix}_latency_ms": 1000 * statistics.median(latencies), f"{prefix}_cpu_ms": 1000 * cpu / times}


def measure_page(url: str) -> Figures:
    """Measure the size of the page."""
    packed = get(f"{url}/metrics", gzip=True).body
    text = zlib.decompress(packed, 31)
    return {"lines": text.count(b"\n"), "bytes": len(text), "gzip_bytes": len(packed)}


def events_handled(url: str) -> float:
    """Return the number of watch events of pods from /telemetry."""
    return _counted(url, r'events_total{store="pods"}')


def _counted(url: str, pattern: str) -> float:
    """Return the sum of one of the agent's own metrics of the API."""
    found = re.search(rf"telegen_api_{pattern} (\S+)", get(f"{url}/telemetry").body.decode())
    return float(found[1]) if found else 0.0


def measure_updates(url: str, api: str, tree: Tree, rate: int, seconds: float) -> Figures:
    """Measure pod updates per CPU second of the process that handles them."""
    post(f"{api}/demo/rate?per_second={rate}")
    time.sleep(2)
    events, cpu = events_handled(url), tree.cpu("telegen-watch-p")
    time.sleep(seconds)
    events, cpu = events_handled(url) - events, tree.cpu("telegen-watch-p") - cpu
    post(f"{api}/demo/rate?per_second=0")
    settle(url)
    # Relists of an agent that has fallen behind are not updates.
    lists = _counted(url, r'lists_total{by="watch",store="pods"}') - 1
    return {"updates_per_core_s": events / cpu, "updates_sent_s": events / seconds, "updates_lists": lists}


def settle(url: str) -> None:
    """Wait until the agent has received all events."""
    before = -1.0
    while before != (before := events_handled(url)):
        time.sleep(2)


def measure_visible(url: str, api: str, probes: int) -> Figures:
    """Measure the time from an event to a scrape that shows it, at 200 updates per second."""
    post(f"{api}/demo/rate?per_second=200")
    time.sleep(1)
    delays = []
    for number in range(probes):
        started = time.monotonic()
        post(f"{api}/demo/mark?value={number + 100000}")
        needle = f" {number + 100000}\n".encode()
        while True:
            scraped = time.monotonic()
            if _shows(get(f"{url}/metrics?resources=pods", gzip=True).body, needle):
                break
            if scraped - started > 30:
                raise TimeoutError("an update never became visible")
        # The start of the scrape counts: the value was on the page by then, or at the latest at its assembly.
        delays.append(max(0.0, scraped - started))
    post(f"{api}/demo/rate?per_second=0")
    return {"visible_p99_ms": 1000 * sorted(delays)[max(0, round(len(delays) * 0.99) - 1)]}


def _shows(page: bytes, needle: bytes) -> bool:
    """Return True if the restarts of containers on a gzip page have the value; decompress only up to that family."""
    stream, past, end = decompressor(), b"", len(page) - GZIP_TRAILER
    for start in range(len(GZIP_HEADER), end, INFLATE):
        piece = past + stream.decompress(page[start : min(end, start + INFLATE)])
        if needle in piece:
            return True
        if AFTER_RESTARTS in piece:
            return False
        past = piece[-200:]
    return False


def measure_rest(seconds: float) -> Figures:
    """Measure a small node: 100 pods, no changes, one scrape in 15 s."""
    with simulated(100) as api, agent(api) as (url, tree):
        wait_for("readiness", lambda: is_ready(url), 60)
        time.sleep(5)
        cpu, started = tree.cpu(), time.monotonic()
        while time.monotonic() - started < seconds:
            get(f"{url}/metrics", gzip=True)
            time.sleep(min(15.0, seconds))
        used = (tree.cpu() - cpu) / (time.monotonic() - started)
        return {"rest_pss_mb": tree.pss(), "rest_cpu_percent": 100 * used}


def run(options: argparse.Namespace) -> Figures:
    """Run all measurements."""
    figures = measure_machine()
    with simulated(options.pods) as api, agent(api) as (url, tree):
        figures |= measure_sync(url, tree)
        figures |= measure_page(url)
        figures |= measure_scrapes(url, tree, "gzip", True, 20)
        figures |= measure_scrapes(url, tree, "identity", False, 5)
        time.sleep(5)
        figures |= {"pss_settled_mb": tree.pss()}
        figures |= measure_updates(url, api, tree, options.rate, 10)
        figures |= measure_visible(url, api, options.probes)
    figures |= measure_rest(options.rest)
    figures |= measure_load(options.load)
    figures |= measure_front_door(options.pods)
    return figures | (measure_peer(options.pods) if options.peer else {})


def table(figures: Figures) -> str:
    """Format the table."""
    lines = []
    for name, value in figures.items():
        sign, bar = BARS.get(name, ("", 0))
        kept = (value <= bar) if sign == "<=" else (value >= bar)
        verdict = f"{sign} {bar:<6g} {'kept' if kept else 'MISSED'}" if sign else ""
        lines.append(f"{name:24} {value:14,.2f}  {verdict}")
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--pods", type=int, default=10000)
    parser.add_argument("--rate", type=int, default=3000, help="updates per second that are sent to measure their cost")
    parser.add_argument("--probes", type=int, default=40, help="updates whose way to the page is timed")
    parser.add_argument("--rest", type=float, default=30, help="seconds that the agent is watched at rest")
    parser.add_argument("--load", type=float, default=120, help="seconds for which requests to the API server are counted")
    parser.add_argument("--peer", action="store_true", help="measure kube-state-metrics beside it, as `make cluster-tools` builds it")
    parser.add_argument("--custom", type=int, help="measure so many custom resources instead")
    parser.add_argument("--containers", type=int, help="measure the sampler on so many containers instead")
    parser.add_argument("--push", type=int, help="measure the push on so many pods instead")
    parser.add_argument("--adapter", type=int, help="measure an adapter that polls so many agents instead")
    options = parser.parse_args()
    if options.push or options.adapter:
        print(table(measure_push(options.push) if options.push else measure_adapter(options.adapter) | measure_agent_part()))
        return 0
    if options.containers:
        return measure_containers(options.containers)
    if options.custom:
        return measure_custom(options.custom)
    figures = run(options)
    print(table(figures))
    for line in rendering_table():
        print(line)
    Path("build").mkdir(exist_ok=True)
    Path("build/bench.json").write_text(
        json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
