"""Stores of a shard are served while the agent holds it: checked before and after assembly, and at every part sent."""

from __future__ import annotations

from collections.abc import Callable

import falcon.testing
import pytest
from prometheus_client import CollectorRegistry

from telegen.kubemetrics.app import CLIENT, make_app
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.telemetry import Telemetry
from telegen.metrics.family import ALPHA, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

IDENTITY = (("name", lambda obj: obj["metadata"]["uid"]),)


def published(worker: str, resource: str) -> ArenaReader:
    """Publish one object of a resource in a worker's arena; return a reader."""
    arena = Arena.create(worker, 1 << 20)
    families = [gauge(resource, "One.", ALPHA, lambda obj: 1)]

    def failed(family: str, error: Exception) -> None:
        raise error

    store = MetricsStore(resource, families, renderer(IDENTITY, families, failed), ArenaWriter(arena, [resource]))
    store.replace([("ADDED", {"metadata": {"uid": "a"}})])
    return ArenaReader(arena)


class FakeClient:
    """A connection that notes how it ended."""

    def __init__(self) -> None:
        self.dropped = ""
        self.may_be_sent: Callable[[], bool] | None = None

    def is_gone(self) -> bool:
        return bool(self.dropped)

    def drop(self, reason: str) -> None:
        self.dropped = reason

    def watch(self, may_be_sent: Callable[[], bool]) -> None:
        self.may_be_sent = may_be_sent


@pytest.fixture
def make(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Callable[..., falcon.testing.TestClient]:
    """A function that makes a client of an agent with a store `own`, always served, and a store `shared`, served as the
    script says: one answer per check, the last one for ever."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    readers = [published("watch-node", "own"), published("watch-cluster", "shared")]

    def make(*script: bool, expected: tuple[str, ...] = ("shared",)) -> falcon.testing.TestClient:
        answers = list(script)

        def is_served(worker: str) -> bool:
            if worker != "watch-cluster":
                return True
            return answers.pop(0) if len(answers) > 1 else answers[0]

        heartbeats = Heartbeats(3)
        heartbeats.enter(0, 1)
        heartbeats.enter(1, 1)
        rows = {"supervisor": 0, "watch-node": 1, "watch-cluster": 2}
        view = View({"/metrics": readers}, {"watch-node": ["own"], "watch-cluster": expected}, heartbeats, rows, 30.0, is_served)
        return falcon.testing.TestClient(make_app(view, CollectorRegistry(), Telemetry("web-0")))

    return make


@pytest.mark.parametrize(("is_served", "shown"), [(True, True), (False, False)])
def test_shown_while_open(make: Callable[..., falcon.testing.TestClient], is_served: bool, shown: bool) -> None:
    """Stores of a shard appear while it is served, and have no headers otherwise; the agent's own stores always appear."""
    text = make(is_served).simulate_get("/metrics").text
    assert 'own{name="a"} 1' in text
    assert ("shared" in text) is shown


def test_closed_while_the_page_was_put_together(make: Callable[..., falcon.testing.TestClient]) -> None:
    """A shard that is lost during assembly is noticed: the page is assembled again without its stores."""
    text = make(True, False).simulate_get("/metrics").text
    assert 'own{name="a"} 1' in text and "shared" not in text


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_closed_before_the_first_byte(make: Callable[..., falcon.testing.TestClient], coding: str) -> None:
    """A shard that is lost after assembly ends the connection without a byte of the page: the scrape fails."""
    client = FakeClient()
    answer = make(True, True, False).simulate_get("/metrics", headers={"Accept-Encoding": coding}, extras={CLIENT: client})
    assert answer.content == b""
    assert client.dropped == "unserved"


def test_lost_while_a_client_takes_nothing(make: Callable[..., falcon.testing.TestClient]) -> None:
    """The connection gets a check by which its sweep notices the loss although no part is asked for."""
    client = FakeClient()
    make(True, True, True, False).simulate_get("/metrics", extras={CLIENT: client})
    assert client.may_be_sent is not None and not client.may_be_sent()


def test_head_is_not_broken_off(make: Callable[..., falcon.testing.TestClient]) -> None:
    """A HEAD sends no series, so it is not broken off."""
    assert make(True, True, False).simulate_head("/metrics").status_code == 200


def test_ready_without_what_others_serve(make: Callable[..., falcon.testing.TestClient]) -> None:
    """Readiness waits for the stores and processes of a shard only while it is served."""
    assert make(False, expected=("never",)).simulate_get("/readyz").status_code == 200
    answer = make(True, expected=("never",)).simulate_get("/readyz")
    assert answer.status_code == 503
    assert answer.text == "never: not synced yet\nwatch-cluster: never started\n"
