"""One thread that follows the watches of many reflectors.

An open watch is silent nearly all the time, so a thread for each would cost memory and do nothing. One thread follows all
open watches. Complete states are taken and watches opened by a few others, because that blocks.
"""

from __future__ import annotations

import heapq
import itertools
import os
import queue
import selectors
import threading
import time
from collections.abc import Callable, Sequence

from telegen.api.reflector import Reflector

TICK = 1.0
"""Longest time in seconds between two checks of `stop` and of the deadlines of watches."""
CONNECTORS = 2
"""Threads that connect. Another one starts when a reflector has waited for one for a tick: requests that the API server does
not answer must not delay those of other resources."""

StartThread = Callable[[str, Callable[[], None]], None]
"""Function that starts a thread with a name and a target."""


class WatchLoop:
    """The reflectors of one process."""

    def __init__(self, reflectors: Sequence[Reflector], stop: threading.Event, start_thread: StartThread) -> None:
        """Prepare to connect all reflectors, the first ones first.

        Args:
            start_thread: starts the threads of the loop; they end when `stop` is set.
        """
        self._stop, self._start_thread = stop, start_thread
        self._connectors, self._reflectors = 0, len(reflectors)
        self._starved_since = float("inf")
        self._selector = selectors.DefaultSelector()
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._to_connect: queue.SimpleQueue[Reflector | None] = queue.SimpleQueue()
        self._connected: queue.SimpleQueue[tuple[Reflector, float | None]] = queue.SimpleQueue()
        self._removed: queue.SimpleQueue[Reflector] = queue.SimpleQueue()
        self._following: dict[Reflector, int] = {}
        self._waiting: list[tuple[float, int, Reflector]] = []
        self._order = itertools.count()
        for reflector in reflectors:
            self._to_connect.put(reflector)

    def start(self) -> None:
        """Start the threads."""
        self._start_thread("watch", self._run)
        for _ in range(min(CONNECTORS, self._reflectors)):
            self._add_connector()

    def add(self, reflector: Reflector) -> None:
        """Connect and follow one more reflector; for any thread."""
        self._reflectors += 1
        self._to_connect.put(reflector)
        if self._connectors < min(CONNECTORS, self._reflectors):
            self._add_connector()

    def remove(self, reflector: Reflector) -> None:
        """Drop a reflector and its watch; for any thread. It may still be connecting when this returns."""
        reflector.stop.set()
        self._reflectors -= 1
        self._removed.put(reflector)
        os.eventfd_write(self._wakeup, 1)

    def _add_connector(self) -> None:
        self._start_thread(f"connect-{self._connectors}", self._connect)
        self._connectors += 1

    def _connect(self) -> None:
        """Connect one reflector after the other until `stop` is set."""
        while not self._stop.is_set():
            try:
                reflector = self._to_connect.get(timeout=TICK)
            except queue.Empty:
                continue
            if reflector is None:
                return
            if reflector.stop.is_set():
                continue
            self._connected.put((reflector, reflector.connect()))
            os.eventfd_write(self._wakeup, 1)

    def _run(self) -> None:
        """Follow all watches until `stop` is set."""
        try:
            while not self._stop.is_set():
                ready = self._wait()
                self._register_connected()
                self._drop_removed()
                for reflector in ready:
                    if not reflector.stop.is_set():
                        self._follow(reflector)
                self._retry_waiting()
                self._relieve_connectors()
        finally:
            for reflector in list(self._following):
                self._forget(reflector)
                reflector.close()
            self._selector.close()

    def close(self) -> None:
        """Free the descriptor that wakes the loop, when all threads have ended."""
        os.close(self._wakeup)

    def _wait(self) -> list[Reflector]:
        """Wait for data, a connection or a deadline; return the reflectors that have something to do."""
        buffered = [reflector for reflector in self._following if reflector.watch and reflector.watch.stream.has_more()]
        timeout = 0.0 if buffered else TICK
        if self._waiting:
            timeout = min(timeout, max(0.0, self._waiting[0][0] - time.monotonic()))
        ready = dict.fromkeys(buffered)
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, Reflector):
                ready[key.data] = None
            else:
                os.eventfd_read(self._wakeup)
        for reflector in self._following:
            if reflector.is_due:
                ready[reflector] = None
        return list(ready)

    def _drop_removed(self) -> None:
        """Close the watches of removed reflectors. Those that wait are dropped when their delay is over."""
        while not self._removed.empty():
            reflector = self._removed.get()
            if reflector in self._following:
                self._forget(reflector)
            reflector.close()

    def _register_connected(self) -> None:
        """Take over what `connect` has done."""
        while not self._connected.empty():
            reflector, delay = self._connected.get()
            if reflector.stop.is_set():
                reflector.close()
            elif delay is None and reflector.watch:
                self._register(reflector)
            else:
                self._schedule(reflector, delay or 0.0)

    def _register(self, reflector: Reflector) -> None:
        watch = reflector.watch
        assert watch
        if watch.stream.ended:
            self._follow(reflector)
            return
        self._following[reflector] = watch.stream.fileno()
        self._selector.register(watch.stream.fileno(), selectors.EVENT_READ, reflector)

    def _follow(self, reflector: Reflector) -> None:
        """Hand over what has arrived."""
        fd = self._following.get(reflector)
        delay = reflector.follow()
        if delay is not None:
            if fd is not None:
                self._forget(reflector)
            self._schedule(reflector, delay)

    def _forget(self, reflector: Reflector) -> None:
        self._selector.unregister(self._following.pop(reflector))

    def _schedule(self, reflector: Reflector, delay: float) -> None:
        """Connect after a delay."""
        if delay:
            heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._order), reflector))
        else:
            self._to_connect.put(reflector)

    def _relieve_connectors(self) -> None:
        """Start one more connector if all have been busy for a tick while a reflector waits."""
        now = time.monotonic()
        if self._to_connect.empty():
            self._starved_since = float("inf")
        elif now - self._starved_since > TICK and self._connectors < self._reflectors:
            self._add_connector()
            self._starved_since = now
        else:
            self._starved_since = min(self._starved_since, now)

    def _retry_waiting(self) -> None:
        """Connect what has waited for its delay."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._to_connect.put(heapq.heappop(self._waiting)[2])
