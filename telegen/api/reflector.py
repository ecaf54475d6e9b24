"""Reflector: keeps a store in step with a collection of the API.

It delivers a complete state first, then every change.

The numbers are client-go's (tools/cache/reflector.go). A reflector is in one of three states:

| state | ends when | next |
|---|---|---|
| waiting | its delay is over | connecting |
| connecting (`connect`, blocks): takes a complete state where one is needed, opens a watch | the watch is open | following |
| | an error | waiting |
| following (`follow`, never blocks): hands changes to the store as they arrive | the watch ends, or an error | waiting |

`run` goes through them in a thread of its own; `telegen.api.watch_loop` does so for many reflectors.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from telegen.api.backoff import Backoff
from telegen.api.client import Client
from telegen.api.collection import Collection
from telegen.api.errors import ApiError, Forbidden, Gone, NotFound, ProtocolError, Silent, Unreachable, label
from telegen.api.events import EventReader
from telegen.api.lister import Lister
from telegen.api.protocols import ReflectorObserver, ReflectorStore, Settings
from telegen.api.representation import REPRESENTATIONS
from telegen.api.stream import TURN, Stream

SHORT = 1.0
"""Seconds: a watch that ends earlier may be one of a server or proxy that ends each at once."""
SHORT_WATCHES = 3
"""Watches in a row that may end that early when they delivered events."""
INFINITE = float("inf")
FAILURES = (ApiError, Unreachable, ProtocolError)


@dataclass
class Watch:
    """An open watch.

    Attributes:
        started: time at which it was opened.
        delivered: whether it has delivered anything, bookmarks included.
    """

    stream: Stream
    reader: EventReader
    started: float
    delivered: bool = False


class Reflector:
    """Feeds one store from one collection.

    Attributes:
        stop: ends the reflector.
        watch: the open watch while following.
    """

    def __init__(
        self,
        client: Client,
        collection: Collection,
        store: ReflectorStore,
        observer: ReflectorObserver,
        stop: threading.Event,
        settings: Settings = Settings(),
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._collection, self._store = client, collection, store
        self._observer, self.stop, self._settings = observer, stop, settings
        self._draw, self._clock = draw, clock
        self._lister = Lister(client, collection, store, observer, settings, clock)
        self._backoff = Backoff(settings, draw, clock)
        self._representation = REPRESENTATIONS[collection.representation]
        self._version = ""
        self._has_state = False
        self._resync_at, self._is_requested = INFINITE, False
        self._verify_at = clock() + settings.verify
        self._was_gone = False
        self._short_watches = 0
        self.watch: Watch | None = None

    def run(self) -> None:
        """Feed the store until `stop` is set. Errors of the API are reported and retried, never raised."""
        while not self.stop.is_set():
            delay = self.connect()
            while delay is None and self.watch and not self.stop.is_set():
                self.watch.stream.wait()
                delay = self.follow()
            self.stop.wait(delay or 0.0)
        self.close()

    def close(self) -> None:
        """Drop the watch."""
        if self.watch:
            self.watch.stream.close()
            self.watch = None

    def request_state(self) -> None:
        """Take a complete state that begins after this call, although nothing is missing; for any thread."""
        self._is_requested = True

    @property
    def is_due(self) -> bool:
        """True if the open watch has something to do, although nothing has arrived."""
        return self.watch is not None and (self.watch.stream.deadline <= self._clock() or self._needs_state())

    # --- connecting

    def connect(self) -> float | None:
        """Take a complete state where one is needed, and open a watch. Blocks.

        Returns:
            None when a watch is open, else the seconds to wait before the next call.
        """
        try:
            if self._version and self._clock() >= self._verify_at:
                self._verify()
            if not self._version or self._needs_state():
                self._take()
            if not self.watch:
                self._open()
            return None
        except FAILURES as error:
            return self._delay_after(error)

    def _verify(self) -> None:
        """Detect an etcd that was restored from a backup: its versions are older than the last one delivered.

        A watch from a version of the future is silent, and the objects created since the backup would stay for ever.

        Raises:
            Gone: a new state is needed.
        """
        current = self._lister.current_version()
        self._verify_at = self._clock() + self._settings.verify
        if current.isdecimal() and self._version.isdecimal() and int(current) < int(self._version):
            message = f"the API server is at version {current}, older than {self._version}: etcd was restored; requesting a new state"
            raise Gone(410, "Restored", message)

    def _take(self) -> None:
        """Take a complete state. Where one exists and this fails, the old one is followed on."""
        # Before the state is requested: another request during it concerns objects that were rendered already.
        self._is_requested = False
        if self._version:
            # The next attempt, should this one fail.
            self._resync_at = self._clock() + self._settings.backoff[1]
        state = self._lister.take(self._watch_seconds(max(self._settings.resync or INFINITE, self._settings.initial)))
        self._version, self._has_state, self._resync_at = state.version, True, INFINITE
        self._verify_at = self._clock() + self._settings.verify
        if self._settings.resync:
            self._resync_at = self._clock() + self._settings.resync * (0.9 + 0.2 * self._draw())
        if state.stream and state.reader:
            self.watch = Watch(state.stream, state.reader, self._clock(), delivered=True)

    def _open(self) -> None:
        """Open a watch from the last version."""
        params = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": self._watch_seconds(self._resync_at - self._clock()),
        }
        self._observer.watching()
        query = {**self._collection.query, **params}
        stream = self._client.stream(self._collection.path, query, self._representation.watch_accept)
        self._observer.answered()
        self.watch = Watch(stream, EventReader(self._collection, self._observer), self._clock())

    def _watch_seconds(self, most: float) -> str:
        """Duration of a watch: random, so that agents do not reconnect all at once."""
        low, high = self._settings.watch
        return str(max(1, round(min(low + (high - low) * self._draw(), most))))

    # --- following

    def follow(self) -> float | None:
        """Hand the changes that have arrived to the store. Never blocks.

        Returns:
            None while the watch goes on, else the seconds to wait before `connect`.
        """
        watch = self.watch
        assert watch
        try:
            if not self._apply(watch):
                watch.stream.check()
                return None
            self.close()
            if not self._is_over():
                self._assess(watch)
            return 0.0
        except Silent:
            # Changes and bookmarks may be rare (Kubernetes 1.30 and older). If the server is gone, connecting fails.
            self.close()
            self._observer.quiet()
            return 0.0
        except FAILURES as error:
            self.close()
            return self._delay_after_break(watch, error)

    def _apply(self, watch: Watch) -> bool:
        """Hand over what has arrived; True if the watch has ended or a new state is due."""
        for kind, obj in watch.reader.events(watch.stream.available(TURN)):
            watch.delivered = True
            if kind == "BOOKMARK":
                version = str(watch.reader.metadata(obj).get("resourceVersion") or "")
                self._store.bookmark(version)
            else:
                (self._store.delete if kind == "DELETED" else self._store.upsert)(obj)
                version = obj["metadata"].get("resourceVersion")
            self._version = version or self._version
            if self._is_over():
                return True
        return watch.stream.ended or self._is_over()

    def _is_over(self) -> bool:
        """True if the reflector itself ends the watch."""
        return self.stop.is_set() or self._needs_state()

    def _needs_state(self) -> bool:
        """True if a new state is due, although there is one."""
        return self._is_requested or self._clock() >= self._resync_at

    def _assess(self, watch: Watch) -> None:
        """Distinguish a watch that works from one that a server or a proxy ends again and again.

        Raises:
            Unreachable: it ended at once.
        """
        if self._clock() - watch.started >= SHORT:
            self._short_watches, self._was_gone = 0, False
            self._backoff.reset()
            return
        self._short_watches += 1
        if not watch.delivered or self._short_watches > SHORT_WATCHES:
            raise Unreachable("the watch ended at once")

    # --- delays

    def _delay_after_break(self, watch: Watch, error: Exception) -> float:
        """Seconds to wait after a watch broke. None after one that lasted: that is normal in a long life."""
        if isinstance(error, ApiError) or self._clock() - watch.started < SHORT:
            return self._delay_after(error)
        self._assess(watch)
        return self._report(error, 0.0)

    def _delay_after(self, error: Exception) -> float:
        """Seconds to wait after an error, which is reported."""
        if isinstance(error, Gone):
            # A new state is needed: at once, unless the last one did not help either.
            is_repeated = self._was_gone or not self._version
            self._version, self._was_gone = "", True
            return self._report(error, self._backoff.next() if is_repeated else 0.0)
        if isinstance(error, NotFound):
            return self._wait_for_resource()
        if isinstance(error, Forbidden):
            return self._report(error, self._backoff.refused())
        retry_after = error.retry_after if isinstance(error, ApiError) else None
        return self._report(error, max(self._backoff.next(), retry_after or 0.0))

    def _wait_for_resource(self) -> float:
        """Seconds to wait where the server does not serve the collection: no objects are a complete state too.

        What was served before stays for as long as a restart of the server may take.
        """
        delay = self._backoff.refused()
        if not self._has_state or self._backoff.is_refused:
            self._store.replace(())
            self._has_state, self._version = True, ""
        self._observer.absent(delay)
        return delay

    def _report(self, error: Exception, delay: float) -> float:
        self._observer.failed(label(error), str(error), delay)
        return delay
