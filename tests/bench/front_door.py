"""Measure the web processes: concurrent scrapers, and scrapes and probes beside hostile clients.

Run it alone with `python -m tests.bench.front_door [PODS]`. Both web processes that a holder of a shard has are measured.
"""

from __future__ import annotations

import http.client
import multiprocessing
import selectors
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.harness import Agent, drain, get, is_ready, simulated, start_agent
from tests.hostile_clients import attack
from tests.process_tree import Tree, wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state:
    apiserver: {url}
web: {{workers: 2}}
log: {{level: warning}}
"""
Figures = dict[str, float]
CONCURRENT = (1, 10, 50, 100)
CHUNKED = 1 << 60
"""Bytes that are missing of a response whose length is not known."""
LAST_CHUNK = b"0\r\n\r\n"
PROBE_INTERVAL = 0.02
ATTACKS = (
    ("slow-1", 200),
    ("slow-8k", 200),
    ("stalled", 200),
    ("stalled", 1000),
    ("slowloris", 200),
    ("headers", 200),
    ("idle", 500),
    ("idle", 5000),
    ("garbage", 200),
    ("pipelined", 200),
    ("no-body", 200),
)
BARS = {
    "load_10_per_s": (">=", 200),
    "load_10_p99_ms": ("<=", 200),
    "load_10_cpu_ms": ("<=", 8),
    "load_1_cpu_ms": ("<=", 15),
    "load_50_probe_p99_ms": ("<=", 150),
    "identity_1_cpu_ms": ("<=", 105),
    "web_rest_pss_mb": ("<=", 26),
    "namespace_of_identity": ("<=", 0.34),
    **{f"{kind}_{count}_scrape_ratio": ("<=", 2) for kind, count in ATTACKS},
    **{f"{kind}_{count}_probe_p99_ms": ("<=", 150 if kind == "headers" else 50) for kind, count in ATTACKS},
    **{f"{kind}_{count}_gone_s": ("<=", 25) for kind, count in ATTACKS},
    **{f"{kind}_{count}_pss_mb": ("<=", 370 if count == 1000 else 220) for kind, count in ATTACKS},
    **{f"{kind}_{count}_sockets_mb": ("<=", 100) for kind, count in ATTACKS},
}
"""Limits for 10,000 pods and two web processes together, unless the name says otherwise."""


class Scraper:
    """A connection that scrapes again and again; its bodies are discarded."""

    def __init__(self, port: int, request: bytes) -> None:
        self._request, self._buffer = request, bytearray(1 << 20)
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.seconds: list[float] = []
        self._begin()

    def _begin(self) -> None:
        self._head, self._missing = b"", -1
        self._started = time.perf_counter()
        self.sock.sendall(self._request)

    def read(self) -> None:
        """Take what has arrived; begin the next scrape at the end of an answer.

        Raises:
            ConnectionError: the answer was broken off, or is no page.
        """
        count = read = self.sock.recv_into(self._buffer)
        if not count:
            raise ConnectionError("the connection was closed")
        if self._missing < 0:
            self._head += bytes(self._buffer[:count])
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(head[:40].decode())
            lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            # kube-state-metrics sends chunks.
            self._missing, count = int(lengths[0].split(b":")[1]) if lengths else CHUNKED, len(body)
        self._missing -= count
        if not self._missing or (self._missing > CHUNKED // 2 and self._buffer[:read].endswith(LAST_CHUNK)):
            self.seconds.append(time.perf_counter() - self._started)
            self._begin()


def scrape_concurrently(port: int, count: int, seconds: float, query: str = "", coding: str = "gzip") -> tuple[list[float], int]:
    """Scrape by `count` clients; return the latencies and the number of lost scrapes."""
    request = f"GET /metrics{query} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding}\r\n\r\n".encode()
    lost = 0
    with selectors.DefaultSelector() as selector:
        scrapers = [Scraper(port, request) for _ in range(count)]
        for scraper in scrapers:
            selector.register(scraper.sock, selectors.EVENT_READ, scraper)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for key, _ in selector.select(1):
                try:
                    key.data.read()
                except OSError:
                    lost += 1
                    selector.unregister(key.fileobj)
                    key.data.sock.close()
                    scrapers.append(scraper := Scraper(port, request))
                    selector.register(scraper.sock, selectors.EVENT_READ, scraper)
        for scraper in scrapers:
            scraper.sock.close()
    return [one for scraper in scrapers for one in scraper.seconds], lost


def quantile(values: list[float], share: float) -> float:
    """Return a quantile of values that are in seconds, in milliseconds."""
    return 1000 * sorted(values)[max(0, round(len(values) * share) - 1)] if values else float("nan")


class Prober:
    """A process that requests /livez on a new connection every `PROBE_INTERVAL`, as a kubelet would."""

    def __init__(self, port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_probe, args=(port, theirs), daemon=True)
        self._process.start()
        self._pipe.recv()

    def stop(self) -> list[float]:
        """Return the latencies in seconds; a probe that failed took 10 s."""
        self._pipe.send(None)
        found: list[float] = self._pipe.recv()
        self._process.join()
        return found


def _probe(port: int, pipe: Any) -> None:
    pipe.send(None)
    found = []
    while not pipe.poll(PROBE_INTERVAL):
        started = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/livez")
            passed = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            passed = False
        finally:
            connection.close()
        found.append(time.perf_counter() - started if passed else 10.0)
    pipe.send(found)


def web_pss(tree: Tree) -> list[float]:
    """Return the PSS of each web process in MB."""
    sizes = []
    for process in tree.processes():
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        if name.startswith("telegen-web-"):
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            sizes.append(next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1000)
    return sizes


def socket_mb() -> float:
    """Return the memory of all TCP sockets of this network namespace in MB (/proc/net/sockstat)."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.rpartition(" ")[2]) * 4096 / 1e6


def measure_concurrent(agent: Agent, seconds: float) -> Figures:
    """Measure scrapes per second, latencies, CPU per scrape and probes."""
    figures: Figures = {}
    for count in CONCURRENT:
        scrape_concurrently(agent.port, count, 1)
        prober, cpu, started = Prober(agent.port), agent.tree.cpu("telegen-web"), time.monotonic()
        taken, lost = scrape_concurrently(agent.port, count, seconds)
        wall, cpu = time.monotonic() - started, agent.tree.cpu("telegen-web") - cpu
        figures |= {
            f"load_{count}_per_s": len(taken) / wall,
            f"load_{count}_p50_ms": quantile(taken, 0.5),
            f"load_{count}_p99_ms": quantile(taken, 0.99),
            f"load_{count}_cpu_ms": 1000 * cpu / max(1, len(taken)),
            f"load_{count}_lost": lost,
            f"load_{count}_probe_p99_ms": quantile(prober.stop(), 0.99),
        }
    for name, query, coding in (("identity", "", "identity"), ("namespace", "?namespaces=shop-7", "identity")):
        cpu = agent.tree.cpu("telegen-web")
        taken, _ = scrape_concurrently(agent.port, 1, seconds, query, coding)
        figures[f"{name}_1_cpu_ms"] = 1000 * (agent.tree.cpu("telegen-web") - cpu) / max(1, len(taken))
        figures[f"{name}_1_p50_ms"] = quantile(taken, 0.5)
    figures["namespace_of_identity"] = figures["namespace_1_cpu_ms"] / figures["identity_1_cpu_ms"]
    return figures


def measure_attack(agent: Agent, kind: str, count: int) -> Figures:
    """Measure scrapes and probes beside hostile clients, until the agent has dropped these."""
    calm = sorted(drain(f"{agent.url}/metrics", True) for _ in range(9))[4]
    sockets = socket_mb()
    prober, name = Prober(agent.port), f"{kind}_{count}"
    with attack(kind, agent.port, count) as clients:
        started, scrapes, pss, kernel, gone = time.monotonic(), [], 0.0, 0.0, float("inf")
        while time.monotonic() - started < 40:
            scrapes.append(_scrape(agent))
            pss, kernel = max(pss, sum(web_pss(agent.tree))), max(kernel, socket_mb() - sockets)
            if clients.open >= 0 and gone > 1e9 and clients.open == 0:
                gone = time.monotonic() - started
                break
            time.sleep(0.2)
    return {
        f"{name}_scrape_ratio": sorted(scrapes)[len(scrapes) // 2] / calm,
        f"{name}_lost": float(sum(one >= 10 for one in scrapes)),
        f"{name}_probe_p99_ms": quantile(prober.stop(), 0.99),
        f"{name}_gone_s": gone,
        f"{name}_pss_mb": pss,
        f"{name}_sockets_mb": kernel,
    }


def _scrape(agent: Agent) -> float:
    """Return the seconds of a gzip scrape; 10 if it fails."""
    try:
        answer = get(f"{agent.url}/metrics", gzip=True, timeout=10)
    except (OSError, http.client.HTTPException):
        return 10.0
    return answer.seconds if answer.status == 200 else 10.0


def measure_front_door(pods: int, seconds: float = 5, attacks: tuple[tuple[str, int], ...] = ATTACKS) -> Figures:
    """Measure all of it on one agent."""
    with simulated(pods) as api, start_agent(CONFIG, url=api) as agent:
        wait_for("readiness", lambda: is_ready(agent.url), 180, 0.1)
        time.sleep(2)
        figures = {"web_rest_pss_mb": max(web_pss(agent.tree))}
        figures |= measure_concurrent(agent, seconds)
        for kind, count in attacks:
            figures |= measure_attack(agent, kind, count)
        return figures


def main() -> int:
    """Print the figures with their limits."""
    chosen = tuple((kind, int(count)) for kind, _, count in (name.partition(":") for name in sys.argv[2:]))
    for name, value in measure_front_door(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, attacks=chosen or ATTACKS).items():
        sign, bar = BARS.get(name, ("", 0.0))
        kept = not sign or (value <= bar if sign == "<=" else value >= bar)
        print(f"{name:28} {value:12,.2f}  {f'{sign} {bar:<6g}' if sign else '':9} {'' if kept else 'MISSED'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
