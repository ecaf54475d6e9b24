"""`make bench ADAPTER=5000`: measure an adapter that polls so many simulated agents of 30 pods, and answers 1,000 HPAs.

The agents are one process, the API server another thread of this one, so that only the adapter's own work is measured.
"""

from __future__ import annotations

import http.client
import json
import random
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.adapter.api_server import serving
from tests.adapter.pki import Pki
from tests.bench.adapter_cluster import BenchHandler, BenchServer
from tests.bench.machine import measure_machine
from tests.bench.simulated_agents import BIG, BIG_PODS, SMALL_PODS
from tests.harness import Agent, clean_environ, free_port, running
from tests.process_tree import Tree, wait_for

CONFIG = """
kube_metrics: {{kube_state: {{apiserver: "{api}"}}}}
adapter:
  listen_address: "127.0.0.1:{port}"
  groups: [metrics.k8s.io, custom.metrics.k8s.io]
  drain: 0s
log: {{level: warning}}
"""
BARS = {
    "adapter_poll_cpu_percent": ("<=", 5),
    "adapter_pss_mb": ("<=", 250),
    "adapter_namespace_p99_ms": ("<=", 10),
    "adapter_list_cpu_ms": ("<=", 50),
    "adapter_age_p99_s": ("<=", 30),
    "adapter_hpa_errors": ("<=", 0),
    "adapter_reviews_s": ("<=", 1),
}
"""Limits for 5,000 agents. adapter_list_cpu_ms is of a list of 10,000 pods, two of each agent."""
PODS, INTERVAL = 30, 15.0
HPAS = 1000
METRICS = ("/apis/metrics.k8s.io/v1beta1/namespaces/{0}/pods", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{0}/pods/%2A/cpu_pressure")
CLIENTS = 5
"""Workers of the HPA controller."""
HPA_USER = {"X-Remote-User": "system:serviceaccount:kube-system:horizontal-pod-autoscaler", "X-Remote-Group": "system:masters"}
Figures = dict[str, float]


class Client:
    """A connection to the adapter, as the API server has it."""

    def __init__(self, port: int, pki: Pki) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(*pki.pairs["proxy"])
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)

    def get(self, path: str) -> tuple[int, float, bytes]:
        """Return status, seconds and body."""
        started = time.perf_counter()
        self._connection.request("GET", path, headers=HPA_USER)
        response = self._connection.getresponse()
        body = response.read()
        return response.status, time.perf_counter() - started, body

    def is_ready(self) -> bool:
        """Return True if /readyz is 200."""
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


@contextmanager
def agents(count: int, folder: Path) -> Iterator[int]:
    """Run simulated agents; yield their port."""
    command = [sys.executable, "-m", "tests.bench.simulated_agents", "--agents", str(count), "--pods", str(PODS), "--tls", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Site(NamedTuple):
    """An adapter, its API server, and a connection of the API server to it; `connect` makes more."""

    adapter: Agent
    api: BenchServer
    client: Client
    connect: Callable[[], Client]


@contextmanager
def polled(count: int) -> Iterator[Site]:
    """Run so many agents and an adapter, which begins to poll them."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        pki, config = Pki(folder), folder / "config.yaml"
        with serving(BenchServer(pki.trust()), BenchHandler) as api:
            config.write_text(CONFIG.format(api=api.url, port=port))
            environ = {**clean_environ(), "POD_NAMESPACE": "telegen", "POD_NAME": "adapter-1"}
            command = [sys.executable, "-m", "telegen", "adapter", "--config", str(config)]
            with running(command, environ, port, config) as adapter:
                wait_for("the agents' certificates", lambda: api.mount("telegen-adapter-agents", folder / "tls"), 30, 0.1)
                with agents(count, folder / "tls") as agents_port:
                    api.fill(count, agents_port)
                    client = Client(port, pki)
                    yield Site(adapter, api, client, lambda: Client(port, pki))
                    client.close()


def measure_adapter(count: int) -> Figures:
    """Measure one adapter."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with polled(count) as site:
        return _measure(count, site)


def _measure(count: int, site: Site) -> Figures:
    client, tree = site.client, site.adapter.tree
    figures = {"adapter_ready_s": wait_for("readiness", client.is_ready, 90, 0.5)}
    time.sleep(INTERVAL)
    figures |= measure_polling(tree, 2 * INTERVAL)
    namespaces = [f"ns-{number}" for number in range(max(1, count * (PODS - BIG_PODS) // SMALL_PODS))]
    figures |= measure_lists(client, tree, namespaces)
    figures |= measure_hpas(site.connect, tree, site.api, namespaces)
    return {**figures, "adapter_pss_mb": tree.pss()}


def measure_polling(tree: Tree, seconds: float) -> Figures:
    """Measure the process that polls, without requests of clients."""
    before = tree.cpu("telegen-poll")
    time.sleep(seconds)
    return {"adapter_poll_cpu_percent": 100 * (tree.cpu("telegen-poll") - before) / seconds, "adapter_pss_at_rest_mb": tree.pss()}


def measure_lists(client: Client, tree: Tree, namespaces: list[str]) -> Figures:
    """Measure lists of small namespaces and of a large one, and the age of what they show."""
    latencies, ages = [], []
    for name in random.Random(1).sample(namespaces, min(300, len(namespaces))):
        status, seconds, body = client.get(METRICS[0].format(name))
        latencies.append(seconds)
        items = json.loads(body)["items"]
        assert status == 200 and items, body[:300]
        ages += [time.time() - datetime.fromisoformat(item["timestamp"]).timestamp() for item in items]
    before, times, pods = tree.cpu("telegen-adapter"), 8, 0
    for _ in range(times):
        status, _, body = client.get(METRICS[0].format(BIG))
        pods = body.count(b'"timestamp"')
        time.sleep(1)
    cpu = (tree.cpu("telegen-adapter") - before) / times
    return {
        "adapter_namespace_p50_ms": 1000 * statistics.median(latencies),
        "adapter_namespace_p99_ms": 1000 * statistics.quantiles(latencies, n=100)[98],
        "adapter_age_p99_s": statistics.quantiles(ages, n=100)[98],
        "adapter_list_pods": pods,
        "adapter_list_cpu_ms": 1000 * cpu,
    }


def measure_hpas(connect: Callable[[], Client], tree: Tree, api: BenchServer, namespaces: list[str]) -> Figures:
    """Measure the requests of HPAs with two metrics each, spread over the interval as their controller spreads them."""
    wanted = [metric.format(namespaces[one % len(namespaces)]) for one in range(HPAS) for metric in METRICS]
    latencies, errors, reviews, rounds = list[float](), list[str](), len(api.reviews), 2
    cpu, started = tree.cpu("telegen-adapter"), time.monotonic()

    def work(number: int) -> None:
        client = connect()
        for turn, path in list(enumerate(wanted * rounds))[number::CLIENTS]:
            time.sleep(max(0.0, started + turn * INTERVAL / len(wanted) - time.monotonic()))
            status, seconds, body = client.get(path)
            latencies.append(seconds)
            if status != 200 or b'"timestamp"' not in body:
                errors.append(f"{status} {path}: {body[:200]!r}")
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - started
    for error in errors[:3]:
        print(error, file=sys.stderr)
    return {
        "adapter_hpa_requests_s": len(latencies) / elapsed,
        "adapter_hpa_errors": len(errors),
        "adapter_hpa_p99_ms": 1000 * statistics.quantiles(latencies, n=100)[98],
        "adapter_hpa_cpu_percent": 100 * (tree.cpu("telegen-adapter") - cpu) / elapsed,
        "adapter_reviews_s": (len(api.reviews) - reviews) / elapsed,
    }


def main(count: int) -> Figures:
    """Measure the machine and an adapter."""
    return {**measure_machine(), **measure_adapter(count)}
