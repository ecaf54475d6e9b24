"""Bodies that responses share."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import pytest

from telegen.kubemetrics import bodies
from telegen.kubemetrics.bodies import Bodies, Body, Variant
from telegen.kubemetrics.selection import ALL, Selection
from telegen.metrics.family import ALPHA, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

FAMILIES = [gauge("value", "Value.", ALPHA, lambda obj: obj["value"])]
PLAIN = Variant("/metrics", False, ALL)


class Connection:
    """A client that notes the reason of its end."""

    def __init__(self) -> None:
        self.dropped = ""

    def is_gone(self) -> bool:
        return bool(self.dropped)

    def drop(self, reason: str) -> None:
        self.dropped = reason

    def watch(self, may_be_sent: Callable[[], bool]) -> None:
        pass


class Agent:
    """A store with one object, and the bodies of one process."""

    def __init__(self, budget: int = 1) -> None:
        arena = Arena.create("a", 1 << 20)

        def failed(family: str, error: Exception) -> None:
            raise error

        self.store = MetricsStore("things", FAMILIES, renderer((), FAMILIES, failed), ArenaWriter(arena, ["things"]))
        self.readers, self.bodies = [ArenaReader(arena)], Bodies(budget)
        self.put(1)

    def put(self, value: int) -> None:
        """Publish another snapshot."""
        self.store.replace([("ADDED", {"metadata": {"uid": "u"}, "value": value})])

    def take(self, variant: Variant = PLAIN) -> Body:
        """Request a page."""
        return self.bodies.take(variant, self.readers, None, lambda: True)


def text(body: Body) -> bytes:
    """Return the text of a body."""
    return b"".join(body.page.text())


def read(body: Body, coding: str, client: Any) -> bytes:
    """Read a body as a response does."""

    async def whole() -> bytes:
        return b"".join([part async for part in body.parts(coding == "gzip", client)])

    return asyncio.run(whole())


def test_one_body_for_one_snapshot() -> None:
    """Requests of one snapshot share a body, whatever their coding; a new snapshot or another part has another."""
    agent = Agent(budget=1 << 20)
    first = agent.take()
    assert agent.take() is first
    assert agent.take(Variant("/metrics", False, Selection(families=("value",)))) is not first
    assert agent.take(Variant("/metrics", True, ALL)) is not first
    assert gzip.decompress(read(first, "gzip", Connection())) == read(first, "identity", Connection()) == text(first)
    agent.put(2)
    second = agent.take()
    assert b"value 2" in text(second) and b"value 1" in text(first)


def test_unused_body_is_freed() -> None:
    """Nothing is cached: the end of the last response ends the body."""
    agent = Agent()
    number = id(agent.take())
    kept = agent.take()
    agent.put(2)
    assert len(agent.bodies) == 1
    del kept
    assert len(agent.bodies) == 0 and number


def test_short_memory_serves_the_snapshot_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the budget a body serves new requests for `PATIENCE`; then it ends with its clients."""
    agent, client = Agent(), Connection()
    held = []
    for value in (2, 3, 4, 5):
        held.append(agent.take())
        agent.put(value)
    # Two of the largest page fit.
    assert [text(body).split()[-1] for body in held] == [b"1", b"2", b"2", b"2"]
    held[0].clients.add(client)
    monkeypatch.setattr(bodies, "PATIENCE", 0.0)
    assert b"value 5" in text(agent.take())
    assert client.dropped == "superseded"


def test_many_parts_of_pages_are_bounded() -> None:
    """A client that requests ever other parts of a page holds no more memory than the budget and one page."""
    agent = Agent()
    held = [agent.take(Variant("/metrics", False, Selection(excluded=frozenset({str(number)})))) for number in range(50)]
    assert len(held) == 50 and len(agent.bodies) <= 3


def test_client_that_has_gone_gets_nothing_more() -> None:
    """A response ends with its connection."""
    client = Connection()
    client.dropped = "slow"
    assert read(Agent().take(), "gzip", client) == b""
