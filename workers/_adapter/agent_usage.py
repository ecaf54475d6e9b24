"""Usage of the agents, as a process of the adapter reads it."""

from __future__ import annotations

import logging

from telegen.adapter.agents import status
from telegen.adapter.agents.agent_usage import AgentUsage
from telegen.adapter.agents.families import FamiliesReader
from telegen.kubemetrics.adapter_telemetry import AdapterTelemetry
from workers._adapter.agent_identity import AgentIdentity
from workers._base import Shared


def make_usage(shared: Shared, telemetry: AdapterTelemetry) -> AgentUsage | None:
    """Return the usage of the agents; None if none are polled."""
    agents, config = shared.agents, shared.config
    if not agents:
        return None
    staleness, shards = config.adapter.max_staleness, config.kube_metrics.kube_state.total_shards
    identity = AgentIdentity(shared.certificates, logging.getLogger("telegen.adapter"))
    families = FamiliesReader(identity, lambda: status.decode(agents.status.read()[1]).holders, shards, staleness)
    return AgentUsage(agents.table, agents.status, families, staleness, left_out=telemetry.left_out)
