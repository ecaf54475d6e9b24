"""Readiness of usage by the progress of polling."""

from __future__ import annotations

import time
from typing import Any

from telegen.adapter.agents.endpoints import Endpoint
from telegen.adapter.agents.poller import Polled
from telegen.adapter.agents.progress import Progress
from telegen.adapter.agents.store import AgentStore
from telegen.shm.document_table import DocumentTable
from tests.adapter.polling.documents import document, encoded


def polled(count: int, answering: int = 0, failing: int = 0, ready: bool = True) -> list[Polled]:
    """Return agents, some of which answer, some of which fail, and the rest of which were not polled yet."""
    agents = [Polled(Endpoint(f"10.0.0.{number}", 9444, f"n{number}", ready)) for number in range(count)]
    for number, agent in enumerate(agents[: answering + failing]):
        agent.is_tried = True
        if number >= answering:
            agent.failures, agent.failed = 1, "timeout: no answer"
    return agents


def problem(progress: Progress, agents: list[Polled], stored: int = 0, **known: Any) -> str:
    """Return the problem."""
    store = AgentStore.load(DocumentTable("test", 8, 1 << 16), 60.0)
    for number in range(stored):
        store.accept(str(number), "", encoded(document("n1")), time.time())
    options = {"slices_known": True, "has_identity": True, "now": 1.0, **known}
    return progress.status(agents, store, **options).problem


def test_problems_before_the_first_answers() -> None:
    """Each thing that is missing is named: certificates, slices, endpoints, polls, answers."""
    progress = Progress("telegen/telegen-agents")
    assert "no client certificate" in problem(progress, [], has_identity=False)
    assert "EndpointSlices of the Service telegen/telegen-agents are not known" in problem(progress, [], slices_known=False)
    assert "no ready endpoints: set adapter.agent_address" in problem(progress, [])
    assert "no ready endpoints" in problem(progress, polled(1, 1, ready=False))
    assert problem(progress, polled(4, 1, 1)) == "2 of 4 agents were not polled yet"
    failed = "1 of 4 agents answer, half of them must: 10.0.0.1:9444 (node n1): timeout: no answer"
    assert problem(progress, polled(4, 1, 3)) == failed and not progress.is_complete


def test_half_of_the_agents_are_enough() -> None:
    """Once each agent was tried and half of them answer, usage is served, and stays so while agents fail or leave."""
    progress = Progress("telegen/telegen-agents")
    assert problem(progress, polled(4, 2, 2)) == "" and progress.is_complete
    assert problem(progress, polled(4, 1, 3), stored=1) == ""
    assert problem(progress, polled(9, 0, 1), stored=1) == ""
    assert problem(progress, []) == ""
    assert problem(progress, [], slices_known=False) == ""


def test_no_fresh_usage_at_all() -> None:
    """An adapter that reaches no agent any more is not ready: another replica may reach them."""
    progress = Progress("telegen/telegen-agents", is_complete=True)
    assert problem(progress, polled(2, 0, 2)) == "none of 2 agents answers: 10.0.0.0:9444 (node n0): timeout: no answer"
    assert problem(progress, polled(2, 0, 2), stored=1) == ""


def test_silent_agents_are_the_ready_ones() -> None:
    """An agent that answers before it is ready does not hide a ready one that is silent; one that is not ready may be silent."""
    agents = [*polled(2, 1, 1), *polled(3, 2, 1, ready=False)]
    status = Progress("telegen/telegen-agents").status(agents, AgentStore.load(DocumentTable("test", 8, 1 << 16), 60.0), True, True, 1.0)
    assert (status.known, status.ready, status.silent) == (5, 2, 1)
