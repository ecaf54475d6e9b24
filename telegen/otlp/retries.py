"""Delivery of one request: tries with backoff until the receiver has taken or refused it, or it is given up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from telegen.otlp.client import Client
from telegen.otlp.outcome import Accepted, Outcome, Refused, Retry

BACKOFF = (1.0, 30.0)
"""First and longest delay between two tries, in seconds."""
LOOK = 1.0
"""Seconds of a wait after which a request that is no longer wanted is given up."""


class Delivery:
    """Sends requests one after the other; a retry sends the same bytes. A delay that the receiver asks for holds for every request."""

    def __init__(
        self,
        client: Client,
        stop: threading.Event,
        report: Callable[[Outcome, int], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Prepare.

        Args:
            stop: ends the wait before the next try.
            report: called with the outcome of each try and the bytes that were sent.
        """
        self._client, self._stop, self._report, self._draw = client, stop, report, draw
        self._quiet_until = 0.0

    def deliver(self, body: bytes, is_wanted: Callable[[], bool]) -> Accepted | Refused | None:
        """Send a request until it has an outcome.

        Args:
            is_wanted: return False to give the request up.

        Returns:
            None if it was given up.
        """
        packed, delay = self._client.pack(body), BACKOFF[0]
        self._wait(self._quiet_until - time.monotonic(), is_wanted)
        while is_wanted():
            outcome = self._client.send(packed)
            self._report(outcome, len(packed))
            if not isinstance(outcome, Retry):
                return outcome
            self._quiet_until = time.monotonic() + (outcome.delay or 0.0)
            # Full jitter: many agents that lose one receiver do not return all at once.
            # A delay of the receiver comes on top, so that one of 0 s makes no loop without pauses.
            self._wait((outcome.delay or 0.0) + delay * self._draw(), is_wanted)
            delay = min(delay * 2, BACKOFF[1])
        return None

    def _wait(self, seconds: float, is_wanted: Callable[[], bool]) -> None:
        """Wait as long as the request is wanted."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and is_wanted():
            if self._stop.wait(min(left, LOOK)):
                return
