"""Interfaces of a reflector: the store that it feeds, the observer that it informs, and its settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from telegen.api.representation import Object

Event = tuple[str, Object]
"""(type, object): ADDED, MODIFIED or DELETED."""


class ReflectorStore(Protocol):
    """Receiver of the objects of one collection."""

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete new state; an exception of the iterable leaves the store as it was."""

    def upsert(self, obj: Object) -> None:
        """Add or update an object."""

    def delete(self, obj: Object) -> None:
        """Remove an object."""

    def bookmark(self, resource_version: str) -> None:
        """Note that all changes up to `resource_version` have been delivered."""


class ReflectorObserver(Protocol):
    """Callbacks on reflector events, for metrics and logs."""

    def listing(self, by: str, again: bool) -> None:
        """A complete state is requested, `by` watch or list; `again` when it is not the first."""

    def synced(self, seconds: float) -> None:
        """A complete state was taken; `seconds` is the time since its request."""

    def cut(self, left_out: int | None) -> None:
        """A list was limited; `left_out` objects are missing, None if the server does not give the number."""

    def watching(self) -> None:
        """A watch is requested."""

    def answered(self) -> None:
        """The API server has answered a watch: it is there, although nothing may have changed."""

    def quiet(self) -> None:
        """A watch delivered nothing for the read timeout; another one follows at once."""

    def absent(self, delay: float) -> None:
        """The API server does not serve the collection (404); requested again in `delay` seconds."""

    def event(self, size: int) -> None:
        """An event or bookmark of `size` bytes was received."""

    def malformed(self, name: str, reason: str) -> None:
        """An object was left out because it cannot be read; `name` is namespace/name."""

    def failed(self, reason: str, message: str, delay: float) -> None:
        """A request or stream failed; the next attempt follows in `delay` seconds."""


@dataclass(frozen=True)
class Settings:
    """Numbers of a reflector; times in seconds.

    Attributes:
        page: objects per page of a list, at most.
        page_bytes: size of a page that the number of objects is adapted to; 0 for pages of `page` objects.
        initial: longest duration of a streamed list.
        watch: shortest and longest timeoutSeconds of a watch.
        backoff: first and longest delay after an error; each is jittered up to its double.
        reset: time without an error after which delays start anew.
        restart: time that the restart of an API server may take, including the time in which it still refuses valid requests,
            and the longest delay meanwhile.
        cached: request lists with resourceVersion=0, which the API server answers from its cache.
        streamed: time after which a server that could not stream a list is requested to stream again.
        limit: most objects of a list; 0 for all. With a limit states come as lists: a stream cannot be cut.
        verify: shortest time between two comparisons of the last resourceVersion with the server's.
        resync: time after which a complete state is requested although nothing is missing, varied by 10 %; 0 for never.
    """

    page: int = 500
    page_bytes: int = 0
    initial: float = 120.0
    watch: tuple[float, float] = (300.0, 600.0)
    backoff: tuple[float, float] = (0.8, 30.0)
    reset: float = 120.0
    restart: tuple[float, float] = (30.0, 2.0)
    cached: bool = False
    streamed: float = 600.0
    limit: int = 0
    verify: float = 300.0
    resync: float = 0.0
