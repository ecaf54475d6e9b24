"""Series that several objects may have: a store shows each once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from telegen.kubemetrics.exposition import assemble
from telegen.metrics.family import ALPHA, FamilyGenerator
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.metrics.unique import UniqueSeries
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

FAMILY = FamilyGenerator("x", "h", "gauge", ALPHA, lambda obj: obj["rows"], prepared=True, ambiguous=True)


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena.create("t", 16 << 20)
    yield made
    made.close()


def page(arena: Arena) -> str:
    return b"".join(assemble([ArenaReader(arena)], False).text()).decode()


def obj(uid: str, *series: str, version: str = "1", value: int = 1) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version}, "rows": [(one, value) for one in series]}


def make_store(arena: Arena) -> MetricsStore:
    render = renderer((), (FAMILY,), lambda family, error: pytest.fail(str(error)))
    return MetricsStore("s", (FAMILY,), render, ArenaWriter(arena, ()))


def test_first_object_has_the_series(arena: Arena) -> None:
    """Of two objects with one series the first one's value is shown; when it goes, a new state brings the other's."""
    store = make_store(arena)
    store.replace([("ADDED", obj("1", 'a="1"', 'a="2"', value=1)), ("ADDED", obj("2", 'a="2"', 'a="3"', value=2))])
    assert page(arena) == '# HELP x h\n# TYPE x gauge\nx{a="1"} 1\nx{a="2"} 1\nx{a="3"} 2\n'
    assert not store.take_incomplete()
    store.delete(obj("1"))
    store.flush()
    assert page(arena).endswith('gauge\nx{a="3"} 2\n')
    assert store.take_incomplete() and not store.take_incomplete(), "a request for each second of a long list would repeat it"
    store.replace([("ADDED", obj("2", 'a="2"', 'a="3"', value=2))])
    assert page(arena).endswith('gauge\nx{a="2"} 2\nx{a="3"} 2\n')
    assert not store.take_incomplete()


def test_change_releases_series() -> None:
    """An object keeps its own series over changes, and releases those that it no longer has."""
    unique = UniqueSeries([0])
    assert unique.admit("1", ['x{a="1"} 1\nx{a="2"} 1\n']) == ['x{a="1"} 1\nx{a="2"} 1\n']
    assert unique.admit("2", ['x{a="1"} 5\n']) == [""]
    assert unique.admit("1", ['x{a="1"} 7\n']) == ['x{a="1"} 7\n']
    assert not unique.is_incomplete, "no object was refused the series that was released"
    assert unique.admit("3", ['x{a="2"} 3\n']) == ['x{a="2"} 3\n']
    unique.forget("1")
    assert unique.is_incomplete
    assert unique.admit("2", ['x{a="1"} 5\n']) == ['x{a="1"} 5\n']


def test_withdrawn_store(arena: Arena) -> None:
    """A withdrawn store leaves the page at once, and what arrives later never returns to it."""
    store = make_store(arena)
    store.replace([("ADDED", obj("1", 'a="1"'))])
    store.withdraw()
    assert page(arena) == ""
    store.replace([("ADDED", obj("2", 'a="2"'))])
    store.upsert(obj("3", 'a="3"'))
    assert not store.flush()
    assert page(arena) == ""


def test_predecessor_stays_until_its_successor_is_complete(arena: Arena) -> None:
    """A store that replaces another one of its name takes over in one publication; the other one cannot publish afterwards."""
    writer, families = ArenaWriter(arena, ()), (FAMILY,)
    render = renderer((), families, lambda family, error: None)
    old = MetricsStore("s", families, render, writer)
    old.replace([("ADDED", obj("1", 'a="1"'))])
    new = MetricsStore("s", families, render, writer, predecessor=old)
    old.upsert(obj("2", 'a="2"'))
    assert old.flush()
    assert page(arena).count("\nx{") == 2
    new.replace([("ADDED", obj("3", 'a="3"'))])
    assert page(arena).endswith('gauge\nx{a="3"} 1\n')
    old.upsert(obj("4", 'a="4"'))
    assert not old.flush()
    assert page(arena).endswith('gauge\nx{a="3"} 1\n')
