"""Counts of a kind, and the objects that have series of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from telegen.kubemetrics.exposition import assemble
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.detail import DetailedStore
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.status import examine
from telegen.kubestate.health.table import health_resource
from telegen.kubestate.health.tally import Tally, next_detail, sums
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

RESOURCE = health_resource(Kind("g.example", "v1", "things", "Thing", True), Schema())
CREATED, CHANGED, NOW = 1769904000, 1772359200, 2_000_000_000


def obj(name: int, ready: str = "True", version: int = 1, **status: Any) -> dict[str, Any]:
    metadata = {"uid": str(name), "name": f"n{name}", "namespace": "n", "resourceVersion": str(version)}
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-03-01T10:00:00Z"}]
    return {"metadata": {**metadata, "creationTimestamp": "2026-02-01T00:00:00Z"}, "status": {"conditions": conditions, **status}}


class Kept:
    """A store of one kind behind its DetailedStore."""

    def __init__(self, arena: Arena, setting: str = "auto", has_phases: bool = False) -> None:
        self.store = DetailedStore(setting, has_phases, lambda: NOW)
        render = renderer(RESOURCE.identity, RESOURCE.families, lambda family, error: pytest.fail(f"{family}: {error}"))
        guarded = self.store.guard(render, RESOURCE.families)
        self._inner = MetricsStore("s", RESOURCE.families, guarded, ArenaWriter(arena, ()))
        self.store.attach(self._inner)
        self._arena = arena
        self.objects: dict[int, dict[str, Any]] = {}

    def replace(self, *objects: dict[str, Any]) -> None:
        """Deliver a complete state, and another one as long as the store asks for it, as the worker does."""
        self.objects = {int(one["metadata"]["uid"]): one for one in objects} or self.objects
        for _ in range(3):
            self.store.replace(("ADDED", one) for one in self.objects.values())
            if not self.store.take_incomplete():
                return
        pytest.fail("the store asks for complete states without an end")

    def shown(self, family: str = "ready") -> int:
        """Return the number of series of a family."""
        self._inner.flush()
        page = b"".join(assemble([ArenaReader(self._arena)], False).text()).decode()
        return page.count(f"telegen_customresource_{family}{{")


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena.create("t", 64 << 20)
    yield made
    made.close()


def test_hysteresis() -> None:
    """Detail is lost at 500 objects and 2,000 unhealthy ones, and returns at 400 and 1,600."""
    assert [next_detail("all", *counts) for counts in ((500, 500), (501, 2000), (2001, 2001))] == ["all", "unhealthy", "none"]
    assert [next_detail("unhealthy", *counts) for counts in ((401, 0), (400, 400), (9000, 2000))] == ["unhealthy", "all", "unhealthy"]
    assert [next_detail("none", *counts) for counts in ((9000, 1601), (9000, 1600), (400, 400))] == ["none", "unhealthy", "all"]


def test_many_objects(arena: Arena) -> None:
    """Above 500 objects only the unhealthy ones are shown; the others return at 400. All are counted at any time."""
    kept = Kept(arena)
    kept.replace(*[obj(n, "False" if n < 7 else "True") for n in range(600)])
    assert kept.shown() == 7 and sums([kept.store.totals()]).objects == {"n": 600}
    for n in range(200, 599):
        kept.store.delete(kept.objects.pop(n))
    assert kept.shown() == 7 and not kept.store.is_truncated
    assert kept.store.take_incomplete()
    kept.replace()
    assert kept.shown() == 201
    assert sums([kept.store.totals()]).statuses == {("n", "Current"): 194, ("n", "InProgress"): 7}


def test_growth_by_events(arena: Arena) -> None:
    """Objects that are added one by one reach the same detail as a list of them, and each change of detail takes one more list."""
    kept = Kept(arena)
    kept.replace(*[obj(n) for n in range(500)])
    assert kept.shown() == 500
    kept.objects[500] = obj(500)
    kept.store.upsert(kept.objects[500])
    assert kept.store.take_incomplete() and not kept.store.take_incomplete()
    kept.replace()
    assert kept.shown() == 0
    changed = obj(3, "False", 2)
    kept.store.upsert(changed)
    assert kept.shown() == 1
    kept.store.upsert(obj(3, "True", 3))
    assert kept.shown() == 0


def test_too_many_unhealthy_objects(arena: Arena) -> None:
    """With more than 2,000 unhealthy objects none is shown and the kind is truncated, until 1,600 are left."""
    kept = Kept(arena)
    kept.replace(*[obj(n, "False") for n in range(2100)])
    assert kept.shown() == 0 and kept.store.is_truncated
    kept.replace(*[obj(n, "False" if n < 1600 else "True") for n in range(2100)])
    assert kept.shown() == 1600 and not kept.store.is_truncated


@pytest.mark.parametrize(("setting", "count"), [("all", 600), ("unhealthy", 3), ("none", 0)])
def test_fixed_detail(setting: str, count: int, arena: Arena) -> None:
    """A fixed detail shows its objects whatever their number."""
    kept = Kept(arena, setting)
    kept.replace(*[obj(n, "False" if n < 3 else "True") for n in range(600)])
    assert kept.shown() == count and not kept.store.is_truncated


@pytest.mark.parametrize(("distinct", "listed", "count"), [(16, False, 40), (17, False, 0), (40, True, 40)])
def test_phases(distinct: int, listed: bool, count: int, arena: Arena) -> None:
    """A field with more than 16 distinct values is no phase, unless the schema lists them."""
    kept = Kept(arena, has_phases=listed)
    kept.replace(*[obj(n, phase=f"phase {n % distinct}") for n in range(40)])
    assert (kept.shown("phase"), kept.shown()) == (count, 40)


def test_failed_list(arena: Arena) -> None:
    """A list that breaks off changes no count."""
    kept = Kept(arena)
    kept.replace(obj(1), obj(2, "False"))

    def broken() -> Iterator[tuple[str, dict[str, Any]]]:
        yield "ADDED", obj(3)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        kept.store.replace(broken())
    assert sums([kept.store.totals()]).statuses == {("n", "Current"): 1, ("n", "InProgress"): 1}


def test_time_since_an_object_is_not_ready() -> None:
    """The condition's own time counts, then the moment of the change if it was seen, then the creation; an earlier time stays, also
    over a new list, until the object is ready."""
    tally = Tally(lambda: NOW)

    def oldest(one: dict[str, Any], into: Tally = tally, before: Tally | None = None) -> int | None:
        into.take("1", one, examine(one), before)
        return into.totals().oldest

    assert oldest(obj(1, "False")) == CHANGED
    lagging = obj(1, observedGeneration=1)
    lagging["metadata"]["generation"] = 2
    assert oldest(obj(1)) is None
    assert oldest(lagging) == NOW
    assert oldest(lagging) == NOW
    assert oldest(lagging, Tally(lambda: NOW + 5), tally) == NOW
    assert oldest(obj(1)) is None
    assert oldest(lagging, Tally(lambda: NOW)) == CREATED


def test_names_of_hosts_as_types() -> None:
    """A kind has at most 64 types of conditions in its numbers, the frequent ones first."""
    tally = Tally()
    for n in range(200):
        one = {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": f"Host{n}", "status": "True"}]}}
        tally.take(str(n), one, examine(one))
    counted = sums([tally.totals()]).conditions
    assert len(counted) == 65 and counted["Ready", "True"] == 200 and counted["Other", "True"] == 200 - 63
