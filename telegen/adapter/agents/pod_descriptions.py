"""Descriptions of the pods of the agents, decoded, and kept as long as they are used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from telegen.adapter.agents.documents import Columns, PodDescription, read_description, read_pods
from telegen.shm.document_table import DESCRIPTION, DocumentTable

MOST = 10_000
"""Pods that are kept. PERF: 0.8 kB each; to decode one again takes 1.5 us."""


class Described(NamedTuple):
    """Pods of one agent in one namespace.

    Attributes:
        version: of the description in the table.
        pods: position among the agent's pods, and description.
    """

    version: int
    node: str
    columns: Columns
    pods: list[tuple[int, PodDescription]]


class PodDescriptions:
    """Cache; what was used last goes last. Threads may share it."""

    def __init__(self, table: DocumentTable) -> None:
        self._table, self._lock = table, threading.Lock()
        self._kept: OrderedDict[tuple[int, str], Described] = OrderedDict()
        self._columns: dict[Columns, Columns] = {}
        self._pods = 0

    def get(self, row: int, namespace: str) -> Described | None:
        """Return the pods of an agent in a namespace, perhaps of an older version; None for a free row."""
        key = row, namespace
        with self._lock:
            known = self._kept.get(key)
            if known:
                self._kept.move_to_end(key)
                return known
        return self.read(row, namespace)

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
        self._keep((row, namespace), described)
        return described

    def _keep(self, key: tuple[int, str], described: Described) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            self._kept[key] = described
            self._pods += len(described.pods) - (len(before.pods) if before else 0)
            while self._pods > MOST:
                self._pods -= len(self._kept.popitem(last=False)[1].pods)
