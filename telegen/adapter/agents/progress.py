"""Progress of polling: whether enough agents have answered for usage to be served."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from telegen.adapter.agents.poller import Polled
from telegen.adapter.agents.status import PollStatus
from telegen.adapter.agents.store import AgentStore

ENOUGH = 0.5
"""Share of the ready agents that must answer. A part of the pods is missing from an answer anyway while an agent fails; below this
share more than half of them are, and another replica may reach more."""


@dataclass
class Progress:
    """Judge of the agents' answers.

    Usage is served once each ready agent was polled, and enough have answered. Then it stays so, except while no agent at all has
    fresh usage: an answer that lacks some pods is better for an HPA than none, and APIs that are not available stop the deletion
    of every namespace of the cluster.

    Attributes:
        service: NAMESPACE/NAME of the agents' Service.
        is_complete: usage was served before; kept over a restart of the poll worker.
    """

    service: str
    is_complete: bool = False

    def status(
        self, agents: Collection[Polled], store: AgentStore, slices_known: bool, has_identity: bool, now: float
    ) -> PollStatus:
        """Return the status of polling.

        Args:
            slices_known: the EndpointSlices have been listed.
            has_identity: there is a certificate for polling.
            now: time of CLOCK_MONOTONIC in seconds.
        """
        ready = [agent for agent in agents if agent.endpoint.is_ready]
        silent = sum(not agent.is_answering for agent in ready)
        problem = self._problem(ready, store) if has_identity and slices_known else self._waiting(has_identity)
        self.is_complete = self.is_complete or not problem
        return PollStatus(now, self.is_complete, problem, len(agents), len(ready), silent, store.holders())

    def _waiting(self, has_identity: bool) -> str:
        if self.is_complete:
            return ""
        if not has_identity:
            return "there is no client certificate for the agents yet: the log of the process certificates has the cause"
        return f"the EndpointSlices of the Service {self.service} are not known yet: the log of the process poll has the cause"

    def _problem(self, ready: Collection[Polled], store: AgentStore) -> str:
        answering, untried = sum(agent.is_answering for agent in ready), sum(not agent.is_tried for agent in ready)
        if self.is_complete:
            return "" if not ready or store.has_fresh() else f"none of {len(ready)} agents answers: {_cause(ready)}"
        if not ready:
            return f"the Service {self.service} has no ready endpoints: set adapter.agent_address in the agents' configuration"
        if untried:
            return f"{untried} of {len(ready)} agents were not polled yet"
        if answering < ENOUGH * len(ready):
            return f"{answering} of {len(ready)} agents answer, half of them must: {_cause(ready)}"
        return ""


def _cause(agents: Collection[Polled]) -> str:
    """Return the failure of one of them."""
    return next((f"{agent.shown}: {agent.failed}" for agent in agents if agent.failed), "no answer yet")
