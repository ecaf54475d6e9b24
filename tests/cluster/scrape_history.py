"""What agents showed at every scrape, and whether two of them ever showed the same series at the same time."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

NODE = 'kube_node_info{'
KEPT = 64
"""Pages that a reader remembers: most scrapes bring one that it has seen."""


@dataclass(frozen=True)
class Shown:
    """What one page says: its kube_* series without their values, and of how many nodes."""

    series: frozenset[str]
    nodes: int


NOTHING = Shown(frozenset(), 0)


@dataclass(frozen=True)
class Glance:
    """One scrape: when it was sent, when its end had come, what it showed; None when it failed."""

    sent: float
    done: float
    shown: Shown | None


@dataclass(frozen=True)
class Span:
    """Scrapes in a row that showed a series: when the first of them had been answered, when the last of them was sent. The
    series was served from one moment to the other; a lone scrape ends before it begins."""

    begin: float
    end: float

    def overlaps(self, other: Span) -> bool:
        """Whether both were certainly served at one moment, wherever within each scrape its page was put together."""
        return self.end >= other.begin and other.end >= self.begin


class Reader:
    """Reads pages. Each series is one string, however many pages have it.

    Attributes:
        twice: series that were on one page more than once.
    """

    def __init__(self) -> None:
        self.twice: list[str] = []
        self._pages: dict[bytes, Shown] = {}
        self._known: dict[str, str] = {}

    def read(self, body: bytes) -> Shown:
        """Of a page as gzip.

        Raises:
            zlib.error: it is none, or not whole.
        """
        shown = self._pages.get(body)
        if shown is None:
            while len(self._pages) >= KEPT:
                self._pages.pop(next(iter(self._pages)))
            stream = zlib.decompressobj(31)
            text = (stream.decompress(body) + stream.flush()).decode()
            if not stream.eof:
                raise zlib.error("the page is not whole")
            self._pages[body] = shown = self._shown(text)
        return shown

    def _shown(self, text: str) -> Shown:
        names = [line.rpartition(" ")[0] for line in text.split("\n") if line.startswith("kube_")]
        series = frozenset(self._known.setdefault(name, name) for name in names)
        if len(series) < len(names):
            self.twice += [name for name, count in Counter(names).items() if count > 1]
        return Shown(series, sum(name.startswith(NODE) for name in series))


def spans(glances: Sequence[Glance]) -> Iterator[tuple[str, Span]]:
    """Each series that an agent showed, with every span in which it did."""
    began: dict[str, float] = {}
    before, last = NOTHING.series, 0.0
    for glance in [*glances, Glance(0.0, 0.0, None)]:
        now = (glance.shown or NOTHING).series
        if now is not before:
            yield from ((name, Span(began.pop(name), last)) for name in before - now)
            began.update((name, glance.done) for name in now - before)
        before, last = now, glance.sent


def doubles(agents: Mapping[str, Sequence[Glance]]) -> list[str]:
    """A line for each series that two agents served at one moment.

    Args:
        agents: all that each of them has shown, by a name that is its own.
    """
    found: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    for name, glances in agents.items():
        for series, span in spans(glances):
            found[series].append((name, span))
    return [line for series, shown in found.items() for line in _pairs(series, shown)]


def _pairs(series: str, shown: Sequence[tuple[str, Span]]) -> Iterable[str]:
    for number, (name, span) in enumerate(shown):
        for other, another in shown[:number]:
            if other != name and span.overlaps(another):
                first, last = max(span.begin, another.begin), min(span.end, another.end)
                yield f"{series}: {other} and {name}, from {first:.3f} to {last:.3f}"
