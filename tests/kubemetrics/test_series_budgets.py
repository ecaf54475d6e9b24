"""Budgets of series on the pages of the agent itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from telegen.config.model import SeriesLimits
from telegen.kubemetrics.series_budgets import SeriesBudgets, withheld_lines
from telegen.metrics.budgets import ENTRY, Budgets
from telegen.metrics.family import ALPHA, SharedLimit, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.series_ledger import LedgerRow, SeriesLedger
from telegen.shm.writer import ArenaWriter

LIMITS = SeriesLimits(series=100, stores={"pods": 30}, families={"f0": 4, "f1": 20})


@pytest.fixture(scope="module")
def readers() -> Iterator[list[ArenaReader]]:
    """Two stores of one resource, in two processes, each with five objects in seven families."""
    families = [gauge(f"f{number}", "H.", ALPHA, lambda obj: 1) for number in range(7)]
    render = renderer((("name", lambda obj: obj["metadata"]["uid"]),), families, lambda family, error: None)
    ledger, arenas = SeriesLedger(2), [Arena.create(str(number), 1 << 20) for number in range(2)]
    for number, arena in enumerate(arenas):
        budgets = Budgets(LIMITS, LedgerRow(ledger, number))
        store = MetricsStore(f"pods/{number}", families, render, ArenaWriter(arena, ()), budgets=budgets)
        store.replace([("ADDED", {"metadata": {"uid": str(uid)}}) for uid in range(5)])
    found = [ArenaReader(arena) for arena in arenas]
    yield found
    found.clear()
    for arena in arenas:
        arena.close()


def samples(readers: list[ArenaReader], limits: SeriesLimits) -> dict[str, float]:
    """Return the value of each series by the value of its label."""
    return {next(iter(one.labels.values())): one.value for family in SeriesBudgets(readers, limits).collect() for one in family.samples}


def test_own_metrics(readers: list[ArenaReader]) -> None:
    """Withheld series are shown by family over all processes; of the used shares that of all series, and others from 0.8 on."""
    found = samples(readers, LIMITS)
    withheld = {name: value for name, value in found.items() if not name.startswith("limits.")}
    assert withheld["f0"] == 6 and sum(withheld.values()) == 40
    assert {name: value for name, value in found.items() if name.startswith("limits.")} == {
        "limits.series": 0.3, "limits.stores.pods": 1.0, "limits.families.f0": 1.0,
    }  # fmt: skip
    assert samples(readers, SeriesLimits()) == {}


def test_lines(readers: list[ArenaReader]) -> None:
    """The status page has a line per budget, with the families that lack most."""
    family, store = withheld_lines(readers, LIMITS)
    assert family == "limits.families.f0 has no room: 6 series are withheld: f0 6"
    assert store.startswith("limits.stores.pods has no room: 34 series are withheld: f") and store.endswith(" 5, and others")


def test_entries(readers: list[ArenaReader]) -> None:
    """Without limits in the configuration only those of entries of custom resources are named, not what earlier limits have withheld."""
    assert withheld_lines(readers, SeriesLimits()) == []
    families, arena = [replace(gauge("x", "H.", ALPHA, lambda obj: 1), limit=SharedLimit(f"{ENTRY} x", 2))], Arena.create("x", 1 << 20)
    render = renderer((("name", lambda obj: obj["metadata"]["uid"]),), families, lambda family, error: None)
    budgets = Budgets(SeriesLimits(), LedgerRow(SeriesLedger(1), 0))
    store = MetricsStore("customresources/g/v1,things", families, render, ArenaWriter(arena, ()), budgets=budgets)
    store.replace([("ADDED", {"metadata": {"uid": str(uid)}}) for uid in range(5)])
    (line,) = withheld_lines([*readers, ArenaReader(arena)], SeriesLimits())
    assert line == "limits.series of the entry of x has no room: 3 series are withheld: x 3"
    assert samples([*readers, ArenaReader(arena)], SeriesLimits()) == {"x": 3.0}
    arena.close()
