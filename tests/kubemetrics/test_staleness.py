"""Stores that max_staleness withholds."""

from __future__ import annotations

import time
from dataclasses import replace

from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.staleness import shown, withheld
from telegen.kubemetrics.store_ages import StoreAges
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.store_status import Kind, StoreStatuses

STORES = ("pods", "nodes", "secrets", "gophers")


def agent(max_staleness: float, age: float = 0.1) -> View:
    """An agent that has lost contact for two of four stores, `age` seconds ago."""
    statuses = StoreStatuses(STORES)
    statuses["pods"].note_failed("unreachable")
    statuses["nodes"].note_synced()
    statuses["secrets"].note_refused("403 Forbidden")
    statuses["gophers"].note_refused("404 Not Found", Kind.ABSENT)
    time.sleep(age)
    heartbeats = Heartbeats(2)
    heartbeats.enter(1, 1)
    rows = {"supervisor": 0, "watch": 1}
    return View({}, {"watch": STORES}, heartbeats, rows, 30.0, statuses={"watch": statuses}, max_staleness=max_staleness)


def test_old_stores_are_withheld() -> None:
    """A store that cannot be reached or listed is withheld; one in sync, and one that the server lacks, is not."""
    assert withheld(agent(0.05)) == {("watch", "pods"), ("watch", "secrets")}
    assert withheld(agent(60.0)) == withheld(agent(0.0)) == frozenset()


def test_stores_that_are_shown() -> None:
    """A store without a status, such as that of a kind of custom resources, is withheld if one of its worker's is; others by their own."""
    view = agent(0.05)
    is_shown = shown(view, withheld(view))
    assert not is_shown("watch", "pods") and not is_shown("watch", "customresources/a.example/v1,things")
    assert is_shown("watch", "nodes") and is_shown("sample", "containers")
    assert shown(view, frozenset())("watch", "customresources/a.example/v1,things")


def test_process_that_has_ended() -> None:
    """All stores of a process without heartbeats grow old, though their last status is good."""
    view = agent(60.0, age=0.0)
    assert withheld(view) == frozenset()
    time.sleep(0.1)
    assert {store for _, store in withheld(replace(view, max_staleness=0.05))} == {"pods", "nodes", "secrets"}


def test_own_metric() -> None:
    """telegen_store_withheld has each store, and does not exist without the setting."""

    def shown(view: View) -> dict[str, float]:
        families = [family for family in StoreAges(view).collect() if family.name == "telegen_store_withheld"]
        return {sample.labels["store"]: sample.value for family in families for sample in family.samples}

    assert shown(agent(0.05)) == {"pods": 1.0, "nodes": 0.0, "secrets": 1.0, "gophers": 0.0}
    assert shown(agent(0.0)) == {}
