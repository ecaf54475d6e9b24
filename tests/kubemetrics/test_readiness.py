"""Readiness with the causes of each store."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from telegen.kubemetrics.readiness import Report, View, readiness
from telegen.kubemetrics.store_ages import StoreAges
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.store_status import Kind, StoreStatus, StoreStatuses
from telegen.shm.writer import ArenaWriter

FORBIDDEN = "403 Forbidden: no right to list pods; apply k8s/account/rbac.yaml"
STORES = ("pods", "nodes")
SHORT = 0.25
"""A grace time that has passed for the stores, but not for the heartbeats."""
Act = Callable[[StoreStatus], None]


class Fresh(Heartbeats):
    """Heartbeats that are never older than a short grace time."""

    def age(self, row: int) -> float:
        return 0.0


def report(pods: Act, nodes: Act, published: tuple[str, ...] = STORES, grace: float = 30.0, names: tuple[str, ...] = STORES) -> Report:
    """Report of an agent with two stores, of which some were complete once."""
    arena = Arena.create("watch", 1 << 20)
    writer = ArenaWriter(arena, names)
    for name in published:
        writer.publish(name, b"", b"\x90", 1, 0)
    statuses = StoreStatuses(names)
    for name, act in zip(names, (pods, nodes)):
        act(statuses[name])
    if grace == SHORT:
        time.sleep(SHORT + 0.05)
    # The sampler's stores have no status.
    sampled = Arena.create("sample", 1 << 20)
    ArenaWriter(sampled, ["containers/cpu"]).publish("containers/cpu", b"", b"\x90", 1, 0)
    pages = {"/metrics": [ArenaReader(arena), ArenaReader(sampled)]}
    heartbeats, rows = Fresh(2), {"supervisor": 0, "watch": 1}
    heartbeats.enter(0, 1)
    heartbeats.enter(1, 1)
    return readiness(View(pages, {"watch": names, "sample": ["containers/cpu"]}, heartbeats, rows, grace, statuses={"watch": statuses}))


def refused(status: StoreStatus) -> None:
    """403, longer after the first answer than a server needs to load its rules."""
    time.sleep(0.15)
    status.note_refused(FORBIDDEN)


def failed(status: StoreStatus) -> None:
    """A failure."""
    status.note_failed("unreachable: connection refused; retrying in 8 s")


def test_all_in_sync() -> None:
    """An agent in sync answers ok."""
    assert report(StoreStatus.note_synced, StoreStatus.note_synced).text == "ok\n"


@pytest.mark.parametrize("published", [("pods",), STORES])
def test_refused_resource_is_named_and_does_not_count(published: tuple[str, ...]) -> None:
    """A 403 is a note, whether or not the store was complete before."""
    assert report(StoreStatus.note_synced, refused, published, grace=SHORT).text == f"ok\nnodes: {FORBIDDEN}\n"


def test_refusal_before_the_first_answer_counts() -> None:
    """A server that starts refuses everything: a refusal counts until a later request is refused again."""
    assert report(refused, StoreStatus.note_synced, ("nodes",)).text == f"pods: {FORBIDDEN}\n"


def test_nothing_may_be_listed() -> None:
    """If every resource is refused, the agent is not ready and each cause is named."""
    found = report(refused, refused, ())
    assert found.text == f"the API server: no resource may be listed\npods: {FORBIDDEN}\nnodes: {FORBIDDEN}\n"


def test_one_of_two_clusters_may_not_be_listed() -> None:
    """Each cluster must have a resource that may be listed."""
    found = report(refused, StoreStatus.note_synced, ("pods/@b",), names=("pods/@a", "pods/@b"))
    assert found.problems == ["cluster a: no resource may be listed"]


def test_restarting_server_refuses_everything() -> None:
    """Stores that were complete may all be refused for the grace time, and no longer."""
    assert report(refused, refused).problems == []
    assert report(refused, refused, grace=SHORT).problems == ["the API server: no resource may be listed"]


def test_never_complete() -> None:
    """A store that was never complete counts, with the cause if there is one."""
    assert report(failed, StoreStatus.note_waiting, ()).problems == [
        "pods: not synced yet: unreachable: connection refused; retrying in 8 s",
        "nodes: not synced yet",
    ]


def test_resource_that_the_server_lacks_does_not_count() -> None:
    """A 404 is a note for as long as it lasts."""
    found = report(StoreStatus.note_synced, lambda status: status.note_refused("404 Not Found", Kind.ABSENT), grace=SHORT)
    assert found.text == "ok\nnodes: 404 Not Found\n"


def test_resource_that_the_server_lacks_has_no_age() -> None:
    """A 404 is no fault, so an alert on the time out of sync must not fire; a 403 has its time."""
    statuses = StoreStatuses(STORES)
    statuses["pods"].note_refused(FORBIDDEN)
    statuses["nodes"].note_refused("404 Not Found", Kind.ABSENT)
    view = View({}, {"watch": STORES}, Heartbeats(1), {}, 30.0, statuses={"watch": statuses})
    samples = [sample for family in StoreAges(view).collect() for sample in family.samples]
    assert [sample.labels["store"] for sample in samples] == ["pods"]


def test_out_of_sync() -> None:
    """A store that was complete counts after the grace time, also if the server only does not answer."""
    assert report(failed, StoreStatus.note_waiting).text == "ok\n"
    problems = report(failed, StoreStatus.note_waiting, grace=SHORT).problems
    # A loaded machine may sleep for longer.
    assert [re.sub(r"for \d+ s$", "for N s", problem) for problem in problems] == [
        "pods: unreachable: connection refused; retrying in 8 s; out of sync for N s",
        "nodes: no answer yet; out of sync for N s",
    ]
