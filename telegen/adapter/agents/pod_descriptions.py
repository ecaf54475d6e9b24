"""Pods of the agents, decoded, and kept per namespace as long as this is used, with their last usage as text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from telegen.adapter.agents.documents import Columns, PodDescription, read_description, read_pods
from telegen.adapter.agents.usage import RenderedUsage
from telegen.shm.document_table import DESCRIPTION, DocumentTable

MOST = 10_000
"""Pods that are kept. PERF: 1 kB each; to decode one again takes 2 us, and 10 us per agent."""


class Described:
    """Pods of one agent in one namespace.

    Attributes:
        version: of the description in the table.
        pods: position among the agent's pods, and description.
        rendered: usage as text, and the stamp of the agent's row before it was read; None before the first list.
    """

    __slots__ = ("version", "node", "columns", "pods", "rendered")

    def __init__(self, version: int, node: str, columns: Columns, pods: list[tuple[int, PodDescription]]) -> None:
        self.version, self.node, self.columns, self.pods = version, node, columns, pods
        self.rendered: tuple[bytes, list[RenderedUsage]] | None = None


class PodDescriptions:
    """Cache; the namespace that was used last goes last. Threads may share it."""

    def __init__(self, table: DocumentTable) -> None:
        self._table, self._lock = table, threading.Lock()
        self._kept: OrderedDict[str, dict[int, Described]] = OrderedDict()
        self._columns: dict[Columns, Columns] = {}
        self._pods = 0

    def of_namespace(self, namespace: str) -> Mapping[int, Described]:
        """Return what is kept of the pods of a namespace, by the row of the agent, perhaps of an older version."""
        with self._lock:
            if namespace in self._kept:
                self._kept.move_to_end(namespace)
            return self._kept.get(namespace, {})

    def read(self, row: int, namespace: str) -> Described | None:
        """Return the pods of an agent in a namespace as the table has them; None for a free row."""
        found = self._table.read(row, DESCRIPTION)
        if not found:
            return None
        (version, *_), (stored,) = found
        known = read_description(stored)
        numbers = known.namespaces.get(namespace, [])
        columns = self._columns.setdefault(known.columns, known.columns)
        described = Described(version, known.node, columns, list(zip(numbers, read_pods(stored, numbers))))
        self._keep(row, namespace, described)
        return described

    def _keep(self, row: int, namespace: str, described: Described) -> None:
        with self._lock:
            kept = self._kept.setdefault(namespace, {})
            before = kept.get(row)
            kept[row] = described
            self._pods += len(described.pods) - (len(before.pods) if before else 0)
            while self._pods > MOST:
                self._pods -= sum(len(one.pods) for one in self._kept.popitem(last=False)[1].values())
