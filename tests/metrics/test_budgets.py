"""Budgets of series: what does not fit is withheld, and appears by itself when there is room."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telegen.config.model import Config, KubeMetrics, SeriesLimits
from telegen.config.validation import resource_problems
from telegen.kubemetrics.exposition import assemble
from telegen.kubestate.registry import RESOURCES
from telegen.metrics.budgets import Budgets, Share, resource_of
from telegen.metrics.created import with_created
from telegen.metrics.family import ALPHA, Object, SharedLimit, counter, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena, Withheld
from telegen.shm.reader import ArenaReader
from telegen.shm.series_ledger import NAMES, LedgerRow, SeriesLedger
from telegen.shm.writer import ArenaWriter

FAMILIES = (
    gauge("a", "A.", ALPHA, lambda obj: [(str(row), 1) for row in range(obj["rows"][0])], "x"),
    gauge("b", "B.", ALPHA, lambda obj: [(str(row), 1) for row in range(obj["rows"][1])], "x"),
)
IDENTITY = (("name", lambda obj: obj["metadata"]["uid"]),)
SAMPLE = re.compile(r'(\w+)\{name="(\w+)".*')


class Process:
    """A process of an agent: its arena outlives it, and its store has the budgets."""

    def __init__(self, ledger: SeriesLedger, number: int, limits: SeriesLimits) -> None:
        self.ledger, self.number, self.limits = ledger, number, limits
        self.name = f"s{number}/shop"
        self.arena = Arena.create(str(number), 16 << 20)
        self.start()

    def start(self) -> None:
        """Begin with what the process before has published."""
        writer = ArenaWriter(self.arena, [self.name], 0.0)
        self.row = LedgerRow(self.ledger, self.number)
        self.budgets = Budgets(self.limits, self.row, writer.inherited_series)
        render = renderer(IDENTITY, FAMILIES, lambda family, error: pytest.fail(str(error)))
        self.store = MetricsStore(self.name, FAMILIES, render, writer, 0, 4, budgets=self.budgets)

    def series(self) -> Counter[tuple[str, str]]:
        """Return the number of samples on the page by family and object."""
        text = b"".join(assemble([ArenaReader(self.arena)], False).text()).decode()
        return Counter(SAMPLE.fullmatch(line).groups() for line in text.split("\n") if line and line[0] != "#")  # type: ignore[union-attr]

    def shown(self, family: str = "a") -> str:
        """Return the names of the objects that have samples of a family, in order of name."""
        return "".join(sorted(name for one, name in self.series() if one == family))

    def withheld(self) -> Mapping[str, Withheld]:
        """Return what the last publication names as withheld."""
        snapshot = ArenaReader(self.arena).load()
        assert snapshot
        return snapshot.stores[self.name].entry.withheld


def thing(name: str, *rows: int, version: str = "") -> Object:
    """Make an object with so many rows of each family."""
    return {"metadata": {"uid": name, "resourceVersion": version}, "rows": [*rows, 0, 0]}


def listed(*objects: Object) -> list[tuple[str, Object]]:
    return [("ADDED", obj) for obj in objects]


class Processes:
    """Processes that share a ledger."""

    def __init__(self) -> None:
        self.ledger = SeriesLedger(4)
        self.made: list[Process] = []

    def start(self, limits: SeriesLimits) -> Process:
        """Start a further process."""
        self.made.append(Process(self.ledger, len(self.made), limits))
        return self.made[-1]

    def total(self) -> int:
        """Return the series of all processes, as a further one reads them."""
        return LedgerRow(self.ledger, 3).sum(0)

    def close(self) -> None:
        for one in self.made:
            one.arena.close()


@pytest.fixture
def agent() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


def test_first_come_first_served(agent: Processes) -> None:
    """Objects that come first are shown whole; one that does not fit is withheld, named with its budget, and shown when one goes."""
    one = agent.start(SeriesLimits(per_family=4))
    one.store.replace(listed(thing("a", 2, 1), thing("b", 2), thing("c", 1, 2)))
    assert (one.shown("a"), one.shown("b")) == ("ab", "ac")
    assert one.withheld() == {"a": Withheld(1, "limits.per_family (a)")}
    assert one.store.take_refused() == {"a": 1} and not one.store.take_refused()
    one.store.upsert(thing("d", 1))
    one.store.flush()
    assert one.shown() == "ab" and one.withheld()["a"].series == 2
    one.store.delete(thing("a"))
    one.store.flush()
    assert one.shown() == "bcd" and not one.withheld()


def test_room_goes_to_what_fits(agent: Processes) -> None:
    """Rows that are too many for the room do not keep others from it, and a newcomer does not overtake objects that came before."""
    one = agent.start(SeriesLimits(per_family=4))
    one.store.replace(listed(thing("a", 1), thing("b", 2), thing("c", 2), thing("d", 1), thing("e", 1)))
    assert one.shown() == "abd"
    one.store.delete(thing("a"))
    one.store.upsert(thing("f", 1))
    one.store.flush()
    assert one.shown() == "bde", "e came before f"


def test_growth(agent: Processes) -> None:
    """An object that grows beyond the room is withheld whole in that family, and shown when it fits again; others stay."""
    one = agent.start(SeriesLimits(families={"a": 4}))
    one.store.replace(listed(thing("a", 2, 9), thing("b", 2)))
    one.store.upsert(thing("a", 3, 9))
    one.store.flush()
    assert (one.shown("a"), one.shown("b"), one.withheld()["a"].series) == ("b", "a", 3)
    one.store.upsert(thing("a", 2, 9))
    one.store.flush()
    assert one.shown() == "ab"


def test_list_keeps_what_is_shown(agent: Processes) -> None:
    """A new list in another order, with more objects, shows what was shown before, then what was withheld, then new objects."""
    one = agent.start(SeriesLimits(per_store=3))
    one.store.replace(listed(thing("x", 1), thing("y", 1), thing("z", 1), thing("w", 1)))
    assert one.shown() == "xyz"
    one.store.take_refused()
    one.store.replace(listed(thing("a", 1), thing("w", 1), thing("x", 1), thing("y", 1)))
    assert one.shown() == "wxy" and one.withheld()["a"].series == 1
    assert one.store.take_refused() == {"a": 1}, "w had been counted before"


def test_failed_list_gives_back(agent: Processes) -> None:
    """A list that breaks leaves page and counts unchanged."""
    one = agent.start(SeriesLimits(series=3))
    one.store.replace(listed(thing("a", 1)))

    def broken() -> Iterator[tuple[str, Object]]:
        yield from listed(thing("b", 2), thing("c", 2))
        raise OSError

    with pytest.raises(OSError):
        one.store.replace(broken())
    assert one.shown() == "a" and agent.total() == 1


def test_restart_has_the_room_of_its_predecessor(agent: Processes) -> None:
    """A process that replaces another one is not short of the room that the old series have until it is complete."""
    one, two = (agent.start(SeriesLimits(series=4)) for _ in range(2))
    one.store.replace(listed(thing("a", 1), thing("b", 2)))
    one.start()
    assert agent.total() == 3
    two.store.replace(listed(thing("c", 2)))
    assert two.shown() == "", "the old series are still served"
    one.store.replace(listed(thing("a", 1), thing("b", 1)))
    assert one.shown() == "ab"
    two.store.flush()
    assert two.shown() == "c"


def test_ledger_without_limits_stays_small(agent: Processes) -> None:
    """The rows of ended processes that had no limits stay holes; that of one that had some is cleared."""
    for row in range(3):
        agent.ledger.forget(row)
    assert os.fstat(agent.ledger._fd).st_blocks * 512 <= 3 * 4096
    one = agent.start(SeriesLimits(series=4))
    one.store.replace(listed(thing("a", 3)))
    agent.ledger.forget(0)
    assert agent.total() == 0


def test_restart_leaves_no_gap(agent: Processes) -> None:
    """While a process takes over from one that died in the middle of a list, the others see the served series at any moment."""
    one = agent.start(SeriesLimits(series=4))
    one.store.replace(listed(thing("a", 3)))
    one.row.add(0, 1)
    row = LedgerRow(agent.ledger, 0)
    assert agent.total() == 4, "until the process has read what is served, nothing is given back"
    Budgets(one.limits, row, ArenaWriter(one.arena, [one.name], 0.0).inherited_series)
    assert agent.total() == 3


def test_state_opened_while_another_is_closed(agent: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A successor of a store that another thread makes while a state ends is counted."""
    one = agent.start(SeriesLimits(series=4))
    ending, opened = one.budgets.account(one.name, FAMILIES), []
    assert ending and ending.take({0: 1})
    thread = threading.Thread(target=lambda: opened.append(one.budgets.account(one.name, FAMILIES)))
    count = Share.count

    def slow(share: Share, number: int) -> int:
        if not thread.ident:
            thread.start()
            thread.join(0.2)
        return count(share, number)

    monkeypatch.setattr(Share, "count", slow)
    ending.close()
    thread.join()
    assert opened[0].take({0: 3}) and agent.total() == 3


def test_limits_of_budgets_beyond_the_table(agent: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets that share the last place of the table have their own limits."""
    monkeypatch.setattr(LedgerRow, "number", lambda row, name: NAMES - 1)
    one = agent.start(SeriesLimits(families={"a": 9, "b": 2}))
    one.store.replace(listed(thing("x", 0, 3), thing("y", 8)))
    assert (one.shown("a"), one.shown("b")) == ("y", "")


def test_successor_with_another_table(agent: Processes) -> None:
    """A store that replaces another of its name has its room, and what the old one held is given back."""
    one = agent.start(SeriesLimits(series=3))
    one.store.replace(listed(thing("a", 3)))
    table = FAMILIES[1:]
    render = renderer(IDENTITY, table, lambda family, error: None)
    after = MetricsStore(one.name, table, render, one.store._arena, budgets=one.budgets, predecessor=one.store)
    after.replace(listed(thing("a", 0, 2)))
    assert one.series() == {("b", "a"): 2} and agent.total() == 2
    after.withdraw()
    assert agent.total() == 0


def test_room_shows_no_old_store(agent: Processes) -> None:
    """A store that is hidden for its age stays so when room comes free for what it withholds; a new list shows it."""
    one, two = (agent.start(SeriesLimits(series=2)) for _ in range(2))
    one.store.replace(listed(thing("a", 2)))
    two.store.replace(listed(thing("b", 1)))
    two.store._arena.mark_old(two.name, True)
    one.store.replace([])
    assert two.store.flush() and not two.withheld() and two.shown() == ""
    two.store.replace(listed(thing("b", 1)))
    assert two.shown() == "b"


def test_creation_times_count(agent: Processes) -> None:
    """Both columns of a counter are shown or withheld together, and its creation times count."""
    table = (counter("n_total", "N.", ALPHA, lambda obj: obj["rows"][0]),)
    columns, render = with_created(table, renderer(IDENTITY, table, lambda family, error: None), lambda obj: 5.0)
    arena = Arena.create("created", 1 << 20)
    budgets = Budgets(SeriesLimits(series=3), LedgerRow(agent.ledger, 0))
    store = MetricsStore("s", columns, render, ArenaWriter(arena, ["s"], 0.0), budgets=budgets)
    store.replace(listed(thing("a", 7), thing("b", 8)))
    pages = ["".join(part.decode() for part in assemble([ArenaReader(arena)], openmetrics).text()) for openmetrics in (False, True)]
    assert [page.count("{") for page in pages] == [1, 2]
    arena.close()


def test_one_warning(agent: Processes) -> None:
    """A budget that comes to 80 % is warned of once by one process, and again after it was below 70 %."""
    one, two = (agent.start(SeriesLimits(series=10)) for _ in range(2))
    one.store.replace(listed(thing("a", 4)))
    two.store.replace(listed(thing("b", 4)))
    assert [*one.budgets.warnings(), *two.budgets.warnings(), *one.budgets.warnings()] == [
        "limits.series: 8 of 10 series; what does not fit is withheld; raise the limit, or serve fewer families"
    ]
    two.store.replace([])
    assert not [*one.budgets.warnings(), *two.budgets.warnings()]
    two.store.replace(listed(thing("b", 4)))
    assert len([*one.budgets.warnings(), *two.budgets.warnings()]) == 1


@pytest.mark.parametrize(
    ("store", "name"),
    [
        ("pods", "pods"), ("pods/shop@east", "pods"), ("nodes/@east", "nodes"), ("containers/cpu", "containers"),
        ("customresources/example.com/v1,things/shop@east", "things.example.com"), ("customresources//v1,configmaps", "configmaps"),
        ("customresources/definitions@east", "customresources"),
    ],
)  # fmt: skip
def test_names_of_stores(store: str, name: str) -> None:
    """Stores of one resource share a budget, which the configuration can name."""
    assert resource_of(store) == name
    limits = KubeMetrics(limits=SeriesLimits(stores={name: 1}))
    assert not list(resource_problems(Config(kube_metrics=limits), RESOURCES, tuple))


LIMITS = SeriesLimits(series=14, per_store=9, families={"a": 7})
Names = st.sampled_from("abcdefg")
Rows = st.tuples(st.integers(0, 4), st.integers(0, 4))
Which = st.integers(0, 1)


class Events(RuleBasedStateMachine):
    """Random events in two processes under budgets that they share."""

    def __init__(self) -> None:
        super().__init__()
        self.agent = Processes()
        self.processes = [self.agent.start(LIMITS) for _ in range(2)]
        self.held: list[dict[str, Any]] = [{}, {}]
        for one in self.processes:
            one.store.replace([])

    @rule(which=Which, name=Names, rows=Rows)
    def upsert(self, which: int, name: str, rows: tuple[int, int]) -> None:
        """Add or change an object."""
        self.processes[which].store.upsert(thing(name, *rows))
        self.held[which][name] = rows

    @rule(which=Which, name=Names)
    def delete(self, which: int, name: str) -> None:
        """Remove an object that may be unknown."""
        self.processes[which].store.delete(thing(name))
        self.held[which].pop(name, None)

    @rule(which=Which)
    def flush(self, which: int) -> None:
        """Publish the changes of one process."""
        self.processes[which].store.flush()

    @rule(which=Which, content=st.dictionaries(Names, Rows, max_size=7), restart=st.booleans())
    def list(self, which: int, content: dict[str, Any], restart: bool) -> None:
        """Take a new list, in a new process or in the one that runs."""
        if restart:
            self.processes[which].start()
        self.processes[which].store.replace(listed(*(thing(name, *rows) for name, rows in content.items())))
        self.held[which] = dict(content)

    @rule()
    def settle(self) -> None:
        """After a publication of each process, rows are shown whole or not at all, and none that fits is withheld."""
        for _ in range(2):
            for one in self.processes:
                one.store.flush()
        pages = [one.series() for one in self.processes]
        for which, page in enumerate(pages):
            withheld: Counter[str] = Counter()
            for name, rows in self.held[which].items():
                for family, count in zip("ab", rows):
                    if page[family, name] == count:
                        continue
                    assert not page[family, name]
                    assert count > self._room(pages, which, family)
                    withheld[family] += count
            assert {family: one.series for family, one in self.processes[which].withheld().items()} == withheld
            assert set(page) <= {(family, name) for name in self.held[which] for family in "ab"}
        assert self.agent.total() == sum(sum(page.values()) for page in pages)

    @invariant()
    def within_budgets(self) -> None:
        """No publication exceeds a budget."""
        stores = [self._published(one) for one in self.processes]
        assert sum(sum(store.values()) for store in stores) <= LIMITS.series and sum(store["a"] for store in stores) <= LIMITS.families["a"]
        assert all(sum(store.values()) <= LIMITS.per_store for store in stores)

    def teardown(self) -> None:
        """Free the memory."""
        self.agent.close()

    @staticmethod
    def _published(one: Process) -> dict[str, int]:
        snapshot = ArenaReader(one.arena).load()
        assert snapshot
        return snapshot.stores[one.name].series()

    @staticmethod
    def _room(pages: list[Counter[tuple[str, str]]], which: int, family: str) -> int:
        series = LIMITS.series - sum(sum(page.values()) for page in pages)
        store = LIMITS.per_store - sum(pages[which].values())
        own = 7 - sum(count for page in pages for (one, _), count in page.items() if one == "a") if family == "a" else store
        return min(series, store, own)


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_limit_in_common(agent: Processes) -> None:
    """Families with a limit in common share it, over the stores of all processes."""
    limit, found = SharedLimit("limits.series of the entry of a", 5), []
    for number in (0, 1):
        one = agent.start(SeriesLimits())
        families = [replace(family, limit=limit) for family in FAMILIES]
        render = renderer(IDENTITY, families, lambda family, error: pytest.fail(str(error)))
        found.append(MetricsStore(one.name, families, render, ArenaWriter(one.arena, [], 0.0), 0, 4, budgets=one.budgets))
        found[-1].replace(listed(thing(f"{number}a", 2, 1), thing(f"{number}b", 1, 1)))
    first, second = agent.made
    assert (first.series().total(), first.withheld()) == (5, {})
    assert second.series() == Counter()
    assert second.withheld() == {"a": Withheld(3, limit.name), "b": Withheld(2, limit.name)}
    found[0].delete(thing("0a"))
    found[0].flush()
    found[1].flush()
    assert second.series().total() == 3
