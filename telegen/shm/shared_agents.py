"""Documents of the agents that an adapter polls, inherited by the poll worker and the processes that serve."""

from __future__ import annotations

from telegen.shm.document_table import DocumentTable
from telegen.shm.shared_document import SharedDocument

ROWS = 16384
"""Most agents. A cluster has up to 5,000 nodes by the limits of Kubernetes."""
BYTES = 1 << 30
"""Most bytes of all documents. PERF: 14 kB per agent of 30 pods; the kernel allocates what is written."""
STATUS_BYTES = 1 << 20
"""Most bytes of the status."""


class SharedAgents:
    """State of all agents. The poll worker writes it.

    Attributes:
        table: documents (see `telegen.adapter.agents.store`).
        status: see `telegen.adapter.agents.status`.
    """

    def __init__(self) -> None:
        self.table = DocumentTable("agents", ROWS, BYTES)
        self.status = SharedDocument("agents-status", STATUS_BYTES)

    def close(self) -> None:
        """Unmap and close."""
        self.table.close()
        self.status.close()
