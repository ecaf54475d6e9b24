"""`_created` samples of counters."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from telegen.kubemetrics.exposition import assemble
from telegen.metrics.created import with_created
from telegen.metrics.family import ALPHA, Object, counter, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

FAMILIES = [
    gauge("up", "Gauge.", ALPHA, lambda obj: 1),
    counter("runs_total", "Counter.", ALPHA, lambda obj: [("a b", 3), ('c"}', 4.5)], "kind"),
    counter("odd", "Counter of cAdvisor without _total.", ALPHA, lambda obj: 5),
]
IDENTITY = (("name", lambda obj: obj["metadata"]["uid"]),)


def page(openmetrics: bool, *objects: Object) -> str:
    """Return the page of objects whose counters began at `born`."""

    def failed(family: str, error: Exception) -> None:
        raise error

    arena = Arena.create("a", 1 << 20)
    families, render = with_created(FAMILIES, renderer(IDENTITY, FAMILIES, failed), lambda obj: float(obj["born"]))
    MetricsStore("things", families, render, ArenaWriter(arena, ["things"])).replace(("ADDED", obj) for obj in objects)
    return b"".join(assemble([ArenaReader(arena)], openmetrics).text()).decode()


def thing(name: str, born: object) -> Object:
    """Return an object."""
    return {"metadata": {"uid": name}, "born": born}


def test_openmetrics_has_the_time_beside_each_series() -> None:
    """Each series of a counter that ends in _total is followed by its time; a parser accepts the page."""
    text = page(True, thing("x", 1700000000.25), thing("y", 1600000000))
    assert 'runs_total{name="x",kind="a b"} 3\nruns_created{name="x",kind="a b"} 1700000000.25\n' in text
    assert 'runs_total{name="y",kind="c\\"}"} 4.5\nruns_created{name="y",kind="c\\"}"} 1600000000\n' in text
    (runs,) = [family for family in parse_openmetrics(text) if family.name == "runs"]
    assert [sample.name for sample in runs.samples] == ["runs_total", "runs_created"] * 4
    assert "odd_created" not in text and "up_created" not in text


def test_text_has_no_time() -> None:
    """Text 0.0.4 has every family once, and no _created."""
    text = page(False, thing("x", 1))
    assert "_created" not in text
    assert text.count("# TYPE runs_total counter\n") == 1 and text.count("runs_total{") == 2


def test_time_that_cannot_be_read() -> None:
    """A malformed time leaves out itself only."""
    text = page(True, thing("x", "soon"))
    assert 'runs_total{name="x",kind="a b"} 3\n' in text and "_created" not in text
