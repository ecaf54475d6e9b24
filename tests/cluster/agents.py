"""Several agents of one cluster, each for its own node, and the history of all their scrapes."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from telegen.election.state import RANKS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.scrape_history import NOTHING, Reader, Scrape, Shown, duplicates
from tests.harness import Agent, get, start_agent
from tests.process_tree import wait_for
from tests.proxy import Proxy, proxied

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: node
  node_name: {node}
  election: {{namespace: telegen, standby: {standby}}}
  kube_state:
    kubeconfig: {kubeconfig}
    resources: [deployments, namespaces, nodes, pods, services]
    total_shards: {shards}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
log: {{level: info}}
"""
"""Intervals of the election keep their defaults, so measured times hold for the defaults."""
LEASES = "/apis/coordination.k8s.io/v1/namespaces/telegen/leases"


@dataclass
class Member:
    """One agent, its proxy to the API server, and its scrapes."""

    node: str
    agent: Agent
    proxy: Proxy
    stack: contextlib.ExitStack
    glances: list[Scrape] = field(default_factory=list)
    gone: bool = False

    def look(self, reader: Reader, query: str) -> None:
        """Scrape once and record the result."""
        sent = time.monotonic()
        try:
            answer = get(f"{self.agent.url}/metrics{query}", gzip=True, timeout=60)
            shown = reader.read(answer.body) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, zlib.error):
            shown = None
        self.glances.append(Scrape(sent, time.monotonic(), shown))

    @property
    def shown(self) -> Shown:
        """Content of its last page; `NOTHING` if the last scrape failed or the agent has ended."""
        return (self.glances[-1].shown if self.glances and not self.gone else None) or NOTHING

    def shows(self) -> int:
        """Number of nodes on its last page."""
        return self.shown.nodes

    def signal(self, number: signal.Signals, *names: str) -> None:
        """Send a signal to its processes; with `names`, to those whose names begin with one of them."""
        for process in self.agent.tree.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if not names or process.name().startswith(names):
                    process.send_signal(number)


class Fleet:
    """All agents, each scraped continuously by a thread."""

    def __init__(
        self,
        plane: ControlPlane,
        folder: Path,
        token: str,
        standby: str = "hot",
        shards: int = 1,
        period: float = 0.1,
        query: str = "",
        tokens: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start without agents.

        Args:
            token: token of the agents' account; `tokens` gives single nodes' agents another one.
            shards: total_shards of agents that are started from now on.
            period: seconds between two scrapes of an agent.
            query: query string of the scrapes, such as `?resources=pods`.
        """
        self._plane, self._folder, self._token, self._tokens = plane, folder, token, tokens
        self._standby, self.shards = standby, shards
        self._period, self._query = period, query
        self._stack = contextlib.ExitStack()
        self._stop = threading.Event()
        self._reader = Reader()
        self._threads: list[threading.Thread] = []
        self.members: list[Member] = []
        self.past: list[Member] = []

    def start(self, node: str) -> Member:
        """Start an agent for a node."""
        stack = self._stack.enter_context(contextlib.ExitStack())
        proxy = stack.enter_context(proxied(self._plane.url))
        path = self._folder / f"kubeconfig-{len(self.members) + len(self.past)}"
        self._plane.kubeconfig(path, self._tokens.get(node, self._token), proxy.url)
        values = {"node": node, "kubeconfig": path, "standby": self._standby, "shards": self.shards}
        member = Member(node, stack.enter_context(start_agent(CONFIG, **values)), proxy, stack)
        self.members.append(member)
        self._threads.append(threading.Thread(target=self._watch, args=(member,), daemon=True))
        self._threads[-1].start()
        return member

    def stop(self, member: Member) -> None:
        """Send SIGTERM and wait for the end, as the kubelet does."""
        self._lose(member, signal.SIGTERM)

    def kill(self, member: Member) -> None:
        """Send SIGKILL to the supervisor, as when the container is killed."""
        self._lose(member, signal.SIGKILL)

    def _lose(self, member: Member, how: signal.Signals) -> None:
        member.agent.process.send_signal(how)
        member.agent.process.wait(120)
        member.gone = True
        self.members.remove(member)
        self.past.append(member)

    def close(self) -> None:
        """End everything."""
        self._stop.set()
        for member in self.members:
            member.proxy.heal()
            member.signal(signal.SIGCONT)
        self._stack.close()
        for thread in self._threads:
            thread.join(10)

    def _watch(self, member: Member) -> None:
        while not self._stop.is_set() and not member.gone:
            member.look(self._reader, self._query)
            time.sleep(self._period)

    def holders(self) -> list[Member]:
        """Agents with nodes on their last page."""
        return [member for member in self.members if member.shows()]

    def wait_series(self, what: str, series: frozenset[str], timeout: float, but: Member | None = None) -> None:
        """Wait until all agents except `but` show exactly these series together."""
        wait_for(what, lambda: self.series(but) == series, timeout, 0.02)

    def series(self, but: Member | None = None) -> frozenset[str]:
        """Union of the series on the last pages of all agents except `but`."""
        return frozenset().union(*(member.shown.series for member in self.members if member is not but))

    def holder(self, shard: int, rank: int = 0) -> Member:
        """The agent that holds a shard's Lease of a rank."""
        lease = self._plane.request("GET", f"{LEASES}/telegen-shard-{shard}{RANKS[rank]}")
        node = lease["spec"]["holderIdentity"].rpartition("_")[0]
        return next(member for member in self.members if member.node == node)

    def in_line(self, rank: int) -> list[str]:
        """Nodes of the agents that hold a Lease of this rank, one per shard with such an agent."""
        names = {f"telegen-shard-{shard}{RANKS[rank]}" for shard in range(self.shards)}
        leases = [lease for lease in self._plane.objects(LEASES) if lease["metadata"]["name"] in names]
        nodes = [str(lease["spec"].get("holderIdentity") or "").rpartition("_")[0] for lease in leases]
        return [node for node in nodes if node]

    def wait_standby(self, timeout: float = 45, rank: int = 1) -> None:
        """Wait until each shard has a running agent of this rank, and 2 s more for its sync."""
        running = {member.node for member in self.members}
        wait_for("the line", lambda: len([node for node in self.in_line(rank) if node in running]) == self.shards, timeout, 0.2)
        time.sleep(2)

    def union(self) -> list[str]:
        """Samples of all pages, sorted; duplicates are kept."""
        pages: list[str] = []
        threads = [threading.Thread(target=lambda m=m: pages.append(m.agent.page_if_up())) for m in self.members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return sorted(line for page in pages for line in page.split("\n") if line.startswith("kube_"))

    def check_never_twice(self) -> None:
        """Assert that no series was ever on one page twice, or on the pages of two agents at the same time."""
        everybody = {f"{one.node} ({number})": one.glances for number, one in enumerate([*self.past, *self.members])}
        found = [*self._reader.twice, *duplicates(everybody)]
        assert not found, "\n".join([f"{len(found)} series were there twice:", *found[:20]])


@contextlib.contextmanager
def fleet(
    plane: ControlPlane, folder: Path, token: str, nodes: list[str], **options: Any
) -> Iterator[Fleet]:
    """Agents for these nodes."""
    made = Fleet(plane, folder, token, **options)
    try:
        for node in nodes:
            made.start(node)
        yield made
    finally:
        made.close()
