"""Usage of pods and nodes from the stored documents of the agents."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from telegen.adapter.agents.documents import PodDescription, read_node, read_pod, read_row
from telegen.adapter.agents.index import Index, Positions, indexed
from telegen.adapter.agents.status import decode
from telegen.adapter.agents.store import NODE_LABELS
from telegen.adapter.agents.usage import FamiliesAnswer, NodeUsage, PodUsage
from telegen.shm.document_table import CURRENT, DESCRIPTION, DocumentTable
from telegen.shm.shared_document import SharedDocument

MOST_CACHED = 20_000
"""Pods whose descriptions are kept decoded. PERF: 0.4 kB each; decoding again takes 1.5 us per pod."""
SILENT = 30.0
"""Seconds without a status after which the poll worker does not run; after a crash it starts again sooner."""


class Families(Protocol):
    """Reader of kube_* families from the agents."""

    def read(self, names: Collection[str]) -> FamiliesAnswer:
        """Return the samples of families."""


class AgentUsage:
    """Implements `usage.UsageSource`. Threads may share it."""

    def __init__(
        self,
        table: DocumentTable,
        status: SharedDocument,
        families: Families,
        staleness: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            staleness: seconds after which usage is left out.
        """
        self._table, self._status, self._families, self._staleness, self._clock = table, status, families, staleness, clock
        self._index = Index(table)
        self._descriptions = _Descriptions()

    def pods(self, namespace: str, name: str = "") -> Iterator[PodUsage]:
        """Yield the pods of a namespace, or the one of this name; of all namespaces if `namespace` is "".

        PERF: 3 us per pod and 5 us per agent that has some.
        """
        self._index.refresh()
        for one in [namespace] if namespace else sorted(self._index.namespaces()):
            found = dict[str, PodUsage]()
            for row, positions in self._index.namespace(one).items():
                for pod in self._pods_of(row, one, positions, name):
                    known = found.get(pod.name)
                    # While a pod of a StatefulSet moves, two agents have one of its name.
                    if known is None or known.time < pod.time:
                        found[pod.name] = pod
            yield from found.values()

    def nodes(self, name: str = "") -> Iterator[NodeUsage]:
        """Yield all nodes, or the one of this name."""
        self._index.refresh()
        for one in [name] if name else self._index.nodes():
            found = [usage for row in self._index.node(one) if (usage := self._node_of(row, one))]
            if found:
                yield max(found, key=lambda usage: usage.time)

    def families(self, names: Collection[str]) -> FamiliesAnswer:
        """Return the samples of kube_* families from the agents that hold the shards."""
        return self._families.read(names)

    def problem(self) -> str:
        """Return the reason why usage cannot be answered, "" if it can."""
        status = decode(self._status.read()[1])
        if status.written and time.monotonic() - status.written > SILENT:
            return f"agents were not polled for {time.monotonic() - status.written:.0f} s: the log of the process poll has the cause"
        return status.problem

    def _pods_of(self, row: int, namespace: str, positions: Positions, name: str) -> Iterator[PodUsage]:
        """Yield the pods of one agent."""
        found, agent = self._table.read(row, DESCRIPTION, CURRENT), self._index.agent(row)
        if not found:
            return
        (version, _, (offset, _), _), (stored, usage) = found
        if not agent or version != agent.version:
            # The description has changed since `refresh`.
            agent, known = indexed(version, stored)
            positions = tuple(known.namespaces.get(namespace, ()))
        of_containers, of_pod, _ = agent.columns
        oldest = self._clock() - self._staleness + offset
        # PERF: this loop takes most of the time of a list of pods.
        for number, pod in zip(positions, self._descriptions.take(row, namespace, version, stored, positions)):
            if name and pod.name != name:
                continue
            values = read_row(usage, number)
            if values is None or values[0] < oldest:
                continue
            moment, window, of_each, of_all = values
            containers = {one: dict(zip(of_containers, numbers)) for one, numbers in zip(pod.containers, of_each)}
            shared = dict(zip(of_pod, of_all))
            yield PodUsage(namespace, pod.name, agent.node, pod.labels, moment - offset, window, containers, shared)

    def _node_of(self, row: int, name: str) -> NodeUsage | None:
        """Return the usage of the node of an agent."""
        found = self._table.read(row, CURRENT, NODE_LABELS)
        agent = self._index.agent(row)
        if not found or not agent:
            return None
        (_, _, (offset, _), _), (usage, labels) = found
        values = read_node(usage)
        if values is None or values[0] < self._clock() - self._staleness + offset:
            return None
        return NodeUsage(name, labels or b"{}", values[0] - offset, values[1], dict(zip(agent.columns[2], values[2])))


class _Descriptions:
    """Cache of decoded descriptions of pods; the one that was used last goes last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, str], tuple[int, list[PodDescription]]] = OrderedDict()
        self._pods = 0

    def take(self, row: int, namespace: str, version: int, stored: bytes, positions: Positions) -> list[PodDescription]:
        """Return the descriptions of the pods of an agent in a namespace."""
        key = row, namespace
        with self._lock:
            known = self._kept.get(key)
            if known and known[0] == version:
                self._kept.move_to_end(key)
                return known[1]
        pods = [read_pod(stored, number) for number in positions]
        with self._lock:
            before = self._kept.pop(key, None)
            self._kept[key] = version, pods
            self._pods += len(pods) - (len(before[1]) if before else 0)
            while self._pods > MOST_CACHED:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._pods -= len(dropped)
        return pods
