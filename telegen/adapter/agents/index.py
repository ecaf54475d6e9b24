"""Index of the stored documents: which agents have pods of a namespace, and which node an agent is of.

A web process reads the description of an agent only when it has changed, and usage only of agents whose pods are asked for.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from telegen.adapter.agents.documents import Columns, Description, read_description
from telegen.shm.document_table import DESCRIPTION, DocumentTable

BLOCK = 64
"""Versions that are compared at once."""
Positions = tuple[int, ...]


class IndexedAgent(NamedTuple):
    """State of an agent that is kept.

    Attributes:
        version: of the description.
        namespaces: those of its pods.
    """

    version: int
    node: str
    columns: Columns
    namespaces: tuple[str, ...]


def indexed(version: int, stored: bytes) -> tuple[IndexedAgent, Description]:
    """Return what is kept of an agent, and its whole description."""
    known = read_description(stored)
    return IndexedAgent(version, known.node, known.columns, tuple(known.namespaces)), known


class Index:
    """The index. Threads may share it."""

    def __init__(self, table: DocumentTable) -> None:
        self._table, self._lock = table, threading.Lock()
        self._versions = array("Q", bytes(8 * table.rows))
        self._agents: dict[int, IndexedAgent] = {}
        self._pods: dict[str, dict[int, Positions]] = {}
        self._nodes: dict[str, set[int]] = {}
        self._texts: dict[str, str] = {}
        self._columns: dict[Columns, Columns] = {}

    def refresh(self) -> None:
        """Read the descriptions that have changed. PERF: 15 us if none has, 15 us per changed one."""
        with self._lock:
            versions = self._table.versions()
            if versions == self._versions:
                return
            for start in range(0, len(versions), BLOCK):
                block = versions[start : start + BLOCK]
                known = self._versions[start : start + BLOCK]
                if block != known:
                    for number, (one, other) in enumerate(zip(block, known), start):
                        if one != other:
                            self._read(number)
            self._versions = versions

    def namespace(self, name: str) -> Mapping[int, Positions]:
        """Return the positions of the pods of a namespace by row."""
        with self._lock:
            return dict(self._pods.get(name, {}))

    def namespaces(self) -> list[str]:
        """Return the namespaces that have pods."""
        with self._lock:
            return list(self._pods)

    def node(self, name: str) -> Iterable[int]:
        """Return the rows of the agents of a node; more than one while its agent is being replaced."""
        with self._lock:
            return list(self._nodes.get(name, ()))

    def nodes(self) -> list[str]:
        """Return the names of all nodes."""
        with self._lock:
            return list(self._nodes)

    def agent(self, row: int) -> IndexedAgent | None:
        """Return what is kept of an agent."""
        return self._agents.get(row)

    def _read(self, row: int) -> None:
        """Index the agent of a row anew."""
        self._forget(row)
        found = self._table.read(row, DESCRIPTION)
        if not found:
            return
        (version, *_), (stored,) = found
        agent, description = indexed(version, stored)
        columns = self._columns.setdefault(agent.columns, agent.columns)
        # PERF: each name once, not once per agent.
        names = tuple(self._texts.setdefault(name, name) for name in description.namespaces)
        for name, positions in description.namespaces.items():
            self._pods.setdefault(self._texts[name], {})[row] = tuple(positions)
        self._nodes.setdefault(description.node, set()).add(row)
        self._agents[row] = agent._replace(columns=columns, namespaces=names)

    def _forget(self, row: int) -> None:
        agent = self._agents.pop(row, None)
        if not agent:
            return
        for name in agent.namespaces:
            rows = self._pods[name]
            del rows[row]
            if not rows:
                del self._pods[name]
                del self._texts[name]
        rows_of_node = self._nodes[agent.node]
        rows_of_node.discard(row)
        if not rows_of_node:
            del self._nodes[agent.node]
