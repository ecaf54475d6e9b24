"""`make bench CUSTOM=10000`: custom resources of one kind beside kube-state-metrics on a real API server, large ones, and 200 kinds at
rest. See `make cluster-tools`.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import psutil

from telegen.kubestate.custom.cel.compiler import compile_expression
from telegen.kubestate.custom.expressions.aggregates import Aggregates
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.expressions.tables import make_aggregates
from telegen.kubestate.custom.expressions.tables import make_resource as make_metrics
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.reading import read_entries
from telegen.kubestate.custom.tables import make_resource
from telegen.kubestate.resource import Resource
from telegen.metrics.family import Object
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.writer import ArenaWriter
from tests.bench.custom_cluster import GROUP, configuration, thing, with_expressions
from tests.bench.peer import measure_running
from tests.cluster.account import with_account
from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.custom_resources import definition, install
from tests.cluster.peer import peer
from tests.harness import Agent, clean_environ, drain, free_port, get, post
from tests.harness import running as start
from tests.harness import served, start_agent
from workers._custom.aggregates import AggregateStore, ContributingStore

Figures = dict[str, float]

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    apiserver: "{url}"
    custom_resource_state: {{config_file: {file}, only: true}}
  cadvisor: {{enabled: false}}
log: {{level: warning}}
"""
BARS = {
    "us_per_sample": ("<=", 1.5),
    "expressions_to_paths": ("<=", 1.2),
    "us_per_expression": ("<=", 5),
    "us_per_aggregated_object": ("<=", 40),
    "us_per_aggregate_update": ("<=", 60),
    "update_of_10000_to_1000": ("<=", 1.5),
    "sync_cpu_of_peer": ("<=", 1 / 3),
    "memory_of_peer": ("<=", 1 / 4),
    "gzip_cpu_of_peer": ("<=", 1 / 50),
    "large_streamed_mb": ("<=", 4),
    "large_paged_mb": ("<=", 24),
    "kinds_6_pss_mb": ("<=", 40),
    "kinds_6_cpu_percent": ("<=", 0.5),
    "kinds_30_pss_mb": ("<=", 40),
    "kinds_30_cpu_percent": ("<=", 0.5),
}
"""`kinds_*` are those of 200 kinds with 50 objects and so many families each, over an agent with one kind of one object."""
SIMPLE = "has(status.phase) && status.phase == 'Running' ? spec.numbers.n3 * 2 + size(status.ports) : 0"
"""An expression of the kind that is called simple: a condition and a sum."""
AGGREGATES, GROUPS = ("sum", "count", "min", "max"), 100
"""Aggregates of a kind, and groups of each: the rows are for one object of 10,000, in all four of them."""
KINDS, EACH, FAMILIES = 200, 50, (6, 30)
LARGE = 97
"""Further kilobytes of an object that has 100 kB."""
PROBE = 0.25
"""Seconds between two requests of /readyz: answering them is work of the agent."""
REST = 60.0
"""Seconds of the measurement at rest."""


@contextlib.contextmanager
def cluster(kinds: int, objects: int, kilobytes: int = 0) -> Iterator[str]:
    """Run a simulated API server in a process of its own; yield its URL."""
    command = [sys.executable, "-m", "tests.bench.custom_cluster", *map(str, (kinds, objects, kilobytes))]
    with served(command) as url:
        yield url


@contextlib.contextmanager
def agent(url: str, kinds: int, families: int = 30) -> Iterator[Agent]:
    """Run an agent with a configuration for some kinds, and wait until it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "custom.yaml"
        file.write_text(json.dumps(configuration(kinds, families)))
        with start_agent(CONFIG, url=url, file=file) as running:
            running.wait_ready(120, PROBE)
            yield running


def measure_rendering(times: int = 2000) -> Figures:
    """Measure the time per sample of decoded objects, without compression."""
    kind = Kind(GROUP, "v1", "things0", "Thing0", True)
    (paths,) = read_entries(json.dumps(configuration(1)).encode(), "bench").entries
    (expressions,) = read_metrics(json.dumps(with_expressions()).encode(), "bench").entries
    objects = [orjson.loads(orjson.dumps(thing(0, number))) for number in range(times)]
    samples, cost = _rendering(make_resource(paths, kind), objects)
    same, cost_of_expressions = _rendering(make_metrics(expressions, kind), objects)
    assert samples == same
    conditional = compile_expression(SIMPLE)
    started = time.process_time()
    for obj in objects:
        conditional.value(obj)
    return {
        "bytes_per_object": len(orjson.dumps(objects[0])),
        "samples_per_object": samples / times,
        "us_per_sample": 1e6 * cost,
        "expressions_to_paths": cost_of_expressions / cost,
        "us_per_expression": 1e6 * (time.process_time() - started) / times,
    }


def _rendering(resource: Resource, objects: list[Object]) -> tuple[int, float]:
    """Return the number of samples of some objects, and the lowest time per sample of five rounds."""
    render = renderer(resource.identity, resource.families, lambda family, error: None)
    best, samples = float("inf"), 0
    for _ in range(5):
        started = time.process_time()
        samples = sum(text.count("\n") for obj in objects for text in render(obj))
        best = min(best, (time.process_time() - started) / samples)
    return samples, best


def measure_aggregates() -> Figures:
    """Measure the time per object of a complete state, and of a change, with what is published; without decoding."""
    initial, update = _aggregating(10_000)
    _, of_few = _aggregating(1000)
    return {"us_per_aggregated_object": initial, "us_per_aggregate_update": update, "update_of_10000_to_1000": update / of_few}


def _aggregating(objects: int, changes: int = 5000, together: int = 100) -> tuple[float, float]:
    """Return the microseconds per object of a complete state, and per change of an object when so many are published together."""
    by = {"by": {"app": "metadata.labels.app"}}
    metrics = [{"name": one, "aggregate": one, **({} if one == "count" else {"value": "spec.numbers.n1"}), **by} for one in AGGREGATES]
    text = json.dumps({"metrics": [{"resource": {"group": GROUP, "kind": "Thing0"}, "metrics": metrics}]})
    table = make_aggregates(read_metrics(text.encode(), "bench").entries, Kind(GROUP, "v1", "things0", "Thing0", True))
    assert table
    arena, families = Arena.create("bench", 64 << 20), table.resource.families
    writer = ArenaWriter(arena, ())
    made = Aggregates(table.aggregates, lambda family, error: None)
    store = AggregateStore(made, "groups", families, renderer((), families, lambda family, error: None), writer)
    source = ContributingStore(MetricsStore("objects", (), lambda obj: [], writer), store)
    things = [_grouped(number) for number in range(objects)]
    started = time.process_time()
    source.replace(("ADDED", obj) for obj in things)
    store.publish()
    initial = time.process_time() - started
    started = time.process_time()
    for number in range(changes):
        obj = things[number % objects]
        obj["spec"]["numbers"]["n1"] += 1 + number % 7
        source.upsert(obj)
        if number % together == 0:
            store.flush()
    update = time.process_time() - started
    assert len(made) == len(AGGREGATES) * GROUPS
    arena.close()
    return 1e6 * initial / objects, 1e6 * update / changes


def _grouped(number: int) -> Object:
    labels, spec = {"app": f"app-{number % GROUPS}"}, {"numbers": {"n1": number}}
    return {"metadata": {"uid": str(number), "name": f"thing-{number}", "labels": labels}, "spec": spec}


def measure_one_kind(objects: int) -> Figures:
    """Measure the agent, then kube-state-metrics, on the same objects of a real API server.

    Raises:
        Unavailable: one of the programs is not built.
    """
    with tempfile.TemporaryDirectory() as name, ControlPlane.running(Programs.found(), Path(name)) as plane:
        folder = Path(name)
        _create(plane, objects)
        kubeconfig, file = plane.kubeconfig(folder / "kubeconfig", ADMIN), folder / "custom.yaml"
        file.write_text(json.dumps(configuration(1)))
        with _in_cluster(plane, folder, file) as running:
            cpu, memory = running.tree.cpu(), running.tree.pss()
            gzip = _gzip_cpu(running)
        flags = ["--custom-resource-state-only", f"--custom-resource-state-config-file={file}", "--enable-gzip-encoding"]
        with peer(folder / "log", f"--kubeconfig={kubeconfig}", *flags) as other:
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


@contextlib.contextmanager
def _in_cluster(plane: ControlPlane, folder: Path, file: Path) -> Iterator[Agent]:
    """Run an agent with the account of a pod, and wait until it is ready."""
    config, port = folder / "telegen.yaml", free_port()
    config.write_text(CONFIG.format(port=port, url="", file=file))
    command, environ = with_account([sys.executable, "-m", "telegen.supervisor", "--config", str(config)], plane, folder / "account", ADMIN)
    with start(command, {**clean_environ(), **environ}, port, config) as running:
        running.wait_ready(120, PROBE)
        yield running


def _create(plane: ControlPlane, objects: int) -> None:
    """Create the definition and the objects of a kind."""
    install(plane, [definition(GROUP, "Thing0")])
    bodies = [thing(0, number) for number in range(objects)]
    for namespace in {body["metadata"]["namespace"] for body in bodies}:
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    root = f"/apis/{GROUP}/v1/namespaces"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda body: plane.request("POST", f"{root}/{body['metadata']['namespace']}/thing0s", body), bodies))


def _gzip_cpu(running: Agent, times: int = 20) -> float:
    """Measure the CPU milliseconds of a gzip scrape."""
    get(f"{running.url}/metrics", gzip=True)
    before = running.tree.cpu()
    for _ in range(times):
        drain(f"{running.url}/metrics", True)
    return 1000 * (running.tree.cpu() - before) / times


def measure_large(objects: int) -> Figures:
    """Measure the memory that taking a state of large objects needs for the moment, by a streamed list and by pages."""
    figures = {}
    with cluster(1, objects, LARGE) as url:
        for way in ("streamed", "paged"):
            post(f"{url}/demo/streaming?on={str(way == 'streamed').lower()}")
            with agent(url, 1) as running:
                (worker,) = (one for one in running.tree.processes() if one.name().startswith("telegen-watch"))
                figures[f"large_{way}_mb"] = _status(worker, "VmHWM") - _status(worker, "VmRSS")
    return figures


def _status(process: psutil.Process, field: str) -> float:
    """Return a size in /proc/PID/status in MB."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{field}:")) / 1000


def measure_kinds() -> Figures:
    """Measure many kinds at rest, over an agent with one."""
    figures = {}
    (base_pss, base_cpu), *measured = [_at_rest(*case) for case in ((1, 1, FAMILIES[0]), *((KINDS, EACH, number) for number in FAMILIES))]
    for families, (pss, cpu) in zip(FAMILIES, measured):
        figures |= {f"kinds_{families}_pss_mb": pss - base_pss, f"kinds_{families}_cpu_percent": cpu - base_cpu}
    return {**figures, "baseline_pss_mb": base_pss, "baseline_cpu_percent": base_cpu}


def _at_rest(kinds: int, objects: int, families: int) -> tuple[float, float]:
    """Measure an agent that has synced: PSS in MB, and percent of a core."""
    with cluster(kinds, objects) as url, agent(url, kinds, families) as running:
        # Discovery slows down and memory is trimmed within the first minute.
        time.sleep(REST)
        before = running.tree.cpu()
        time.sleep(REST)
        return running.tree.pss(), 100 * (running.tree.cpu() - before) / REST


def main(objects: int) -> int:
    """Measure, and print the table."""
    figures = {"cores": float(psutil.cpu_count() or 0), **measure_rendering(), **measure_aggregates(), **measure_one_kind(objects)}
    figures |= {**measure_large(objects), **measure_kinds()}
    for name, value in figures.items():
        sign, bar = BARS.get(name, ("", 0.0))
        verdict = f"{sign} {bar:<8.3g} {'kept' if value <= bar else 'MISSED'}" if sign else ""
        print(f"{name:24} {value:14,.3f}  {verdict}")
    return 0
