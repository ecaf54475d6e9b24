"""Sender of pushes: a bounded queue, and the thread that sends what is in it."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from telegen.otlp.client import Client
from telegen.otlp.outcome import Accepted, Outcome, Refused
from telegen.otlp.requests import Limits, Push, Request, requests
from telegen.otlp.retries import LOOK, Delivery

SPREAD = 0.8
"""Fraction of the interval over which the requests of a push are spread: the receiver is the slower side."""


class SenderEvents(Protocol):
    """Callbacks of the sender, for metrics and logs."""

    def tried(self, outcome: Outcome, size: int) -> None:
        """A request of `size` bytes was sent, and perhaps not for the last time."""

    def sent(self, points: int, outcome: Accepted | Refused) -> None:
        """A request of `points` data points has its outcome."""

    def given_up(self, points: int, reason: str) -> None:
        """Data points are not sent: `queue_full`, `not_served` or `stopped`."""

    def queued(self, pushes: int, oldest: float) -> None:
        """The queue has changed; `oldest` is the Unix time of its oldest push, 0.0 if it is empty."""

    def completed(self, time: float, is_accepted: bool) -> None:
        """A push of this Unix time was sent to its end; the receiver has taken or refused each request, and accepted all or not."""


class PushQueue:
    """Pushes that wait, the oldest first. The one that is being sent is among them."""

    def __init__(self, size: int, drop: Callable[[Push, bool], None]) -> None:
        """Prepare.

        Args:
            size: most pushes; one more drops the oldest.
            drop: called with a push that is dropped, and True if `first` has returned it, from the thread of `put`.
        """
        self._size, self._drop = size, drop
        self._begun: Push | None = None
        self._pushes: deque[Push] = deque()
        self._changed = threading.Condition()

    def put(self, push: Push) -> None:
        """Add a push."""
        with self._changed:
            self._pushes.append(push)
            dropped = self._pushes.popleft() if len(self._pushes) > self._size else None
            is_begun = dropped is self._begun
            self._changed.notify_all()
        if dropped is not None:
            self._drop(dropped, is_begun)

    def first(self, timeout: float) -> Push | None:
        """Return the oldest push, which stays; None if there is none within the time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._pushes), timeout)
            self._begun = self._pushes[0] if self._pushes else None
            return self._begun

    def remove(self, push: Push) -> None:
        """Remove a push that was sent, unless it was dropped meanwhile."""
        with self._changed:
            if self._pushes and self._pushes[0] is push:
                self._pushes.popleft()

    def holds(self, push: Push) -> bool:
        """Return True unless a push was dropped."""
        with self._changed:
            return any(one is push for one in self._pushes)

    def __len__(self) -> int:
        """Return the number of pushes."""
        return len(self._pushes)

    @property
    def oldest(self) -> float:
        """Unix time of the oldest push; 0.0 if there is none."""
        with self._changed:
            return self._pushes[0].time / 1e9 if self._pushes else 0.0


class Sender:
    """Sends the pushes of a queue."""

    def __init__(self, queue: PushQueue, client: Client, events: SenderEvents, limits: Limits, interval: float) -> None:
        """Prepare.

        Args:
            interval: seconds between two pushes.
        """
        self._queue, self._events, self._limits, self._interval = queue, events, limits, interval
        self._given_up, self._hurry = threading.Event(), threading.Event()
        self._delivery = Delivery(client, self._given_up, events.tried)

    def run(self) -> None:
        """Send until `give_up`."""
        while not self._given_up.is_set():
            push = self._queue.first(LOOK)
            if push is not None:
                self._send(push)
                self._queue.remove(push)
                self._events.queued(len(self._queue), self._queue.oldest)

    def hurry(self) -> None:
        """Send what is left without pauses."""
        self._hurry.set()

    def give_up(self) -> None:
        """End without sending what is left."""
        self._given_up.set()
        self._hurry.set()

    def _send(self, push: Push) -> None:
        """Send the requests of a push one after the other, spread over the interval."""
        points, is_accepted = len(push), True
        pause = SPREAD * self._interval / max(1, math.ceil(points / self._limits.points))
        started = time.monotonic()
        number = 0
        for request in requests(push, self._limits):
            number += 1
            outcome = self._deliver(push, request)
            if outcome is None:
                self._events.given_up(points, "stopped" if self._given_up.is_set() else "queue_full")
                return
            is_accepted = is_accepted and not isinstance(outcome, Refused)
            points -= request.points
            # PERF: 1 MB less during the pause.
            del request
            # A push that is late is sent without pauses.
            if points > 0 and len(self._queue) == 1:
                self._hurry.wait(max(0.0, started + number * pause - time.monotonic()))
        self._events.completed(push.time / 1e9, is_accepted)

    def _deliver(self, push: Push, request: Request) -> Accepted | Refused | None:
        """Send a request; return None if its push is no longer wanted.

        Series that another agent serves by now count as accepted: it sends them.
        """

        def is_wanted() -> bool:
            return not self._given_up.is_set() and self._queue.holds(push) and request.origin.is_served()

        outcome = self._delivery.deliver(request.body, is_wanted)
        if outcome is not None:
            self._events.sent(request.points, outcome)
        elif self._given_up.is_set() or not self._queue.holds(push):
            return None
        else:
            self._events.given_up(request.points, "not_served")
            return Accepted()
        return outcome
