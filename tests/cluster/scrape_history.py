"""Scrapes of several agents over time; finds series that two agents served at the same time."""

from __future__ import annotations

import threading
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

NODE = 'kube_node_info{'
KEPT = 64
"""Number of parsed pages that a reader caches: most scrapes return one of the last pages again."""


@dataclass(frozen=True)
class Shown:
    """Content of one page: its kube_* series without values, and the number of nodes."""

    series: frozenset[str]
    nodes: int


NOTHING = Shown(frozenset(), 0)


@dataclass(frozen=True)
class Scrape:
    """One scrape: time of the request, time of the complete response, content; `shown` is None if it failed."""

    sent: float
    done: float
    shown: Shown | None


@dataclass(frozen=True)
class Span:
    """Consecutive scrapes with a series: end of the first response, start of the last request.

    The page may have been assembled at any time during a scrape, so only between these two moments was the series certainly
    served. A single scrape has a span that ends before it begins.
    """

    begin: float
    end: float

    def overlaps(self, other: Span) -> bool:
        """Return True if both series were certainly served at one moment."""
        return self.end >= other.begin and other.end >= self.begin


class Reader:
    """Parses pages. A series of several pages is one string object, which saves memory.

    Attributes:
        twice: series that were on one page more than once.
    """

    def __init__(self) -> None:
        self.twice: list[str] = []
        self._lock = threading.Lock()
        self._pages: dict[bytes, Shown] = {}
        self._known: dict[str, str] = {}

    def read(self, body: bytes) -> Shown:
        """Return the content of a gzip page.

        Raises:
            zlib.error: the body is not gzip, or truncated.
        """
        shown = self._pages.get(body)
        if shown is None:
            stream = zlib.decompressobj(31)
            text = (stream.decompress(body) + stream.flush()).decode()
            if not stream.eof:
                raise zlib.error("the page is truncated")
            shown = self._shown(text)
            # Each agent has a thread that reads its pages.
            with self._lock:
                while len(self._pages) >= KEPT:
                    self._pages.pop(next(iter(self._pages)))
                self._pages[body] = shown
        return shown

    def _shown(self, text: str) -> Shown:
        names = [line.rpartition(" ")[0] for line in text.split("\n") if line.startswith("kube_")]
        series = frozenset(self._known.setdefault(name, name) for name in names)
        if len(series) < len(names):
            self.twice += [name for name, count in Counter(names).items() if count > 1]
        return Shown(series, sum(name.startswith(NODE) for name in series))


def spans(scrapes: Sequence[Scrape]) -> Iterator[tuple[str, Span]]:
    """Yield each series of an agent with each of its spans."""
    began: dict[str, float] = {}
    before, last = NOTHING.series, 0.0
    for scrape in [*scrapes, Scrape(0.0, 0.0, None)]:
        now = (scrape.shown or NOTHING).series
        if now is not before:
            yield from ((name, Span(began.pop(name), last)) for name in before - now)
            began.update((name, scrape.done) for name in now - before)
        before, last = now, scrape.sent


def duplicates(agents: Mapping[str, Sequence[Scrape]]) -> list[str]:
    """Return a line for each series that two agents served at one moment.

    Args:
        agents: scrapes by agent, in order of time; each agent has a unique name.
    """
    found: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    for name, scrapes in agents.items():
        for series, span in spans(scrapes):
            found[series].append((name, span))
    return [line for series, shown in found.items() for line in _pairs(series, shown)]


def _pairs(series: str, shown: Sequence[tuple[str, Span]]) -> Iterable[str]:
    for number, (name, span) in enumerate(shown):
        for other, another in shown[:number]:
            if other != name and span.overlaps(another):
                first, last = max(span.begin, another.begin), min(span.end, another.end)
                yield f"{series}: {other} and {name}, from {first:.3f} to {last:.3f}"
