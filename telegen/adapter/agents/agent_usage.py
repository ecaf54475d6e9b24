"""Usage of pods and nodes from the stored documents of the agents."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from telegen.adapter.agents.claims import settled
from telegen.adapter.agents.documents import PodDescription, read_description, read_node, read_row
from telegen.adapter.agents.index import Index
from telegen.adapter.agents.pod_descriptions import Described, PodDescriptions
from telegen.adapter.agents.status import decode
from telegen.adapter.agents.store import NODE_LABELS
from telegen.adapter.agents.usage import FamiliesAnswer, NodeUsage, PodUsage, Render, RenderedUsage
from telegen.shm.document_table import CURRENT, DESCRIPTION, DocumentTable
from telegen.shm.shared_document import SharedDocument

SILENT = 30.0
"""Seconds without a status after which the poll worker does not run; after a crash it starts again sooner."""

_Read = tuple[Described, list[tuple[int, PodDescription]], float, bytes]


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
        left_out: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Prepare.

        Args:
            staleness: seconds after which usage is left out.
            left_out: called with the reason for each pod that two nodes report.
        """
        self._left_out = left_out
        self._table, self._status, self._families, self._staleness, self._clock = table, status, families, staleness, clock
        self._index = Index(table)
        self._descriptions = PodDescriptions(table)

    def pods(self, namespace: str, name: str = "") -> Iterator[PodUsage]:
        """Yield the pods of a namespace, or the one of this name; of all namespaces if `namespace` is "".

        PERF: 2 us per pod and 3 us per agent that has some.
        """
        for one, rows in self._rows(namespace):
            kept = self._descriptions.of_namespace(one)
            pods = (pod for row in rows for pod in self._pods_of(self._read(row, kept.get(row), one, name), one))
            yield from settled(pods, self._left_out)

    def rendered_pods(self, namespace: str, render: Render) -> Iterator[RenderedUsage]:
        """Yield the pods of a namespace, of all if it is "", as text.

        PERF: 0.3 us per pod and 1 us per agent whose usage is that of the last call.
        """
        oldest = self._clock() - self._staleness
        for one, rows in self._rows(namespace):
            kept = self._descriptions.of_namespace(one)
            pods = (pod for row in rows for pod in self._rendered(row, kept.get(row), one, render))
            yield from settled((pod for pod in pods if pod.time >= oldest), self._left_out)

    def has_pod(self, namespace: str, name: str) -> bool:
        """Return True if an agent has the pod, with usage or without."""
        self._index.refresh()
        described = (self._descriptions.read(row, namespace) for row in self._index.of_namespace(namespace))
        return any(pod.name == name for one in described if one for _, pod in one.pods)

    def has_node(self, name: str) -> bool:
        """Return True if an agent is of the node, with usage or without."""
        self._index.refresh()
        return bool(self._index.of_node(name))

    def nodes(self, name: str = "") -> Iterator[NodeUsage]:
        """Yield all nodes, or the one of this name."""
        self._index.refresh()
        for one in [name] if name else self._index.nodes():
            found = [usage for row in self._index.of_node(one) if (usage := self._node_of(row, one))]
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

    def _rows(self, namespace: str) -> Iterator[tuple[str, Collection[int]]]:
        """Yield a namespace, or all, and the rows of the agents that have pods of it."""
        self._index.refresh()
        for one in [namespace] if namespace else self._index.namespaces():
            yield one, self._index.of_namespace(one)

    def _rendered(self, row: int, kept: Described | None, namespace: str, render: Render) -> list[RenderedUsage]:
        """Return the pods of an agent as text, made anew if its documents have changed."""
        stamp = self._table.stamp(row)
        if kept and kept.rendered and kept.rendered[0] == stamp:
            return kept.rendered[1]
        found = self._read(row, kept, namespace, "")
        pods = [RenderedUsage(namespace, pod.name, pod.node, pod.time, pod.labels, render(pod)) for pod in self._pods_of(found, namespace)]
        if found:
            found[0].rendered = stamp, pods
        return pods

    def _pods_of(self, found: _Read | None, namespace: str) -> Iterator[PodUsage]:
        """Yield the pods of one agent."""
        if not found:
            return
        described, pods, offset, usage = found
        (container_columns, columns, _), node = described.columns, described.node
        oldest = self._clock() - self._staleness + offset
        # PERF: this loop takes half of the time of a list of pods.
        for number, pod in pods:
            values = read_row(usage, number)
            if values is not None and values[0] >= oldest:
                moment, window, rows, whole = values
                times = moment - offset, window
                yield PodUsage(namespace, pod.name, node, pod.labels, *times, container_columns, columns, pod.containers, rows, whole)

    def _read(self, row: int, described: Described | None, namespace: str, name: str) -> _Read | None:
        """Return the wanted pods of an agent, the offset of its clock and its usage; None if it has none.

        PERF: usage is read only of agents that have a wanted pod.

        Args:
            described: the agent's pods, perhaps of an older version.
        """
        described = described or self._descriptions.read(row, namespace)
        while described:
            pods = [one for one in described.pods if one[1].name == name] if name else described.pods
            found = self._table.read(row, CURRENT) if pods else None
            if not found:
                return None
            (version, _, (offset, _), _), (usage,) = found
            if version == described.version:
                return described, pods, offset, usage
            # The agent has other pods meanwhile.
            described = self._descriptions.read(row, namespace)
        return None

    def _node_of(self, row: int, name: str) -> NodeUsage | None:
        """Return the usage of the node of an agent."""
        found = self._table.read(row, DESCRIPTION, CURRENT, NODE_LABELS)
        if not found:
            return None
        (_, _, (offset, _), _), (description, usage, labels) = found
        values = read_node(usage)
        if values is None or values[0] < self._clock() - self._staleness + offset:
            return None
        columns = read_description(description).columns[2]
        return NodeUsage(name, labels or b"{}", values[0] - offset, values[1], dict(zip(columns, values[2])))
