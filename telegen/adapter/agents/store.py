"""The newest documents of all agents in shared memory: written by the poll worker, read by `index`.

Each agent has a row of the table: description, usage, the labels of its node, and as numbers the offset of its clock and the
time of its last document. The rows outlive the poll worker.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from telegen.adapter.agents.documents import (
    Columns,
    Description,
    Document,
    Malformed,
    PodObject,
    columns_of,
    decode,
    describe,
    read_description,
    read_shards,
    stored_description,
    stored_usage,
)
from telegen.shm.allocator import ArenaFull
from telegen.shm.deflate import crc32
from telegen.shm.document_table import CURRENT, DESCRIPTION, EXTRA, DocumentTable, TableWriter
from telegen.shm.shared_agents import ROWS

NODE_LABELS = EXTRA
MOST_SKEW = 2.0
"""Seconds by which clocks may differ without a correction: a document does not show a smaller offset for certain."""


@dataclass(slots=True)
class StoredAgent:
    """State of one agent that the writer needs.

    Attributes:
        answered: time of the last document in Unix seconds.
        offset: seconds that the agent's clock is ahead; 0.0 if it is not corrected.
        departed: True if the agent is in no slice any more.
    """

    row: int
    node: str
    generation: str
    columns: Columns
    containers: Sequence[int]
    shards: Sequence[int]
    answered: float
    offset: float = 0.0
    departed: bool = False


@dataclass
class AgentStore:
    """Writer of the documents.

    Attributes:
        agents: by address.
        staleness: seconds after which the usage of an agent is not shown.
    """

    writer: TableWriter
    staleness: float
    clock: Callable[[], float] = time.time
    agents: dict[str, StoredAgent] = field(default_factory=dict)
    _labels: Mapping[str, bytes] = field(default_factory=dict)
    _columns: dict[Columns, Columns] = field(default_factory=dict)

    @classmethod
    def load(cls, table: DocumentTable, staleness: float) -> AgentStore:
        """Take over what the predecessor has stored."""
        store = cls(TableWriter(table), staleness)
        for row in store.writer:
            found = table.read(row, DESCRIPTION, CURRENT)
            if found:
                (_, _, (offset, answered), _), (description, usage) = found
                known = read_description(description)
                store.agents[known.address] = store._stored(row, known, read_shards(usage), answered, offset)
        return store

    def accept(self, address: str, node: str, body: bytes, began: float) -> StoredAgent:
        """Store a document.

        Args:
            node: name of the agent's node by its endpoint, "" if that has none.
            began: time of the request in Unix seconds.

        Raises:
            Malformed
            ArenaFull: there is no memory for it; what was stored stays.
        """
        document = decode(body)
        if node and document.node != node:
            raise Malformed(f"the document is of node {document.node}, the endpoint on node {node}")
        known = self.agents.get(address)
        answered = self.clock()
        offset = _offset(document.sent, began, answered)
        if document.objects is None:
            if known is None or (document.generation, columns_of(document)) != (known.generation, known.columns):
                raise Malformed("a new generation without objects")
            self.writer.write(known.row, {CURRENT: stored_usage(document, known.containers)}, (offset, answered))
        else:
            known = self._describe(address, document, document.objects, (offset, answered))
        known.shards, known.answered, known.offset, known.departed = tuple(document.shards), answered, offset, False
        return known

    def touch(self, address: str) -> None:
        """Note that the last document of an agent is its newest."""
        known = self.agents.get(address)
        if known:
            known.answered = self.clock()

    def set_labels(self, labels: Mapping[str, bytes]) -> None:
        """Set the labels of all nodes, JSON by name."""
        self._labels = labels
        for agent in self.agents.values():
            wanted = labels.get(agent.node, b"")
            if self.writer.checksum(agent.row, NODE_LABELS) != crc32(wanted):
                try:
                    self.writer.write(agent.row, {NODE_LABELS: wanted})
                except ArenaFull:
                    # The node keeps its last labels; a document of an agent that does not fit is logged by the poller.
                    continue

    def keep(self, addresses: Mapping[str, object], nodes_known: bool) -> None:
        """Note which agents are in the slices, and drop others whose usage is old or whose node is gone.

        The usage of an agent that was replaced stays until that of its successor comes, or until it is old.

        Args:
            nodes_known: the labels are those of all nodes.
        """
        now, fresh = self.clock(), [self.agents[address] for address in addresses if self._is_fresh(address)]
        # An agent that serves kube_* alone has no pods, and is no successor.
        current = {agent.node for agent in fresh if len(agent.containers)}
        for address, agent in list(self.agents.items()):
            agent.departed = address not in addresses
            is_gone = agent.node in current or (nodes_known and agent.node not in self._labels)
            if agent.departed and (is_gone or now - agent.answered > self.staleness):
                self.writer.clear(agent.row)
                del self.agents[address]

    def holders(self) -> dict[int, str]:
        """Return the address of the agent that serves each shard; of several the one that answered last."""
        now = self.clock()
        found = dict[int, str]()
        for address, agent in sorted(self.agents.items(), key=lambda item: item[1].answered):
            if not agent.departed and now - agent.answered <= self.staleness:
                found.update(dict.fromkeys(agent.shards, address))
        return found

    def has_fresh(self) -> bool:
        """Return True if the usage of any agent is not old."""
        return any(map(self._is_fresh, self.agents))

    def _is_fresh(self, address: str) -> bool:
        agent = self.agents.get(address)
        return agent is not None and self.clock() - agent.answered <= self.staleness

    def _describe(
        self, address: str, document: Document, objects: Sequence[PodObject], numbers: tuple[float, float]
    ) -> StoredAgent:
        """Store a document with objects."""
        description = describe(document, address)
        documents = {
            DESCRIPTION: stored_description(description, objects),
            CURRENT: stored_usage(document, description.containers),
            NODE_LABELS: self._labels.get(document.node, b""),
        }
        known = self.agents.get(address)
        row = known.row if known else self.writer.take_row()
        if row is None:
            raise ArenaFull(f"more than {ROWS} agents")
        try:
            self.writer.write(row, documents, numbers)
        except ArenaFull:
            if known is None:
                self.writer.clear(row)
            raise
        self.agents[address] = self._stored(row, description, document.shards, *reversed(numbers))
        return self.agents[address]

    def _stored(self, row: int, known: Description, shards: Sequence[int], answered: float, offset: float) -> StoredAgent:
        # PERF: agents of one version have the same columns; a copy each would take 1 kB.
        columns = self._columns.setdefault(known.columns, known.columns)
        return StoredAgent(row, known.node, known.generation, columns, array("H", known.containers), tuple(shards), answered, offset)


def _offset(sent: float, began: float, answered: float) -> float:
    """Seconds that the clock of an agent is ahead, 0.0 if the difference is small: the answer was made between both times."""
    offset = sent - min(max(sent, began), answered)
    return offset if abs(offset) > MOST_SKEW else 0.0
