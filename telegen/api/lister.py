"""Complete states of a collection: streamed where the API server can (KEP-3157), else in pages.

A streamed list is a watch that begins with the state. Its connection goes on as the watch of what follows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from telegen.api.client import Client
from telegen.api.collection import Collection
from telegen.api.errors import (
    ApiError,
    Dropped,
    Forbidden,
    Gone,
    NotFound,
    ProtocolError,
    Silent,
    Stalled,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from telegen.api.events import INITIAL_END, EventReader
from telegen.api.protocols import Event, ReflectorObserver, ReflectorStore, Settings
from telegen.api.representation import REPRESENTATIONS
from telegen.api.stream import Stream

INFINITE = float("inf")
FIRST_PAGE = 5
"""Objects of the first page where the size of pages is adapted: an object has at most 1.5 MB."""


class State(NamedTuple):
    """A complete state that a store has taken.

    Attributes:
        version: the resourceVersion from which a watch follows.
        stream, reader: the connection that delivered it and goes on as a watch, with its reader; None after a list.
    """

    version: str
    stream: Stream | None = None
    reader: EventReader | None = None


class _StreamFailed(Exception):
    """The streamed list failed: request pages.

    Attributes:
        is_lasting: whether the next one would fail as well.
    """

    def __init__(self, is_lasting: bool) -> None:
        self.is_lasting = is_lasting


class Lister:
    """Takes complete states of one collection into one store."""

    def __init__(
        self,
        client: Client,
        collection: Collection,
        store: ReflectorStore,
        observer: ReflectorObserver,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._collection, self._store = client, collection, store
        self._observer, self._settings, self._clock = observer, settings, clock
        self._representation = REPRESENTATIONS[collection.representation]
        self._paged_until = INFINITE if settings.limit else -INFINITE
        self._was_listed = False

    def take(self, watch_seconds: str) -> State:
        """Take a complete state; an error leaves the store as it was.

        Args:
            watch_seconds: timeoutSeconds of a watch that follows on the same connection.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        if self._clock() >= self._paged_until:
            try:
                return self._stream(watch_seconds)
            except _StreamFailed as failure:
                if failure.is_lasting:
                    self._paged_until = self._clock() + self._settings.streamed
        return self._list()

    def _stream(self, watch_seconds: str) -> State:
        """Take the state as a watch sends it.

        Whatever goes wrong on the stream itself, a list in pages may still work: the server may not know the parameters, be
        out of time, or be behind a proxy that buffers. What concerns any request to the server is raised.
        """
        params = {
            "watch": "1",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": watch_seconds,
        }
        if self._settings.cached:
            params["resourceVersion"] = "0"
        started = self._begin("watch")
        try:
            stream = self._client.stream(
                self._collection.path, {**self._collection.query, **params}, self._representation.watch_accept
            )
        except ApiError as error:
            if _concerns_all_requests(error):
                raise
            raise _StreamFailed(_refuses_streaming(error)) from error
        except (Dropped, Silent) as error:
            # A proxy may hold back the headers until the answer is complete.
            raise _StreamFailed(isinstance(error, Silent)) from error
        with ExitStack() as stack:
            stack.callback(stream.close)
            reader, version = EventReader(self._collection, self._observer), [""]
            try:
                self._store.replace(self._initial(reader, stream, started, version))
            except (ApiError, Unreachable, ProtocolError) as error:
                raise _StreamFailed(isinstance(error, (Silent, Stalled))) from error
            self._end(started, version[0])
            stack.pop_all()
        return State(version[0], stream, reader)

    def _initial(self, reader: EventReader, stream: Stream, started: float, version: list[str]) -> Iterator[Event]:
        """The events up to the bookmark that ends the state; its resourceVersion becomes `version[0]`."""
        for kind, obj in reader.events(stream.lines()):
            if self._clock() - started > self._settings.initial:
                raise _StreamFailed(is_lasting=True)
            if kind != "BOOKMARK":
                yield kind, obj
                continue
            metadata = reader.metadata(obj)
            if (metadata.get("annotations") or {}).get(INITIAL_END) == "true":
                version[0] = str(metadata.get("resourceVersion") or "")
                return
        raise Unreachable("the stream ended before the state was complete")

    def _list(self) -> State:
        """Take the state in pages."""
        started, version = self._begin("list"), [""]
        try:
            self._store.replace(self._pages(version, self._settings.page))
        except Gone:
            if not version[0]:
                raise
            # The pages took longer than the server keeps history. The token in its answer would continue with a newer state, in
            # which objects of earlier pages may be deleted: they would stay in the store. One list without pages is consistent.
            self._store.replace(self._pages(version, sys.maxsize))
        self._end(started, version[0])
        return State(version[0])

    def _pages(self, version: list[str], size: int) -> Iterator[Event]:
        """Every object of every page of `size` objects; the list's resourceVersion becomes `version[0]`."""
        left = self._settings.limit or sys.maxsize
        params = {"resourceVersion": "0"} if self._settings.cached else {}
        reader = EventReader(self._collection, self._observer)
        is_adapted = self._settings.page_bytes > 0 and size < sys.maxsize
        page_size = min(size, FIRST_PAGE) if is_adapted else size
        while True:
            most = min(left, page_size)
            page = self._page(reader, most, params, 2 * self._settings.page_bytes if is_adapted else sys.maxsize)
            # A list from the server's cache comes as a whole, whatever limit was requested.
            objects, count = reader.objects(page, left)
            yield from (("ADDED", obj) for obj in objects)
            metadata = page.get("metadata") or {}
            version[0] = str(metadata.get("resourceVersion") or "")
            if not version[0]:
                raise ProtocolError("a list has no resourceVersion")
            left, more = left - count, metadata.get("continue")
            if left <= 0 or not more:
                if self._settings.limit:
                    self._observer.cut(_left_out(max(0, -left), metadata))
                return
            params = {"continue": more}
            if is_adapted:
                page_size = max(1, min(size, self._settings.page_bytes * max(1, count) // max(1, reader.page_bytes)))

    def _page(self, reader: EventReader, limit: int, params: dict[str, str], most: int) -> dict[str, Any]:
        """Request a page of up to `limit` objects; of fewer if it would have more than `most` bytes, unless one object has them."""
        path, accept = self._collection.path, self._representation.list_accept
        while True:
            query = {**self._collection.query, **({"limit": str(limit)} if limit < sys.maxsize else {}), **params}
            try:
                return self._client.get(path, query, accept, reader.page, most if limit > 1 else sys.maxsize)  # type: ignore[no-any-return]
            except TooLarge:
                if limit <= 1 or most == sys.maxsize:
                    raise
                limit = limit // 4 or 1

    def current_version(self) -> str:
        """Request the resourceVersion of the server, by a list of one object without its content.

        The field selector of the collection is left out: with one, etcd would search all objects for a match.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        query, accept = {"limit": "1"}, REPRESENTATIONS["metadata"].list_accept
        page = self._client.get(self._collection.path, query, accept)
        metadata = page.get("metadata") if isinstance(page, dict) else None
        return str((metadata or {}).get("resourceVersion") or "")

    def _begin(self, by: str) -> float:
        self._observer.listing(by, self._was_listed)
        self._was_listed = True
        return self._clock()

    def _end(self, started: float, version: str) -> None:
        self._observer.synced(self._clock() - started)
        self._store.bookmark(version)


def _left_out(beyond: int, metadata: dict[str, Any]) -> int | None:
    """Number of objects that a limited list left out: those that came `beyond` the limit, and those that remain at the server."""
    if not metadata.get("continue"):
        return beyond
    remaining = metadata.get("remainingItemCount")
    return beyond + remaining if isinstance(remaining, int) else None


def _concerns_all_requests(error: ApiError) -> bool:
    """True if a list in pages would fail as a streamed one did."""
    return isinstance(error, (Unauthorized, Forbidden, NotFound, TooManyRequests, Gone)) and not _refuses_streaming(error)


def _refuses_streaming(error: ApiError) -> bool:
    """True if the server cannot stream lists: it does not know the parameters (any status may report that), its feature gate
    WatchList is off, or its etcd is too old."""
    words = ("sendInitialEvents", "resourceVersionMatch", "RequestWatchProgress", "WatchList")
    return error.status in (400, 405, 406, 422) or any(word in error.message for word in words)
