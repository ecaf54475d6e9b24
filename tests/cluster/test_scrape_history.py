"""What counts as a series that was there twice."""

from __future__ import annotations

import gzip
import zlib

import pytest

from tests.cluster.scrape_history import NOTHING, Glance, Reader, Shown, doubles


def looks(*shown: str, at: float = 0.0, takes: float = 0.04) -> list[Glance]:
    """A scrape every tenth of a second; the letters are the series that it showed, - that it failed."""
    return [
        Glance(at + 0.1 * number, at + 0.1 * number + takes, None if letters == "-" else Shown(frozenset(letters), 0))
        for number, letters in enumerate(shown)
    ]


@pytest.mark.parametrize(
    "one,other,found",
    [
        (looks("ab", "ab", "ab", "a"), looks("", "b", "b", ""), "b"),
        (looks("ab", "ab", "a"), looks("", "", "b"), ""),
        (looks("a", "a", "a"), looks("", "a", ""), "a"),
        (looks("a", "a", "a"), looks("a", at=0.05, takes=9.0), ""),
        (looks("a", "", "a"), looks("", "a", ""), ""),
        (looks("a", "-", "a"), looks("", "a", ""), ""),
        (looks("a", ""), looks("", "a"), ""),
    ],
)
def test_doubles(one: list[Glance], other: list[Glance], found: str) -> None:
    """A series counts when both certainly had it at one moment; not when one may have got it after the other had lost it."""
    assert "".join(line[0] for line in doubles({"one": one, "other": other})) == found


def test_pages() -> None:
    """Of a page the kube_* series count, by their labels; one that is there twice is noted, half a page is an error."""
    reader = Reader()
    body = gzip.compress(b'# TYPE kube_node_info gauge\nkube_node_info{node="a"} 1\nkube_a{b="c d"} 2\ntelegen_up 1\n')
    assert reader.read(body) == Shown(frozenset({'kube_node_info{node="a"}', 'kube_a{b="c d"}'}), 1)
    assert reader.read(body) is reader.read(body)
    assert reader.read(gzip.compress(b"")) == NOTHING and not reader.twice
    reader.read(gzip.compress(b"kube_a 1\nkube_a 1\n"))
    assert reader.twice == ["kube_a"]
    with pytest.raises(zlib.error):
        reader.read(body[:-9])
