"""Store: after any sequence of its operations, the page shows exactly the objects that it holds."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telegen.kubemetrics.exposition import assemble
from telegen.metrics.family import ALPHA, Object, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena, pack_index
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

FAMILIES = (
    gauge("value", "Value.", ALPHA, lambda obj: obj["value"]),
    gauge("odd", "Odd values only.", ALPHA, lambda obj: [("ü" * obj["value"], 1)] if obj["value"] % 2 else None, "x"),
)
IDENTITY = (("name", lambda obj: obj["metadata"]["uid"]),)
Names = st.sampled_from([f"n{number}" for number in range(11)])
Contents = st.dictionaries(Names, st.integers(0, 5), max_size=11)


def failed(family: str, error: Exception) -> None:
    """Raise errors of rendering."""
    raise error


def thing(name: str, value: int, version: str = "") -> Object:
    """Make an object."""
    return {"metadata": {"uid": name, "resourceVersion": version}, "value": value}


def new_store(arena: Arena) -> MetricsStore:
    """Make a store with four objects per block."""
    return MetricsStore("s", FAMILIES, renderer(IDENTITY, FAMILIES, failed), ArenaWriter(arena, ["s"], 0.0), 0, 4)


def lines(arena: Arena) -> list[str]:
    """Return the sorted samples of the page."""
    text = gzip.decompress(b"".join(assemble([ArenaReader(arena)], False).gzip())).decode()
    return sorted(line for line in text.split("\n") if line and line[0] != "#")


def wanted(held: dict[str, int]) -> list[str]:
    """Return the sorted samples of objects."""
    values = [f'value{{name="{name}"}} {value}' for name, value in held.items()]
    return sorted([*values, *[f'odd{{name="{name}",x="{"ü" * v}"}} 1' for name, v in held.items() if v % 2]])


class Verbs(RuleBasedStateMachine):
    """Random sequences of operations, on the store and on a plain dict as model."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = Arena.create("model", 1 << 22)
        self.store = new_store(self.arena)
        self.held: dict[str, int] = {}
        self.published: dict[str, int] | None = None
        self.version = 0

    @rule(name=Names, value=st.integers(0, 5))
    def upsert(self, name: str, value: int) -> None:
        """Add or update."""
        self.version += 1
        self.store.upsert(thing(name, value, str(self.version)))
        self.held[name] = value

    @rule(name=Names)
    def delete(self, name: str) -> None:
        """Remove an object that may be unknown."""
        self.store.delete(thing(name, 0))
        self.held.pop(name, None)

    @rule(contents=Contents, removed=st.sets(Names, max_size=3))
    def replace(self, contents: dict[str, int], removed: set[str]) -> None:
        """Replace the state; some objects change or go during the list."""
        events = [("ADDED", thing(name, 0, "old")) for name in contents]
        events += [("MODIFIED", thing(name, value, "new")) for name, value in contents.items()]
        events += [("DELETED", thing(name, 0)) for name in removed]
        self.store.replace(events)
        self.held = {name: value for name, value in contents.items() if name not in removed}
        self.published = dict(self.held)

    @rule(contents=Contents)
    def replace_that_breaks(self, contents: dict[str, int]) -> None:
        """A replacement that fails half-way changes nothing."""

        def events() -> Iterator[tuple[str, Object]]:
            yield from (("ADDED", thing(name, 5)) for name in contents)
            raise ConnectionError

        with pytest.raises(ConnectionError):
            self.store.replace(events())

    @rule()
    def flush(self) -> None:
        """Publish."""
        self.store.flush()
        self.published = dict(self.held) if self.store.synced else None

    @invariant()
    def page_shows_what_was_published(self) -> None:
        """The page is empty before the first complete state, then it shows the last publication."""
        assert lines(self.arena) == (wanted(self.published) if self.published else [])
        assert len(self.store) == len(self.held)


TestVerbs = Verbs.TestCase
TestVerbs.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_same_version_costs_nothing() -> None:
    """An object in a known resourceVersion is not rendered again."""
    rendered = []
    arena = Arena.create("versions", 1 << 20)

    def render(obj: Object) -> list[str]:
        rendered.append(obj["value"])
        return [f"value {obj['value']}\n", ""]

    store = MetricsStore("s", FAMILIES, render, ArenaWriter(arena, ["s"]), 0, 4)
    store.replace([("ADDED", thing("a", 1, "7"))])
    store.upsert(thing("a", 1, "7"))
    assert rendered == [1]
    store.upsert(thing("a", 2, "8"))
    assert rendered == [1, 2]


def test_change_without_new_text_publishes_nothing() -> None:
    """A new resourceVersion with the same samples needs no flush."""
    asked = []
    arena = Arena.create("quiet", 1 << 20)
    render = renderer(IDENTITY, FAMILIES, failed)
    store = MetricsStore("s", FAMILIES, render, ArenaWriter(arena, ["s"]), 0, 4, lambda: asked.append(1))
    store.replace([("ADDED", thing("a", 1, "7"))])
    store.upsert(thing("a", 1, "8"))
    assert asked == [] and not store.flush()
    store.upsert(thing("a", 2, "9"))
    assert asked == [1] and store.flush()


def test_size_in_shared_memory_follows_the_objects() -> None:
    """stored_bytes grows and shrinks with the objects."""
    arena = Arena.create("size", 1 << 22)
    store = new_store(arena)
    store.replace(("ADDED", thing(f"n{number}", number)) for number in range(40))
    full = store.stored_bytes
    for number in range(1, 40):
        store.delete(thing(f"n{number}", 0))
    store.flush()
    assert 0 < store.stored_bytes < full
    store.replace([])
    assert store.stored_bytes == 0


@pytest.mark.parametrize("is_relist", [True, False])
def test_snapshot_of_another_store_in_between(is_relist: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of another thread that publishes while this one replaces cells: the snapshot in between never counts as whole once
    they are reclaimed."""
    arena, seconds = Arena.create("a", 1 << 20), [0.0]
    writer, reader = ArenaWriter(arena, ["s", "t"], 1.0, lambda: seconds[0]), ArenaReader(arena)
    render = renderer(IDENTITY, FAMILIES, failed)
    store, other = (MetricsStore(name, FAMILIES, render, writer, 0, 4) for name in ("s", "t"))
    for one in (store, other):
        one.replace([("ADDED", thing("n1", 1))])
    store.upsert(thing("n1", 2))
    other.upsert(thing("n1", 2))
    between = []

    def publishing_the_other(*args: Any) -> bytes:
        monkeypatch.undo()
        other.flush()
        between.append(reader.load())
        seconds[0] = 0.9
        return pack_index(*args)

    monkeypatch.setattr("telegen.metrics.store.pack_index", publishing_the_other)
    if is_relist:
        store.replace([("ADDED", thing("n1", 4))])
    else:
        store.flush()
    (snapshot,) = between
    (cell,) = snapshot.stores["s"].columns[0].cells
    text = reader.copy(cell)
    seconds[0] = 1.5
    for value in range(5):
        other.upsert(thing("n1", value))
        other.flush()
        assert reader.copy(cell) == text or not reader.intact(snapshot.sequence)
