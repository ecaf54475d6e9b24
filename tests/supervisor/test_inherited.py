"""State that children inherit: rows of heartbeats, and arenas that outlive their writers."""

from __future__ import annotations

from telegen.config import Config
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter
from telegen.supervisor.inherited import Inherited
from tests.supervisor.conftest import plan_of
from workers._base import Assignment

LIMIT = 16 << 20
PODS, NODES = Assignment("watch-pods", "watch", ("pods",)), Assignment("watch-nodes", "watch", ("nodes",))
PLAN = plan_of(PODS, NODES, Assignment("web", "web"))


def publish(inherited: Inherited, name: str) -> None:
    """Publish an empty store of a worker."""
    ArenaWriter(inherited.shared(Config(), PLAN).arenas[name], ["pods"]).publish("pods", b"", b"\x90", 1, 0)


def test_each_publishing_worker_has_an_arena(inherited: Inherited) -> None:
    """Every worker has a row of its own; workers without stores have no arena."""
    inherited.make_room(PLAN, LIMIT)
    shared = inherited.shared(Config(), PLAN)
    assert set(shared.arenas) == {"watch-pods", "watch-nodes"}
    assert set(shared.rows) == {"supervisor", "watch-pods", "watch-nodes", "web"}
    assert len(set(shared.rows.values())) == 4


def test_rows_and_arenas_stay_over_a_new_plan(inherited: Inherited) -> None:
    """A worker of the same name keeps its row and its arena, and so what its predecessor published."""
    inherited.make_room(PLAN, LIMIT)
    row = inherited.row("watch-nodes")
    publish(inherited, "watch-nodes")
    inherited.make_room(plan_of(NODES), LIMIT)
    inherited.keep_arenas(["watch-nodes"])
    assert inherited.row("watch-nodes") == row
    shared = inherited.shared(Config(), plan_of(NODES))
    snapshot = ArenaReader(shared.arenas["watch-nodes"]).load()
    assert snapshot and set(snapshot.stores) == {"pods"}
    assert set(shared.rows) == {"supervisor", "watch-nodes"}


def test_statuses_stay_over_a_new_plan(inherited: Inherited) -> None:
    """A worker that a new plan does not concern, and the web processes of either plan, use the same rows; other stores get new ones."""
    inherited.make_room(PLAN, LIMIT)
    inherited.adopt_statuses(PLAN)
    before = inherited.shared(Config(), PLAN).statuses
    before["watch-pods"]["pods"].note_refused("403 Forbidden")
    inherited.adopt_statuses(plan_of(PODS, Assignment("watch-nodes", "watch", ("nodes", "leases"))))
    after = inherited.shared(Config(), PLAN).statuses
    assert after["watch-pods"]["pods"].read().cause == "403 Forbidden"
    assert set(after["watch-nodes"]) == {"nodes", "leases"}
    inherited.clear_statuses("watch-pods")
    assert before["watch-pods"]["pods"].read().cause == ""


def test_plan_that_fails_changes_nothing(inherited: Inherited) -> None:
    """Room for a plan that is not applied, as its address is taken, leaves the workers of the plan before all that they need."""
    inherited.make_room(PLAN, LIMIT)
    inherited.adopt_statuses(PLAN)
    inherited.make_room(plan_of(Assignment("watch-nodes", "watch", ("leases",))), LIMIT)
    shared = inherited.shared(Config(), PLAN)
    for worker in (PODS, NODES):
        assert set(shared.statuses[worker.name]) == set(worker.stores)
        assert worker.name in shared.arenas and worker.name in shared.rows


def test_arenas_of_ended_workers_are_closed(inherited: Inherited) -> None:
    """A worker that is no longer in the plan loses its arena; its row is never reused."""
    inherited.make_room(PLAN, LIMIT)
    inherited.keep_arenas(["watch-pods"])
    assert set(inherited.shared(Config(), PLAN).arenas) == {"watch-pods"}
    inherited.make_room(plan_of(Assignment("other", "watch")), LIMIT)
    assert inherited.row("other") not in {inherited.row(name) for name in ("watch-pods", "watch-nodes", "web")}


def test_cleared_arena_has_no_stores(inherited: Inherited) -> None:
    """Clearing removes the pages of a worker; a worker without an arena is ignored."""
    inherited.make_room(PLAN, LIMIT)
    publish(inherited, "watch-pods")
    reader = ArenaReader(inherited.shared(Config(), PLAN).arenas["watch-pods"])
    assert reader.load()
    inherited.clear_arena("watch-pods")
    inherited.clear_arena("web")
    assert reader.load() is None
