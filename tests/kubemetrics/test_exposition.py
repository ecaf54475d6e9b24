"""Assembly of pages from several arenas and stores."""

from __future__ import annotations

import gzip
import hashlib

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from telegen.kubemetrics.exposition import HUGE, assemble, published_stores
from telegen.kubemetrics.selection import Selection
from telegen.metrics.family import ALPHA, FamilyGenerator, Object, counter, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

IDENTITY = (("name", lambda obj: obj["metadata"]["uid"]),)
VALUE = gauge("value", "Value.", ALPHA, lambda obj: 1)
COUNT = counter("count_total", "Count.", ALPHA, lambda obj: 2)


def stored(arena: Arena, name: str, order: int, families: list[FamilyGenerator], *names: str) -> ArenaReader:
    """Publish a store with objects of these names in an arena; return a reader of it."""

    def failed(family: str, error: Exception) -> None:
        raise error

    writer = ArenaWriter(arena, ["pods/a", "pods/b", "nodes"])
    objects: list[Object] = [{"metadata": {"uid": uid}} for uid in names]
    MetricsStore(name, families, renderer(IDENTITY, families, failed), writer, order).replace(("ADDED", o) for o in objects)
    return ArenaReader(arena)


def readers() -> list[ArenaReader]:
    """Two arenas with two stores of pods and one of nodes."""
    first, second = Arena.create("first", 1 << 20), Arena.create("second", 1 << 20)
    return [
        stored(first, "pods/b", 2, [VALUE, COUNT], "b"),
        stored(second, "pods/a", 2, [VALUE, COUNT], "a"),
        stored(first, "nodes", 1, [gauge("node", "Node.", ALPHA, lambda obj: 3)], "n"),
    ][:2]


WANTED = b"""# HELP node Node.
# TYPE node gauge
node{name="n"} 3
# HELP value Value.
# TYPE value gauge
value{name="a"} 1
value{name="b"} 1
# HELP count_total Count.
# TYPE count_total counter
count_total{name="a"} 2
count_total{name="b"} 2
"""


def test_one_family_of_several_stores_stands_under_one_header() -> None:
    """Stores are ordered by their position, then by name; each family appears once, with the samples of all stores."""
    page = assemble(readers(), False)
    assert b"".join(page.text()) == WANTED
    assert gzip.decompress(b"".join(page.gzip())) == WANTED
    assert page.length == len(WANTED)


def test_openmetrics_ends_and_names_as_it_should() -> None:
    """Headers of counters have no _total, the page ends with # EOF, and a parser accepts it."""
    text = b"".join(assemble(readers(), True).text()).decode()
    assert "# TYPE count counter\n" in text
    assert text.endswith("\n# EOF\n")
    assert [family.name for family in parse_openmetrics(text)] == ["node", "value", "count"]


def test_only_what_is_wanted() -> None:
    """A filter by resource includes all its stores."""
    text = b"".join(assemble(readers(), False, Selection(resources=frozenset({"pods"}))).text())
    assert text == WANTED[WANTED.index(b"# HELP value") :]


def test_page_of_many_megabytes() -> None:
    """Pages above the size of a huge page are complete in both codings, and the sizes equal the bytes sent."""
    names = [hashlib.sha512(str(number).encode()).hexdigest() for number in range(40_000)]
    page = assemble([stored(Arena.create("large", 64 << 20), "pods/a", 1, [VALUE], *names)], False)
    packed = b"".join(page.gzip())
    assert len(packed) == page.size > HUGE
    text = gzip.decompress(packed)
    assert text == b"".join(page.text()) and len(text) == page.length
    assert text.decode().split("\n")[2:-1] == [f'value{{name="{name}"}} 1' for name in names]


def test_nothing_published_is_an_empty_page() -> None:
    """Before the first sync the page is empty; in OpenMetrics it has its end mark."""
    empty = [ArenaReader(Arena.create("empty", 1 << 20))]
    assert b"".join(assemble(empty, False).text()) == b""
    assert gzip.decompress(b"".join(assemble(empty, False).gzip())) == b""
    assert b"".join(assemble(empty, True).text()) == b"# EOF\n"
    assert published_stores(empty) == set()


def test_store_without_objects_has_no_headers() -> None:
    """A resource without objects has no headers."""
    reader = stored(Arena.create("none", 1 << 20), "nodes", 1, [VALUE])
    assert b"".join(assemble([reader], False).text()) == b""
    assert published_stores([reader]) == {("none", "nodes")}
