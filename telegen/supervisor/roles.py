"""Roles of a supervisor: the agent, and the adapter of the metrics APIs. A role is chosen by the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional

from telegen.config import Config
from telegen.supervisor.adapter_plan import make_adapter_plan
from telegen.supervisor.plan import Plan, make_plan

MakePlan = Callable[[Config, Mapping[str, str], Optional[str]], Plan]


@dataclass(frozen=True)
class Role:
    """A role.

    Attributes:
        listeners: paths of the settings that name an address to listen on.
        make_plan: decides which processes run, from the configuration, the environment, and the URL of the simulated API server.
    """

    listeners: tuple[str, ...]
    make_plan: MakePlan


AGENT = Role(("kube_metrics.listen_address", "kube_metrics.telemetry_address", "adapter.agent_address"), make_plan)
ADAPTER = Role(("adapter.listen_address", "adapter.telemetry_address"), make_adapter_plan)
