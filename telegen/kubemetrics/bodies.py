"""Bodies of responses. All clients that are sent one page of one snapshot share one body in memory."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from telegen.kubemetrics.exposition import Page, StoreFilter, assemble, sequences
from telegen.kubemetrics.selection import Selection
from telegen.shm.reader import ArenaReader

PATIENCE = 5.0
"""Seconds that a body may be sent for while a newer one needs its memory. It then ends with its clients."""
TURN = 0.0005
"""Seconds of work between two turns of the event loop. A fast client never fills its socket, so an identity page would keep the other
clients waiting for 100 ms."""


class Client(Protocol):
    """The client that a body is sent to."""

    def is_gone(self) -> bool:
        """Return True if the connection has ended."""

    def drop(self, reason: str) -> None:
        """Reset the connection."""

    def watch(self, may_be_sent: Callable[[], bool]) -> None:
        """Reset the connection when `may_be_sent()` is no longer true, even if the client takes nothing."""


class Dropped(Exception):
    """A response ended early for a client that has no connection, as in the warm-up."""


class NoConnection:
    """Stands in for the connection of a request that did not come over one."""

    def is_gone(self) -> bool:
        """Return False."""
        return False

    def drop(self, reason: str) -> None:
        """Raise `Dropped`."""
        raise Dropped(reason)

    def watch(self, may_be_sent: Callable[[], bool]) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Variant:
    """Properties of a request that determine its page: path, format and selection.

    Attributes:
        withheld: (worker, store) of stores that are too old to be shown.
    """

    path: str
    openmetrics: bool
    selection: Selection
    withheld: frozenset[tuple[str, str]] = frozenset()


@dataclass(eq=False)
class Body:
    """A page that is being sent.

    Attributes:
        page: the content.
        key: variant, and name and sequence number of each arena.
        made: time of the assembly in seconds of the monotonic clock.
        is_served: returns False when another agent may serve one of its shards.
        clients: those to which it is being sent.
    """

    page: Page
    key: tuple[Variant, tuple[tuple[str, int], ...]]
    is_served: Callable[[], bool]
    made: float = field(default_factory=time.monotonic)
    clients: weakref.WeakSet[Client] = field(default_factory=weakref.WeakSet)

    async def parts(self, gzip: bool, client: Client) -> AsyncIterator[bytes]:
        """Yield the content in parts while it may be sent.

        Content-Length lets the client notice a response that was broken off.
        PERF: the check costs 0.7 us per shard; a page of 16 MB has 130 parts.
        """
        self.clients.add(client)
        client.watch(self.is_served)
        worked = time.perf_counter()
        for part in self.page.gzip() if gzip else self.page.text():
            if not (client.is_gone() or self.is_served()):
                client.drop("unserved")
            if client.is_gone():
                # The server learns of the end of a connection in the next turn of the loop.
                await asyncio.sleep(0)
                return
            yield part
            if time.perf_counter() - worked > TURN:
                await asyncio.sleep(0)
                worked = time.perf_counter()


class Bodies:
    """The bodies that a process is sending. They are held by their responses; the end of the last one frees the memory."""

    def __init__(self, budget: int) -> None:
        """Limit their memory.

        Args:
            budget: bytes of all bodies from which on old ones make room; two of the largest page are always allowed.
        """
        self._budget = budget
        self._living: weakref.WeakSet[Body] = weakref.WeakSet()

    def take(
        self, variant: Variant, readers: Sequence[ArenaReader], stores: StoreFilter | None, is_served: Callable[[], bool]
    ) -> Body:
        """Return the body of a variant: that of the same snapshot if it is being sent, else a new one.

        Many snapshots may be published during one response. If memory is short, a body of an earlier snapshot serves new requests as
        well, for at most `PATIENCE`: honest clients finish theirs soon.

        Args:
            stores: predicate of the stores that may be shown, None for all; `variant.withheld` stands for it in comparisons.
            is_served: returns False when another agent may serve one of the shards of `readers`.

        Raises:
            TornSnapshot: see `assemble`.
        """
        key = (variant, sequences(readers))
        usable = [body for body in self._living if body.key[0] == variant and body.is_served()]
        same = next((body for body in usable if body.key == key), None)
        if same:
            return same
        newest = max(usable, key=lambda body: body.made, default=None)
        expected = newest.page.size if newest else 0
        self._make_room(expected, older_than=PATIENCE)
        if newest and newest in self._living and not self._has_room(expected):
            return newest
        self._make_room(expected, older_than=0.0)
        page = assemble(readers, variant.openmetrics, variant.selection, stores)
        body = Body(page, (variant, page.sequences), is_served)
        self._living.add(body)
        self._budget = max(self._budget, 2 * page.size)
        return body

    def __len__(self) -> int:
        """Return the number of bodies that are being sent."""
        return len(self._living)

    def _has_room(self, size: int) -> bool:
        return sum(body.page.size for body in self._living) + size <= self._budget

    def _make_room(self, size: int, older_than: float) -> None:
        """End the oldest bodies, and the responses that send them, until there is room for `size` bytes."""
        now = time.monotonic()
        for body in sorted(self._living, key=lambda body: body.made):
            if self._has_room(size) or now - body.made < older_than:
                return
            self._living.discard(body)
            for client in list(body.clients):
                client.drop("superseded")
