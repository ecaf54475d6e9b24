"""Keeps a store in step with a collection of the API: a whole state first, then every change, for ever.

The numbers are client-go's (tools/cache/reflector.go). Three loops inside one another: `run` for ever; `_cycle` one
whole state and what follows it; `_follow` one connection.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import orjson

from telegen.api.client import Client
from telegen.api.collection import Collection
from telegen.api.decoding import event_decoder, list_decoder, peek
from telegen.api.errors import (
    ApiError,
    Forbidden,
    Gone,
    NotFound,
    ProtocolError,
    Silent,
    Stalled,
    Unreachable,
    api_error,
    label,
)
from telegen.api.protocols import Backoff, Event, Observer, Settings, Store
from telegen.api.representation import REPRESENTATIONS, Rows

INITIAL_END = "k8s.io/initial-events-end"
"""Annotation of the bookmark that ends a streamed list (KEP-3157)."""
ABRUPT = 1.0
"""A watch that ends within so many seconds without an event counts as an error."""
SHORT_WATCHES = 3
"""Watches in a row that may end that early when they delivered events."""
WHOLE = 0.95
"""Share of the time asked for that a watch lasts which nobody has cut short."""
OVERDUE = 1.0
"""Seconds after that time at which the end of a watch is no proof any more: the server may have ended it early, as it does with who
cannot keep up, and we have been slow to see it."""
INFINITE = float("inf")


class _NotStreamed(Exception):
    """The server cannot stream a list: ask for pages."""


class Reflector:
    """Feeds one store from one collection until it is told to stop."""

    def __init__(
        self,
        client: Client,
        collection: Collection,
        store: Store,
        observer: Observer,
        stop: threading.Event,
        settings: Settings = Settings(),
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._collection, self._store = client, collection, store
        self._observer, self._stop, self._settings = observer, stop, settings
        self._draw, self._clock = draw, clock
        self._backoff = Backoff(settings, draw, clock)
        self._representation = REPRESENTATIONS[collection.representation]
        self._takes = collection.takes()
        self._decode = event_decoder(collection.reads)
        self._version = self._floor = ""
        self._listed = False
        self._filled = False
        self._paged_until = INFINITE if settings.limit or settings.paged else -INFINITE
        self._resync_at = INFINITE
        self._was_gone = False
        self._short_watches = 0
        self._rows = Rows()

    def run(self) -> None:
        """Feed the store until `stop` is set. Errors of the API are reported and waited out, never raised."""
        while not self._stop.is_set():
            try:
                self._cycle()
            except Gone as error:
                # A new state is needed: at once, unless the last one did not help either.
                again = self._was_gone or not self._version
                self._version, self._was_gone = "", True
                self._wait(error, self._backoff.next() if again else 0.0)
            except NotFound:
                self._absent()
            except Forbidden as error:
                self._wait(error, self._backoff.refused())
            except ApiError as error:
                self._wait(error, max(self._backoff.next(), error.retry_after or 0.0))
            except (Unreachable, ProtocolError) as error:
                self._wait(error, self._backoff.next())

    def _absent(self) -> None:
        """Wait where the server does not serve the collection: there are no objects, which is a complete state too.

        What was served before stays for as long as a restart of the server may take.
        """
        delay = self._backoff.refused()
        if not self._filled or self._backoff.is_refused:
            self._store.replace(())
            self._filled, self._version = True, ""
        self._observer.absent(delay)
        self._stop.wait(delay)

    def _wait(self, error: Exception, delay: float) -> None:
        self._observer.failed(label(error), str(error), delay)
        self._stop.wait(delay)

    def _cycle(self) -> None:
        """Take a whole state if there is none, or it is time for another, then follow it, one watch after the other."""
        if not self._version:
            self._take()
        elif self._clock() >= self._resync_at:
            self._retake()
        while not self._stop.is_set() and self._clock() < self._resync_at:
            self._watch()

    # --- a whole state

    def _retake(self) -> None:
        """Take a whole state in place of the one that there is; when that fails, the old one is followed on."""
        before, self._version = self._version, ""
        self._resync_at = self._clock() + self._settings.backoff[1]
        try:
            self._take()
        except Exception:
            self._version = self._version or before
            raise

    def _take(self) -> None:
        """Take a whole state, in the way that the server can."""
        if self._clock() < self._paged_until:
            self._list()
            return
        try:
            self._stream()
        except _NotStreamed:
            self._paged_until = self._clock() + self._settings.streamed
            self._list()

    def _stream(self) -> None:
        """Take the state as a watch sends it (KEP-3157), then follow the same connection."""
        params = {
            "watch": "1",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": self._watch_seconds(max(self._settings.resync or INFINITE, self._settings.initial)),
        }
        if self._settings.cached:
            params["resourceVersion"] = "0"
        started = self._began("watch")
        try:
            with self._lines(params, self._representation.watch_accept) as lines:
                events = self._events(lines)
                self._store.replace(self._initial(events, started))
                self._ended(started)
                self._until_broken(events)
        except ApiError as error:
            if self._version or not _refuses_streaming(error):
                raise
            raise _NotStreamed from error
        except (Silent, Stalled) as error:
            if self._version:
                raise
            raise _NotStreamed from error

    def _initial(self, events: Iterator[Event], started: float) -> Iterator[Event]:
        """The events up to the bookmark that ends the state."""
        for kind, obj in events:
            if self._clock() - started > self._settings.initial:
                raise _NotStreamed
            if kind == "BOOKMARK":
                metadata = self._bookmarked(obj)
                if (metadata.get("annotations") or {}).get(INITIAL_END) == "true":
                    self._version = str(metadata.get("resourceVersion") or "")
                    return
            else:
                yield kind, obj
        raise Unreachable("the stream ended before the whole state had come")

    def _list(self) -> None:
        """Take the state in pages."""
        started = self._began("list")
        version: list[str] = []
        try:
            self._store.replace(self._pages(version))
        except (ApiError, Unreachable):
            # A cache that is behind, or may never be as new as that again; or an etcd in which a list takes too long.
            self._floor = "" if self._floor else "0"
            raise
        self._version = self._floor = version[-1]
        self._ended(started)

    def _pages(self, version: list[str]) -> Iterator[Event]:
        """Every object of every page; the list's resourceVersion is added to `version`."""
        left = self._settings.limit or sys.maxsize
        params = {"resourceVersion": "0"} if self._settings.cached else {}
        if self._settings.paged and self._floor:
            # Without a limit: before Kubernetes 1.31, one has etcd asked, which looks through all objects of all nodes.
            params = {"resourceVersion": self._floor, "resourceVersionMatch": "NotOlderThan", "limit": "0"}
        while True:
            query = {**self._collection.query, "limit": str(min(left, self._settings.page)), **params}
            decode = list_decoder(self._collection.reads)
            page = self._client.get(self._collection.path, query, self._representation.list_accept, decode)
            if not isinstance(page, dict):
                raise ProtocolError("a list is no object")
            objects = list(self._rows.objects(page) if self._representation.table else page.get("items") or ())
            # A list from the server's cache comes whole, whatever was asked for.
            yield from (("ADDED", obj) for obj in objects[:left] if self._is_ours(obj))
            metadata = page.get("metadata") or {}
            version.append(str(metadata.get("resourceVersion") or ""))
            if not version[-1]:
                raise ProtocolError("a list has no resourceVersion")
            left, more = left - len(objects), metadata.get("continue")
            if left <= 0 or not more:
                if self._settings.limit:
                    self._observer.cut(_left_out(max(0, -left), metadata))
                return
            params = {"continue": more}

    def _began(self, by: str) -> float:
        self._observer.listing(by, self._listed)
        self._listed = True
        self._rows = Rows()
        return self._clock()

    def _ended(self, started: float) -> None:
        self._filled = True
        if self._settings.resync:
            self._resync_at = self._clock() + self._settings.resync * (0.9 + 0.2 * self._draw())
        self._observer.synced(self._clock() - started)
        self._store.bookmark(self._version)

    # --- what follows it

    def _watch(self) -> None:
        """Follow one watch from the last version seen."""
        started = self._clock()
        asked = self._watch_seconds(self._resync_at - self._clock())
        params = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": asked,
        }
        self._observer.watching()
        self._rows = Rows()
        with self._lines(params, self._representation.watch_accept) as lines:
            self._observer.answered()
            some = self._until_broken(self._events(lines))
        lasted = self._clock() - started
        if self._is_over():
            return
        if WHOLE * int(asked) <= lasted <= int(asked) + OVERDUE:
            self._observer.followed()
        self._assess(some, lasted)

    def _assess(self, some: bool, lasted: float) -> None:
        """Tell a watch that works from one that a server or a proxy ends again and again.

        Raises:
            Unreachable: it ended at once.
        """
        if lasted >= ABRUPT:
            self._short_watches, self._was_gone = 0, False
            self._backoff.reset()
            return
        self._short_watches += 1
        if not some or self._short_watches > SHORT_WATCHES:
            raise Unreachable("the watch ended at once")

    def _until_broken(self, events: Iterator[Event]) -> bool:
        """Follow a watch; True if it delivered anything or lasted.

        A watch that lasted and then breaks is normal in a long life: the next one follows without a delay. So is a watch that
        is silent for the read timeout, where changes and bookmarks are rare (Kubernetes 1.30 and older).
        """
        started = self._clock()
        try:
            return self._follow(events)
        except Silent:
            self._observer.quiet()
        except (Unreachable, ProtocolError) as error:
            if self._clock() - started < ABRUPT:
                raise
            self._observer.failed(label(error), str(error), 0.0)
        return True

    def _is_over(self) -> bool:
        """Whether nothing more is to be read of a watch."""
        return self._stop.is_set() or self._clock() >= self._resync_at

    def _follow(self, events: Iterator[Event]) -> bool:
        """Hand changes to the store; whether there were any."""
        some = False
        for kind, obj in events:
            some = True
            if kind == "BOOKMARK":
                version = str(self._bookmarked(obj).get("resourceVersion") or "")
                self._store.bookmark(version)
            else:
                (self._store.delete if kind == "DELETED" else self._store.upsert)(obj)
                version = obj["metadata"].get("resourceVersion")
            self._version = self._floor = version or self._version
            if self._is_over():
                break
        return some

    def _events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """The events of a stream that concern us; a bookmark's object as it came.

        Raises:
            ApiError: the stream says ERROR.
            ProtocolError: a line that is no event.
        """
        # PERF: this loop and decoding are all that an event costs before it is rendered: 20 us for 10 kB.
        divided, decode = self._collection.divided, self._decode
        for line in lines:
            self._observer.event(len(line))
            if divided and not self._may_be_ours(line):
                continue
            try:
                kind, obj = decode(line)
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise ProtocolError(f"a line is no event: {error}") from error
            if kind == "ERROR":
                raise _status(obj)
            if kind == "BOOKMARK":
                yield kind, obj
            elif kind not in ("ADDED", "MODIFIED", "DELETED"):
                self._observer.failed("unknown_event", f"an event of type {kind!r} was passed over", 0.0)
            elif self._representation.table:
                yield from ((kind, row) for row in self._rows.objects(obj) if self._is_ours(row))
            elif self._is_object(obj):
                yield kind, obj

    def _may_be_ours(self, line: bytes) -> bool:
        """Whether an event must be looked at: one of somebody else's objects need not be parsed. PERF: 4 us instead
        of 25."""
        if self._representation.table:
            return True
        try:
            event = peek(line)
        except msgspec.MsgspecError:
            return True
        uid = event.object.metadata.uid
        return not uid or event.type not in ("ADDED", "MODIFIED", "DELETED") or self._takes(uid)

    def _is_ours(self, obj: Any) -> bool:
        """Whether it is an object that is taken."""
        return self._is_object(obj) and (not self._collection.divided or self._takes(obj["metadata"]["uid"]))

    def _is_object(self, obj: Any) -> bool:
        """Whether it has what the store needs; what has not is counted and passed over."""
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if isinstance(metadata, dict) and isinstance(metadata.get("uid"), str) and metadata["uid"]:
            return True
        self._observer.failed("malformed", "an object without metadata.uid was passed over", 0.0)
        return False

    def _bookmarked(self, obj: Any) -> dict[str, Any]:
        """The metadata of a bookmark. In a watch for Tables, it is that of its one row."""
        if isinstance(obj, dict) and self._representation.table and obj.get("rows"):
            obj = obj["rows"][0].get("object")
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if not isinstance(metadata, dict):
            raise ProtocolError("a bookmark has no metadata")
        return metadata

    # --- requests

    def _lines(self, params: dict[str, str], accept: str) -> Any:
        return self._client.lines(self._collection.path, {**self._collection.query, **params}, accept)

    def _watch_seconds(self, most: float) -> str:
        """How long a watch is to last: drawn, so that agents do not come back all at once."""
        low, high = self._settings.watch
        return str(max(1, round(min(low + (high - low) * self._draw(), most))))


def _left_out(beyond: int, metadata: dict[str, Any]) -> int | None:
    """How many objects a list has left out: those that came `beyond` the limit, and those that the server says remain."""
    if not metadata.get("continue"):
        return beyond
    remaining = metadata.get("remainingItemCount")
    return beyond + remaining if isinstance(remaining, int) else None


def _status(obj: Any) -> ApiError:
    """The error of an ERROR event."""
    status = obj if isinstance(obj, dict) else {}
    code = status.get("code")
    return api_error(
        code if isinstance(code, int) else 500, str(status.get("reason") or ""), str(status.get("message") or "")
    )


def _refuses_streaming(error: ApiError) -> bool:
    """Whether the server cannot stream lists: it does not know the parameter, its gate is off, or its etcd is too
    old."""
    about_it = any(
        word in error.message
        for word in ("sendInitialEvents", "resourceVersionMatch", "RequestWatchProgress", "WatchList")
    )
    return error.status in (400, 405, 406, 422) or about_it
