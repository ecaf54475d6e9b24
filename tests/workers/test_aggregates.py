"""Aggregates: after any sequence of changes the page has the functions of exactly the objects that there are."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from telegen.config.model import SeriesLimits
from telegen.kubemetrics.exposition import assemble
from telegen.kubestate.custom.cel.errors import OutOfSteps
from telegen.kubestate.custom.expressions.aggregates import (
    MAX_GROUPS,
    MAX_TEXT,
    NOTHING,
    Aggregates,
    Maximum,
    Minimum,
    Sum,
)
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.expressions.tables import AggregateTable, make_aggregates, shard_label
from telegen.kubestate.custom.model import Kind
from telegen.metrics.budgets import Budgets
from telegen.metrics.family import Object
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.series_ledger import LedgerRow, SeriesLedger
from telegen.shm.writer import ArenaWriter
from workers._custom.aggregates import AggregateStore, ContributingStore

KIND = Kind("g.example", "v1", "things", "Thing", True)
BY_TEAM = {"by": {"team": "metadata.labels.team"}}
METRICS = [
    {"name": "count", "aggregate": "count", **BY_TEAM},
    *({"name": function, "aggregate": function, "value": "spec.n", **BY_TEAM} for function in ("sum", "min", "max")),
]
TEAMS = st.sampled_from(["a", "b", None])
VALUES = st.sampled_from([0, 1, -3, 0.1, 0.2, 1e300, 5e-324, 2**53, "NaN", "x", None])
Held = dict[str, tuple[Any, Any]]
"""Team and value by name."""


def table_of(*metrics: dict[str, Any]) -> AggregateTable:
    """Return the aggregates of one entry."""
    text = json.dumps({"metrics": [{"resource": {"group": "g.example", "kind": "Thing"}, "prefix": "t", "metrics": metrics}]})
    found = make_aggregates(read_metrics(text.encode(), "f").entries, KIND)
    assert found
    return found


def thing(name: str, team: Any, value: Any) -> Object:
    """Make an object."""
    labels = {} if team is None else {"team": team}
    return {"metadata": {"uid": name, "name": name, "labels": labels}, "spec": {} if value is None else {"n": value}}


def ignored(family: str, error: Exception) -> None:
    """Ignore the objects for which an expression fails."""


class Kept:
    """The store of the aggregates of a kind, and the collections that feed it, in one process."""

    def __init__(self, arena: Arena, table: AggregateTable, predecessor: Kept | None = None) -> None:
        self.arena, families = arena, table.resource.families
        self.writer = predecessor.writer if predecessor else ArenaWriter(arena, ["t"], 0.0)
        made = Aggregates(table.aggregates, ignored)
        before = predecessor.store if predecessor else None
        self.store = AggregateStore(made, "t", families, renderer((), families, ignored), self.writer, predecessor=before)
        self.sources = [ContributingStore(MetricsStore(name, (), lambda obj: [], self.writer), self.store) for name in ("x", "y")]

    def samples(self) -> dict[str, float]:
        """Flush, and return the samples of the page."""
        self.store.flush()
        text = b"".join(assemble([ArenaReader(self.arena)], False).text()).decode()
        return {series: float(value) for series, value in (line.split() for line in text.split("\n") if line and line[0] != "#")}


def wanted(held: Held) -> dict[str, float]:
    """Return the samples of objects, each aggregate computed anew."""
    found: dict[str, float] = {}
    for team in {team for team, _ in held.values()}:
        label = f'{{team="{team or ""}"}}'
        mine = [value for one, value in held.values() if one == team]
        found[f"t_count{label}"] = len(mine)
        numbers = [value for value in mine if isinstance(value, (int, float))]
        if numbers:
            exact = float(sum(map(Fraction, numbers)))
            found.update({f"t_sum{label}": exact, f"t_min{label}": min(numbers), f"t_max{label}": max(numbers)})
    return found


class Changes(RuleBasedStateMachine):
    """Random changes of the objects of two collections, and a plain dict of each as model."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = Arena.create("t", 16 << 20)
        self.table = table_of(*METRICS)
        self.begin(None)

    def begin(self, predecessor: Kept | None) -> None:
        """Begin with nothing: as a new process, or after a reload."""
        self.kept = Kept(self.arena, self.table, predecessor)
        self.held: list[Held] = [{}, {}]

    Names, Which = st.sampled_from("abcd"), st.integers(0, 1)

    @rule(which=Which, held=st.dictionaries(Names, st.tuples(TEAMS, VALUES)), gone=Names)
    def replace(self, which: int, held: Held, gone: str) -> None:
        """Take a complete state, in which an object comes and goes."""
        objects = [("ADDED", thing(f"{which}{name}", *one)) for name, one in held.items()]
        passing = [("ADDED", thing(f"{which}{gone}", "a", 7)), ("DELETED", thing(f"{which}{gone}", "a", 7))]
        self.kept.sources[which].replace(passing + objects)
        self.held[which] = held

    @rule(which=Which, name=Names, one=st.tuples(TEAMS, VALUES))
    def upsert(self, which: int, name: str, one: tuple[Any, Any]) -> None:
        """Add or change an object."""
        self.kept.sources[which].upsert(thing(f"{which}{name}", *one))
        self.held[which][name] = one

    @rule(which=Which, name=Names)
    def delete(self, which: int, name: str) -> None:
        """Remove an object, which may be unknown."""
        self.kept.sources[which].delete(thing(f"{which}{name}", None, None))
        self.held[which].pop(name, None)

    @rule(which=Which)
    def fail(self, which: int) -> None:
        """Break off a complete state: nothing changes."""

        def events() -> Iterator[tuple[str, Object]]:
            yield "ADDED", thing(f"{which}a", "a", 99)
            raise ConnectionError

        with pytest.raises(ConnectionError):
            self.kept.sources[which].replace(events())

    @rule(reload=st.booleans())
    def restart(self, reload: bool) -> None:
        """Replace the store, by a reload or in a new process: the page stays until the successor is complete."""
        before, known = self.kept.samples(), self.held
        self.begin(self.kept if reload else None)
        self.upsert(0, "a", ("a", 12345))
        assert self.kept.samples() == before
        for which, held in enumerate(known):
            self.replace(which, held, "a")

    @precondition(lambda self: not self.kept.store.synced)
    @rule()
    def publish(self) -> None:
        """Publish for the first time."""
        self.kept.store.publish()

    @invariant()
    def has_the_page(self) -> None:
        if self.kept.store.synced:
            assert self.kept.samples() == wanted({f"{which}{name}": one for which in (0, 1) for name, one in self.held[which].items()})

    def teardown(self) -> None:
        self.arena.close()


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_sum_is_exact() -> None:
    """Floats of any size leave no rest, whatever comes and goes in which order."""
    draw, total = random.Random(1), Sum()
    numbers = [draw.choice([1, -1]) * 10 ** draw.uniform(-320, 300) for _ in range(300)]
    for number in numbers:
        total.add(number)
    assert total.value == float(sum(map(Fraction, numbers)))
    for number in draw.sample(numbers, len(numbers)):
        total.add(number, -1)
    assert total.value == 0 and not total
    for number in (1.7e308, 1.7e308):
        total.add(number)
    assert total.value == math.inf


@pytest.mark.parametrize("kind, function", [(Minimum, min), (Maximum, max)])
def test_extremes(kind: type[Minimum], function: Any) -> None:
    """The extreme is right when it leaves, and numbers that change below it take no memory."""
    draw, extreme, held = random.Random(2), kind(), [0]
    extreme.add(0)
    for _ in range(2000):
        number = draw.choice([draw.randint(-9, 9), draw.uniform(-9, 9)])
        extreme.add(number)
        held.append(number)
        if draw.random() < 0.9:
            extreme.add(held.pop(draw.randrange(len(held) - 1) if len(held) > 1 else 0), -1)
        assert extreme.value == function(held)
    assert len(extreme._heap) <= 2 * len(set(held)) + 17


def test_items_of_objects() -> None:
    """An aggregate counts and adds the items of all objects, where its condition holds."""
    loop = {"forEach": [{"in": "spec.l", "as": "i"}], "by": {"k": "i.k"}, "when": "i.n > 1"}
    table = table_of({"name": "c", "aggregate": "count", **loop}, {"name": "s", "aggregate": "sum", "value": "i.n", **loop})
    made = Aggregates(table.aggregates, ignored)
    for uid in ("a", "b"):
        items = [{"k": "x", "n": 2}, {"k": "x", "n": 3.5}, {"k": "y", "n": 1}, {"k": "z", "n": 5}]
        made.change(NOTHING, made.contribution({"metadata": {"uid": uid}, "spec": {"l": items}}))
    assert [one["row"] for one in made.take_changes()] == [("x", 4), ("z", 2), ("x", 11.0), ("z", 10)]


def test_hostile_objects() -> None:
    """An object that takes too many steps, or is part of too many groups or of one with a long label, is left out of this aggregate."""
    many = {"forEach": [{"in": "spec.l", "as": "i"}], "by": {"k": "i"}}
    metrics = {
        "a": {"aggregate": "count", **many},
        "b": {"aggregate": "sum", "value": "spec.l.map(x, spec.l.map(y, spec.l.map(z, 1)).size()).size()"},
        "c": {"aggregate": "count"},
        "d": {"aggregate": "count", "by": {"text": "spec.text"}},
    }
    errors: list[tuple[str, type[Exception]]] = []
    table = table_of(*({"name": name, **metric} for name, metric in metrics.items()))
    made = Aggregates(table.aggregates, lambda family, error: errors.append((family, type(error))))
    spec = {"l": list(range(MAX_GROUPS + 1)), "text": "x" * (MAX_TEXT + 1)}
    made.change(NOTHING, made.contribution({"metadata": {"uid": "u"}, "spec": spec}))
    assert errors == [("t_a", ValueError), ("t_b", OutOfSteps), ("t_d", ValueError)]
    assert [(one["family"], one["row"]) for one in made.take_changes()] == [("t_c", (1,))]


def test_several_versions() -> None:
    """Aggregates of a kind that is read in several versions have the labels of the kind, as its objects have."""
    resource = {"group": "g.example", "kind": "Thing", "everyVersion": True}
    metrics = [{"name": "c", "aggregate": "count", "by": {"team": "metadata.labels.team"}}]
    text = json.dumps({"metrics": [{"resource": resource, "identity": "both", "prefix": "t", "metrics": metrics}]})
    table = make_aggregates(read_metrics(text.encode(), "f").entries, KIND)
    assert table
    made = Aggregates(table.aggregates, ignored)
    made.change(NOTHING, made.contribution(thing("a", "x", 1)))
    (group,) = made.objects()
    labels = 'customresource_group="g.example",customresource_version="v1",customresource_kind="Thing",team="x"'
    assert renderer((), table.resource.families, ignored)(group) == [f"t_c{{{labels}}} 1\n"]


def test_limit_of_groups() -> None:
    """Groups by a label with many values have no more series than the limit of their entry; those that wait appear when others go."""
    metric, arena = {"name": "c", "aggregate": "count", "by": {"name": "metadata.name"}}, Arena.create("t", 16 << 20)
    entry = {"resource": {"kind": "Thing"}, "prefix": "t", "limits": {"series": 3}, "metrics": [metric]}
    table = make_aggregates(read_metrics(json.dumps({"metrics": [entry]}).encode(), "f").entries, KIND)
    assert table
    writer, families = ArenaWriter(arena, ()), table.resource.families
    budgets = Budgets(SeriesLimits(), LedgerRow(SeriesLedger(1), 0))
    store = AggregateStore(Aggregates(table.aggregates, ignored), "t", families, renderer((), families, ignored), writer, budgets=budgets)
    source = ContributingStore(MetricsStore("x", (), lambda obj: [], writer), store)
    source.replace(("ADDED", thing(str(number), None, None)) for number in range(9))
    store.publish()

    def shown() -> str:
        store.flush()
        return "".join(sorted(re.findall('name="([0-9])"', b"".join(assemble([ArenaReader(arena)], False).text()).decode())))

    assert shown() == "012" and store.take_refused() == {"t_c": 6}
    source.delete(thing("1", None, None))
    assert shown() == "023"
    arena.close()


def test_shards() -> None:
    """Agents that divide the objects have one series each; the only one has no further label."""
    assert shard_label(0, 1) == {} and shard_label(2, 3) == {"shard": "2"}
