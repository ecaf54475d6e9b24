"""The clients that scrape: how often, how long, how much. Each web process keeps its own, in a file that all of them read."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

MOST = 32
"""Clients that a process keeps: those that have scraped last."""
_AGENT_LENGTH = 80
_WEIGHT = 0.3
"""Weight of the last interval and duration in their mean."""
_PREFIX = "scrapers-"

Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Scraper(msgspec.Struct):
    """A client of one page.

    Attributes:
        agent: its User-Agent.
        address: its IP address.
        scrapes: answers of one process.
        last: time of the last one in Unix seconds.
        interval: mean time between two, 0 before the second; `duration`: mean time until all was given to the kernel; in seconds.
        sent: bytes of the last answer.
    """

    agent: str
    address: str
    path: str
    scrapes: int = 0
    last: float = 0.0
    interval: float = 0.0
    duration: float = 0.0
    sent: int = 0

    def note(self, now: float, seconds: float, sent: int) -> None:
        """Note a scrape."""
        if self.scrapes:
            interval = now - self.last
            self.interval = interval if self.scrapes == 1 else _mean(self.interval, interval)
        self.duration = seconds if not self.scrapes else _mean(self.duration, seconds)
        self.scrapes, self.last, self.sent = self.scrapes + 1, now, sent


def _mean(before: float, value: float) -> float:
    return before + _WEIGHT * (value - before)


class Scrapers:
    """Scrapers of one process."""

    def __init__(self, folder: str, process: str) -> None:
        self._path = Path(folder) / f"{_PREFIX}{process}"
        self._known: dict[tuple[str, str, str], Scraper] = {}
        self._published = 0.0

    def observe(self, app: Asgi, paths: Collection[str]) -> Asgi:
        """Wrap an application so that requests of these paths are noted. PERF: 2 us a part of 128 KiB."""

        async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope.get("path") not in paths:
                await app(scope, receive, send)
                return
            started, sent, status = time.monotonic(), 0, 0

            async def counted(message: dict[str, Any]) -> None:
                nonlocal sent, status
                sent += len(message.get("body", b""))
                status = message.get("status", status)
                await send(message)

            await app(scope, receive, counted)
            if status == 200:
                self._note(scope, time.monotonic() - started, sent)

        return answer

    def _note(self, scope: dict[str, Any], seconds: float, sent: int) -> None:
        agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"").decode("latin-1")
        address = (scope.get("client") or ("",))[0]
        key = agent[:_AGENT_LENGTH], address, scope["path"]
        # The one that scraped last comes last.
        scraper = self._known.pop(key, None) or Scraper(*key)
        self._known[key] = scraper
        now = time.time()
        scraper.note(now, seconds, sent)
        if len(self._known) > MOST:
            self._known.pop(next(iter(self._known)))
        if now - self._published > 1.0:
            self._published = now
            self._publish()

    def _publish(self) -> None:
        fresh = self._path.with_name(f".{self._path.name}")
        # A full file system leaves the status page without scrapers.
        with suppress(OSError):
            fresh.write_bytes(msgspec.msgpack.encode(list(self._known.values())))
            os.replace(fresh, self._path)


def all_scrapers(folder: str) -> Iterator[Scraper]:
    """Yield the scrapers of all processes, those of one client added up."""
    found: dict[tuple[str, str, str], Scraper] = {}
    for path in Path(folder).glob(f"{_PREFIX}*"):
        with suppress(OSError, msgspec.MsgspecError):
            for one in msgspec.msgpack.decode(path.read_bytes(), type=list[Scraper]):
                key = one.agent, one.address, one.path
                found[key] = _joined(found[key], one) if key in found else one
    yield from sorted(found.values(), key=lambda scraper: -scraper.last)


def _joined(one: Scraper, other: Scraper) -> Scraper:
    """Add up a client's connections to two processes."""
    newer = max(one, other, key=lambda scraper: scraper.last)
    scrapes = one.scrapes + other.scrapes
    # Scrapes that take turns come twice as often as each process sees them.
    rate = sum(1 / scraper.interval for scraper in (one, other) if scraper.interval)
    return msgspec.structs.replace(newer, scrapes=scrapes, interval=1 / rate if rate else abs(one.last - other.last))
