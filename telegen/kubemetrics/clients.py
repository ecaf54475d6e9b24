"""The clients of a web process: limits of their number, time and rate. Those beyond a limit are dropped, and counted by reason."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger("telegen.web")

LOG_INTERVAL = 10.0
"""Seconds between two log lines about dropped clients."""
SPOKEN_SHARE = 4
"""A quarter as many connections may have sent something: each costs ten times the memory of a silent one, with TLS a hundred times."""
OVERFLOW = 4
"""Factor on `max_answers` from which on a response ends at once, whether its client reads or not."""
BLOCKED = 2.0
"""Seconds without room in its socket, or without the rest of its request, after which a client does not keep pace."""
PAUSE = 0.1
"""Seconds after a response for which the end of the process does not close its connection."""
LAST_CALL = 0.8
"""Seconds at the end of the process for a client that does not go on."""
REASONS = {
    "silent": "no complete request within read_timeout",
    "slow": "took less than min_rate over write_timeout",
    "deadline": "response not taken within X-Prometheus-Scrape-Timeout-Seconds",
    "crowded": "made room for other clients at max_connections or max_answers",
    "superseded": "its page made room for a newer one at body_memory",
    "invalid": "malformed request, or headers beyond max_header_size",
    "handshake": "TLS handshake failed",
    "unserved": "the serving deadline of a shard on its page has passed",
    "stopping": "had not finished when the process ended",
}
"""Values of the label `reason`."""


@dataclass(frozen=True)
class Limits:
    """Limits of one process.

    Attributes:
        read_timeout: seconds for a request to arrive, from the connection or its first byte on.
        answer_timeout: seconds for the application to begin its response to a complete request.
        write_timeout: seconds over which the rate of a client is measured.
        min_rate: bytes per second.
        max_header_size: bytes of the request line and all headers.
        max_connections: silent connections.
        max_answers: responses that are being sent at once, before those whose clients do not keep pace end.
    """

    read_timeout: float = 10.0
    answer_timeout: float = 10.0
    write_timeout: float = 10.0
    min_rate: int = 64 << 10
    max_header_size: int = 64 << 10
    max_connections: int = 1000
    max_answers: int = 64

    @property
    def max_spoken(self) -> int:
        """Connections that have sent something."""
        return max(1, self.max_connections // SPOKEN_SHARE)

    @property
    def most_sockets(self) -> int:
        """Connections at most: silent ones, those that begin with a handshake, and those that have sent something."""
        return self.max_connections + 2 * self.max_spoken


class Connected(Protocol):
    """A connection that has sent something; see `telegen.kubemetrics.connection`."""

    @property
    def is_answering(self) -> bool:
        """True while a request is being answered or bytes of a response are unsent."""

    @property
    def is_idle(self) -> bool:
        """True between two requests."""

    @property
    def quiet_since(self) -> float:
        """Time of the end of the last response or, without one, of the connection."""

    @property
    def blocked_since(self) -> float:
        """Time since which the client has not taken its response or not sent the rest of its request; infinite if it keeps pace."""

    def check(self, now: float) -> str:
        """Return the reason for which the connection has to be dropped, "" for none."""

    def abort(self) -> None:
        """Reset the connection."""

    def close(self) -> None:
        """Close the connection."""


class Clients:
    """The connections of a process that have sent something."""

    def __init__(self, limits: Limits, count: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Start without connections.

        Args:
            count: called with the reason of each dropped connection.
        """
        self.limits, self._count, self._clock = limits, count, clock
        self._connections: dict[Connected, None] = {}
        self._dropped: Counter[str] = Counter()
        self._logged = float("-inf")

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connected]:
        return iter(list(self._connections))

    def add(self, connection: Connected) -> None:
        """Note a new connection; the one that has been quiet for longest makes room for it."""
        self._connections[connection] = None
        if len(self._connections) > self.limits.max_spoken:
            quiet = [one for one in self._connections if not one.is_answering and one is not connection]
            if quiet:
                self.drop(min(quiet, key=lambda one: one.quiet_since), "crowded")

    def discard(self, connection: Connected) -> None:
        """Note the end of a connection."""
        self._connections.pop(connection, None)

    def answering(self) -> None:
        """Note that a response begins; one whose client does not keep pace ends if there are too many."""
        busy = [one for one in self._connections if one.is_answering]
        if len(busy) <= self.limits.max_answers:
            return
        slowest = min(busy, key=lambda one: one.blocked_since)
        # Honest clients of a busy process are blocked for moments, never for long.
        if self._clock() - slowest.blocked_since > BLOCKED or len(busy) > OVERFLOW * self.limits.max_answers:
            self.drop(slowest, "crowded")

    def drop(self, connection: Connected, reason: str) -> None:
        """Reset a connection and count it."""
        if connection in self._connections:
            self.discard(connection)
            self.count(reason)
            connection.abort()

    def count(self, reason: str) -> None:
        """Count a dropped client."""
        self._dropped[reason] += 1
        self._count(reason)

    def sweep(self) -> None:
        """Drop the connections that are beyond a limit, and log how many were dropped. Called once a second."""
        now = self._clock()
        for connection in self:
            reason = connection.check(now)
            if reason:
                self.drop(connection, reason)
        if self._dropped and now - self._logged >= LOG_INTERVAL:
            self._logged = now
            log.warning("clients dropped: %s", _summary(self._dropped))
            self._dropped.clear()

    def finish(self, begun: float) -> None:
        """Close the connections that the end of the process does not wait for.

        Args:
            begun: time at which the end began.
        """
        now = self._clock()
        for connection in self:
            # A connection that is new, or sends a request, gets the same time as one that does not take its response.
            since = connection.blocked_since if connection.is_answering else connection.quiet_since
            if connection.is_idle:
                # A client that has just had a response may be sending again: it gets one more, which announces the end.
                if now - connection.quiet_since > PAUSE:
                    connection.close()
            elif now - max(begun, since) > LAST_CALL:
                self.drop(connection, "stopping")

    def drop_all(self, reason: str) -> None:
        """Drop every connection."""
        for connection in self:
            self.drop(connection, reason)


def _summary(dropped: Counter[str]) -> str:
    return ", ".join(f"{count} {reason} ({REASONS[reason]})" for reason, count in sorted(dropped.items()))
