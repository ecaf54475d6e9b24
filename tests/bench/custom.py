"""`make bench CUSTOM=10000`: custom resources of one kind beside kube-state-metrics, and 200 kinds at rest."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil

from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.reading import read_entries
from telegen.kubestate.custom.tables import make_resource
from telegen.metrics.render import renderer
from tests.bench.custom_cluster import GROUP, configuration, thing
from tests.bench.peer import measure_running
from tests.cluster.peer import peer
from tests.harness import Agent, drain, get, served, start_agent

Figures = dict[str, float]

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state:
    apiserver: {url}
    custom_resource_state: {{config_file: {file}, only: true}}
  cadvisor: {{enabled: false}}
log: {{level: warning}}
"""
BARS = {
    "us_per_sample": ("<=", 1.5),
    "sync_cpu_of_peer": ("<=", 1 / 3),
    "memory_of_peer": ("<=", 1 / 4),
    "gzip_cpu_of_peer": ("<=", 1 / 50),
    "kinds_pss_mb": ("<=", 40),
    "kinds_cpu_percent": ("<=", 0.5),
}
"""`kinds_*` are those of 200 kinds with 50 objects and 6 families each, over an agent with one kind of one object."""
KINDS, EACH, FAMILIES = 200, 50, 6
REST = 60.0
"""Seconds of the measurement at rest."""


@contextlib.contextmanager
def cluster(kinds: int, objects: int) -> Iterator[str]:
    """Run a simulated API server in a process of its own; yield its URL."""
    with served([sys.executable, "-m", "tests.bench.custom_cluster", str(kinds), str(objects)]) as url:
        yield url


@contextlib.contextmanager
def agent(url: str, kinds: int, families: int = 30) -> Iterator[Agent]:
    """Run an agent with a configuration for some kinds, and wait until it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "custom.yaml"
        file.write_text(json.dumps(configuration(kinds, families)))
        with start_agent(CONFIG, url=url, file=file) as running:
            running.wait_ready(120)
            yield running


def measure_rendering(times: int = 2000) -> Figures:
    """Measure the time per sample of decoded objects, without compression."""
    (entry,) = read_entries(json.dumps(configuration(1)).encode(), "bench").entries
    resource = make_resource(entry, Kind(GROUP, "v1", "things0", "Thing0", True))
    render = renderer(resource.identity, resource.families, lambda family, error: None)
    objects = [orjson.loads(orjson.dumps(thing(0, number))) for number in range(times)]
    best = float("inf")
    for _ in range(5):
        started, samples = time.process_time(), 0
        for obj in objects:
            samples += sum(text.count("\n") for text in render(obj))
        best = min(best, (time.process_time() - started) / samples)
    return {"bytes_per_object": len(orjson.dumps(objects[0])), "samples_per_object": samples / times, "us_per_sample": 1e6 * best}


def measure_one_kind(objects: int) -> Figures:
    """Measure the agent, then kube-state-metrics, on the same objects."""
    with cluster(1, objects) as url:
        with agent(url, 1) as running:
            cpu, memory = running.tree.cpu(), running.tree.pss()
            gzip = _gzip_cpu(running)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "custom.yaml"
            file.write_text(json.dumps(configuration(1)))
            flags = ["--custom-resource-state-only", f"--custom-resource-state-config-file={file}", "--enable-gzip-encoding"]
            with peer(Path(folder) / "log", f"--kubeconfig={_kubeconfig(folder, url)}", *flags) as other:
                theirs = measure_running(other)
    return {
        "sync_cpu_s": cpu,
        "pss_mb": memory,
        "gzip_cpu_ms": gzip,
        **theirs,
        "sync_cpu_of_peer": cpu / theirs["peer_sync_cpu_s"],
        "memory_of_peer": memory / theirs["peer_settled_mb"],
        "gzip_cpu_of_peer": gzip / theirs["peer_gzip_cpu_ms"],
    }


def _kubeconfig(folder: str, url: str) -> Path:
    """Write a kubeconfig: kube-state-metrics finds custom resources only by one."""
    path = Path(folder) / "kubeconfig"
    names = {"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}
    users = {"users": [{"name": "x", "user": {}}], "clusters": [{"name": "x", "cluster": {"server": url}}]}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **names, **users}))
    return path


def _gzip_cpu(running: Agent, times: int = 20) -> float:
    """Measure the CPU milliseconds of a gzip scrape."""
    get(f"{running.url}/metrics", gzip=True)
    before = running.tree.cpu()
    for _ in range(times):
        drain(f"{running.url}/metrics", True)
    return 1000 * (running.tree.cpu() - before) / times


def measure_kinds() -> Figures:
    """Measure many kinds at rest, over an agent with one."""
    pss, cpu = [], []
    for kinds, objects in ((1, 1), (KINDS, EACH)):
        with cluster(kinds, objects) as url, agent(url, kinds, FAMILIES) as running:
            # Discovery slows down and memory is trimmed within the first minute.
            time.sleep(REST)
            before = running.tree.cpu()
            time.sleep(REST)
            cpu.append(100 * (running.tree.cpu() - before) / REST)
            pss.append(running.tree.pss())
    over = {"kinds_pss_mb": pss[1] - pss[0], "kinds_cpu_percent": cpu[1] - cpu[0]}
    return {**over, "baseline_pss_mb": pss[0], "baseline_cpu_percent": cpu[0]}


def main(objects: int) -> int:
    """Measure, and print the table."""
    figures = {"cores": float(psutil.cpu_count() or 0), **measure_rendering(), **measure_one_kind(objects), **measure_kinds()}
    for name, value in figures.items():
        sign, bar = BARS.get(name, ("", 0.0))
        verdict = f"{sign} {bar:<8.3g} {'kept' if value <= bar else 'MISSED'}" if sign else ""
        print(f"{name:24} {value:14,.3f}  {verdict}")
    return 0
