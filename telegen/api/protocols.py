"""What a reflector deals with: the store that it feeds, the observer that it tells, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from telegen.api.representation import Object

Event = tuple[str, Object]
"""(type, object): ADDED, MODIFIED or DELETED."""


class Store(Protocol):
    """What a reflector feeds."""

    def replace(self, events: Iterable[Event]) -> None:
        """Take a whole new state; what the iterable raises leaves the store as it was."""

    def upsert(self, obj: Object) -> None:
        """Add or update an object."""

    def delete(self, obj: Object) -> None:
        """Remove an object."""

    def bookmark(self, resource_version: str) -> None:
        """All changes up to `resource_version` have come."""


class Observer(Protocol):
    """Who is told what the reflector does."""

    def listing(self, by: str, again: bool) -> None:
        """A whole state is asked for, `by` watch or list; `again` when it is not the first."""

    def synced(self, seconds: float) -> None:
        """A whole state has been taken, so many seconds after it was asked for."""

    def cut(self, left_out: int | None) -> None:
        """A list was not taken whole: so many objects were left out, None where the server does not say. 0: it was."""

    def watching(self) -> None:
        """A watch is requested."""

    def answered(self) -> None:
        """The API server has answered a watch: it is there, although nothing may have changed."""

    def quiet(self) -> None:
        """A watch delivered nothing for the read timeout; another one follows at once."""

    def absent(self, delay: float) -> None:
        """The API server does not serve the collection (404); requested again in `delay` seconds."""

    def event(self, size: int) -> None:
        """An event of so many bytes has come, bookmarks included."""

    def followed(self) -> None:
        """The watch has come to its end when it was asked to: all that had happened when it was opened has been handed over."""

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Something went wrong; tried again in `delay` seconds."""


@dataclass(frozen=True)
class Settings:
    """Numbers of a reflector, in seconds where nothing else is said.

    Attributes:
        page: objects per page of a list.
        initial: time that a streamed list may take.
        watch: shortest and longest time that a watch is asked to last.
        backoff: first and longest delay after an error; each is drawn between it and its double.
        reset: quiet time after which the delay starts anew.
        restart: time that the restart of an API server may take, the time in which it refuses what it will allow included,
            and the longest delay meanwhile.
        cached: lists are answered from the server's cache, resourceVersion 0.
        streamed: time after which a server that cannot stream lists is asked again whether it can.
        limit: objects that a list takes at the most, before those of others are left out; 0 for all of them. With a limit
            states are not streamed: only lists can be cut.
        paged: whether states are never streamed, so that every watch may be short. Short watches bring no bookmarks, so that the
            version grows too old now and then: lists come from the server's cache where they may, no older than what is known.
        resync: time after which a whole state is asked for although nothing is missing, give or take a tenth; 0 for
            never.
    """

    page: int = 500
    initial: float = 120.0
    watch: tuple[float, float] = (300.0, 600.0)
    backoff: tuple[float, float] = (0.8, 30.0)
    reset: float = 120.0
    restart: tuple[float, float] = (30.0, 2.0)
    cached: bool = False
    streamed: float = 600.0
    limit: int = 0
    paged: bool = False
    resync: float = 0.0


class Backoff:
    """Delays after errors: doubling, with full jitter.

    An API server that restarts is back within seconds, so delays stay short for the first `Settings.restart` seconds of a run of
    failures. A run ends with `reset`, or when nothing has failed for `Settings.reset` seconds.
    """

    def __init__(self, settings: Settings, draw: Callable[[], float], clock: Callable[[], float]) -> None:
        self._settings, self._draw, self._clock = settings, draw, clock
        self._delay = 0.0
        self._since = self._last = float("-inf")
        self._refused_since: float | None = None

    def next(self) -> float:
        """Seconds to wait after a failure."""
        self._refused_since = None
        return self._jittered(self._next())

    def refused(self) -> float:
        """Seconds to wait after a refusal (403, 404).

        A starting API server refuses requests while it has not read its RBAC rules or its custom resource definitions. A
        refusal that persists needs a change by an administrator, so the longest delay is enough. It is not remembered: a
        failure of another kind starts with its own delay.
        """
        if self._refused_since is None:
            self.reset()
            self._refused_since = self._clock()
        return self._jittered(self._next() if not self.is_refused else self._settings.backoff[1])

    @property
    def is_refused(self) -> bool:
        """Whether refusals have persisted for longer than a restart takes."""
        return self._refused_since is not None and self._clock() - self._refused_since > self._settings.restart[0]

    def reset(self) -> None:
        """End the run of failures: the next one starts with the shortest delay."""
        self._delay, self._last, self._refused_since = 0.0, float("-inf"), None

    def _next(self) -> float:
        first, last = self._settings.backoff
        now = self._clock()
        if now - self._last > self._settings.reset:
            self._delay, self._since = 0.0, now
        self._last = now
        longest = last if now - self._since > self._settings.restart[0] else min(last, self._settings.restart[1])
        self._delay = min(longest, self._delay * 2 or first)
        return self._delay

    def _jittered(self, delay: float) -> float:
        return delay * (1 + self._draw())
