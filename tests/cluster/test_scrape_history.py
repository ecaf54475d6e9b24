"""Detection of series that two agents served at the same time."""

from __future__ import annotations

import gzip
import zlib

import pytest

from tests.cluster.scrape_history import NOTHING, Reader, Scrape, Shown, duplicates


def scrapes(*shown: str, at: float = 0.0, takes: float = 0.04) -> list[Scrape]:
    """Return a scrape per argument, one every 0.1 s; each letter is a series of its page, "-" is a failed scrape."""
    return [
        Scrape(at + 0.1 * number, at + 0.1 * number + takes, None if letters == "-" else Shown(frozenset(letters), 0))
        for number, letters in enumerate(shown)
    ]


@pytest.mark.parametrize(
    "one,other,found",
    [
        (scrapes("ab", "ab", "ab", "a"), scrapes("", "b", "b", ""), "b"),
        (scrapes("ab", "ab", "a"), scrapes("", "", "b"), ""),
        (scrapes("a", "a", "a"), scrapes("", "a", ""), "a"),
        (scrapes("a", "a", "a"), scrapes("a", at=0.05, takes=9.0), ""),
        (scrapes("a", "", "a"), scrapes("", "a", ""), ""),
        (scrapes("a", "-", "a"), scrapes("", "a", ""), ""),
        (scrapes("a", ""), scrapes("", "a"), ""),
    ],
)
def test_duplicates(one: list[Scrape], other: list[Scrape], found: str) -> None:
    """A series is a duplicate if both agents certainly served it at one moment, not if one may have begun after the other ended."""
    assert "".join(line[0] for line in duplicates({"one": one, "other": other})) == found


def test_pages() -> None:
    """A reader keeps the kube_* series of a page, records those on it twice, and refuses a truncated page."""
    reader = Reader()
    body = gzip.compress(b'# TYPE kube_node_info gauge\nkube_node_info{node="a"} 1\nkube_a{b="c d"} 2\ntelegen_up 1\n')
    assert reader.read(body) == Shown(frozenset({'kube_node_info{node="a"}', 'kube_a{b="c d"}'}), 1)
    assert reader.read(body) is reader.read(body)
    assert reader.read(gzip.compress(b"")) == NOTHING and not reader.twice
    reader.read(gzip.compress(b"kube_a 1\nkube_a 1\n"))
    assert reader.twice == ["kube_a"]
    with pytest.raises(zlib.error):
        reader.read(body[:-9])
