"""Poller of all agents: one thread, one kept connection per agent, polls spread over the interval.

PERF: 110 us of CPU per poll, half of it TLS and the kernel, a third the check of the document: 4 % of a core for 5,000 agents.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from telegen import __version__
from telegen.adapter.agents.answers import HttpAnswer
from telegen.adapter.agents.connection import CHUNK, Connection, ConnectionFailed, Identity
from telegen.adapter.agents.documents import Malformed
from telegen.adapter.agents.endpoints import Endpoint
from telegen.adapter.agents.store import AgentStore
from telegen.config.agent_api import USAGE
from telegen.shm.allocator import ArenaFull
from telegen.shm.deflate import crc32

TICK = 0.25
"""Longest time in seconds that a turn waits."""
STARTS = 32
"""Polls that begin in one turn. Where CPU is short, as in a pod with a small limit, polls under way go on before others begin."""
SLOTS = 150
"""Times within the interval at which polls begin."""
CONNECT_EACH = 0.003
"""Seconds between the first polls of agents: each handshake takes 1 ms of CPU."""
RESULTS = ("ok", "unchanged", "not_ready", "unreachable", "tls", "timeout", "malformed", "refused", "full")


@dataclass(frozen=True)
class PollSettings:
    """Times in seconds.

    Attributes:
        interval: between two polls of an agent.
        timeout: of a poll, the connection included.
        longest: between two polls of an agent that does not answer.
    """

    interval: float = 15.0
    timeout: float = 10.0
    longest: float = 60.0


class PollObserver(Protocol):
    """Callbacks for metrics and logs."""

    def polled(self, result: str, seconds: float) -> None:
        """A poll ended, with one of RESULTS."""

    def failed(self, agent: str, result: str, cause: str) -> None:
        """The polls of an agent fail from now on, or for another cause."""

    def recovered(self, agent: str) -> None:
        """The polls of an agent succeed again."""

    def skewed(self, agent: str, seconds: float) -> None:
        """The clock of an agent is ahead by so many seconds, and is corrected from now on; 0.0: it is right again."""


class Polled:
    """Polling of one agent.

    Attributes:
        connection: kept between polls; None before the first, and after a failure.
        due: time of the next poll; None while there is none.
        began: time of the poll under way on the clocks of the poller and of the system.
        failures: failed polls since the last that succeeded.
        failed: result and cause of the last poll, "" if it succeeded.
        etag: of the last document.
        wants_all: ask for the whole document, whatever is stored.
        is_tried: a poll has ended.
    """

    __slots__ = (
        "endpoint", "connection", "registered", "due", "is_polling", "began", "failures", "failed", "etag", "wants_all", "is_tried",
        "is_retried",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.connection: Connection | None = None
        self.registered = 0
        self.due: float | None = None
        self.began = (0.0, 0.0)
        self.failures, self.failed, self.etag = 0, "", ""
        self.is_polling = self.wants_all = self.is_tried = self.is_retried = False

    @property
    def shown(self) -> str:
        """Address and node, for logs."""
        return f"{self.endpoint.address} (node {self.endpoint.node or 'unknown'})"

    @property
    def is_answering(self) -> bool:
        """True if the last poll succeeded."""
        return self.is_tried and not self.failures


class Poller:
    """The poller.

    Attributes:
        agents: by address.
    """

    def __init__(
        self,
        store: AgentStore,
        identity: Callable[[], Identity | None],
        observer: PollObserver,
        settings: PollSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is polled before `set_endpoints`.

        Args:
            identity: returns the certificates in force, None while there are none.
        """
        self._store, self._identity, self._observer, self._settings, self._clock = store, identity, observer, settings, clock
        self.agents: dict[str, Polled] = {}
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Polled]] = []
        self._order = itertools.count()
        self._polling: dict[Polled, float] = {}
        self._buffer = bytearray(CHUNK)

    def set_endpoints(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Poll these agents, by address, and no others."""
        for address in set(self.agents).difference(endpoints):
            agent = self.agents.pop(address)
            agent.due = None
            self._polling.pop(agent, None)
            self._disconnect(agent)
        spread = min(self._settings.interval, CONNECT_EACH * len(endpoints))
        for address, endpoint in endpoints.items():
            if address not in self.agents:
                self.agents[address] = Polled(endpoint)
            agent = self.agents[address]
            if agent.due is None:
                self._schedule(agent, self._clock() + spread * _phase(address))
            elif endpoint.is_ready and not agent.endpoint.is_ready and agent.failures and not agent.is_polling:
                self._schedule(agent, self._clock())
            agent.endpoint = endpoint

    def turn(self) -> None:
        """Wait for what comes next, at most a tick, and do it."""
        identity = self._identity()
        timeout = min(TICK, max(0.0, self._due[0][0] - self._clock())) if self._due and identity else TICK
        for key, _ in self._selector.select(timeout):
            self._advance(key.data)
        now = self._clock()
        if identity:
            self._start_due(identity, now)
        self._expire(now)

    def _start_due(self, identity: Identity, now: float) -> None:
        for _ in range(STARTS):
            if not self._due or self._due[0][0] > now:
                return
            due, _, agent = heapq.heappop(self._due)
            # Another entry is of an agent that was scheduled anew, or has gone.
            if due == agent.due and not agent.is_polling:
                self._start(agent, identity)

    def close(self) -> None:
        """Close all connections."""
        self.set_endpoints({})
        self._selector.close()

    # --- one poll

    def _start(self, agent: Polled, identity: Identity) -> None:
        agent.is_polling, agent.is_retried, agent.began = True, False, (self._clock(), self._store.clock())
        self._polling[agent] = self._clock() + self._settings.timeout
        if agent.connection and agent.connection.identity.number != identity.number:
            self._disconnect(agent)
        self._request(agent, identity)

    def _request(self, agent: Polled, identity: Identity) -> None:
        try:
            if agent.connection is None:
                agent.connection = Connection(agent.endpoint.host, agent.endpoint.port, identity)
                agent.registered = agent.connection.events
                self._selector.register(agent.connection.fileno(), agent.registered, agent)
                agent.connection.send(self._text(agent))
                return
        except ConnectionFailed as error:
            self._fail(agent, error.kind, str(error))
            return
        agent.connection.send(self._text(agent))
        self._advance(agent)

    def _text(self, agent: Polled) -> bytes:
        """Return the request for the usage of an agent."""
        known = None if agent.wants_all else self._store.agents.get(agent.endpoint.address)
        query = f"?generation={quote(known.generation, safe='')}" if known else ""
        condition = f"If-None-Match: {agent.etag}\r\n" if known and agent.etag else ""
        head = f"GET {USAGE}{query} HTTP/1.1\r\nHost: {agent.endpoint.address}\r\nUser-Agent: telegen/{__version__}\r\n"
        return f"{head}Accept: application/json\r\n{condition}\r\n".encode()

    def _advance(self, agent: Polled) -> None:
        """Go on with the connection of an agent."""
        connection = agent.connection
        if connection is None:
            return
        try:
            answer = connection.advance(self._buffer)
        except ConnectionFailed as error:
            self._disconnect(agent)
            identity = self._identity()
            if agent.is_polling and error.is_stale and not agent.is_retried and identity:
                agent.is_retried = True
                self._request(agent, identity)
            elif agent.is_polling:
                self._fail(agent, error.kind, str(error))
            return
        if connection.events != agent.registered:
            agent.registered = connection.events
            self._selector.modify(connection.fileno(), agent.registered, agent)
        if answer:
            if answer.closes:
                self._disconnect(agent)
            self._take(agent, answer)

    def _take(self, agent: Polled, answer: HttpAnswer) -> None:
        """Store an answer."""
        if answer.status == 304 and agent.etag:
            self._store.touch(agent.endpoint.address)
            self._succeed(agent, "unchanged")
        elif answer.status == 503:
            self._fail(agent, "not_ready", f"HTTP 503: {_first_line(answer.body)}")
        elif answer.status != 200:
            self._fail(agent, "refused", f"HTTP {answer.status}: {_first_line(answer.body)}")
        else:
            self._store_document(agent, answer)

    def _store_document(self, agent: Polled, answer: HttpAnswer) -> None:
        endpoint = agent.endpoint
        known = self._store.agents.get(endpoint.address)
        before = known.offset if known else 0.0
        try:
            stored = self._store.accept(endpoint.address, endpoint.node, answer.body, agent.began[1])
        except Malformed as error:
            agent.wants_all = True
            self._fail(agent, "malformed", str(error))
        except ArenaFull as error:
            self._fail(agent, "full", str(error))
        else:
            agent.etag, agent.wants_all = answer.etag, False
            if bool(before) != bool(stored.offset):
                self._observer.skewed(agent.shown, stored.offset)
            self._succeed(agent, "ok")

    def _succeed(self, agent: Polled, result: str) -> None:
        if agent.failures:
            self._observer.recovered(agent.shown)
        agent.failures, agent.failed = 0, ""
        self._finish(agent, result)

    def _fail(self, agent: Polled, result: str, cause: str) -> None:
        agent.failures += 1
        if agent.failed != f"{result}: {cause}":
            agent.failed = f"{result}: {cause}"
            self._observer.failed(agent.shown, result, cause)
        self._finish(agent, result)

    def _finish(self, agent: Polled, result: str) -> None:
        """End a poll and schedule the next one."""
        now = self._clock()
        agent.is_polling, agent.is_tried = False, True
        self._polling.pop(agent, None)
        self._observer.polled(result, now - agent.began[0])
        interval = self._settings.interval
        delay = min(interval * 2.0 ** min(10, max(0, agent.failures - 2)), max(interval, self._settings.longest))
        # The nearest time of the agent's own phase, so that polls stay spread.
        turns = round((now + delay - interval * _phase(agent.endpoint.address)) / interval)
        due = interval * (turns + _phase(agent.endpoint.address))
        self._schedule(agent, due if due - now > interval / 2 else due + interval)

    def _expire(self, now: float) -> None:
        """End the polls that take too long. They are in the order of their deadlines."""
        for agent, deadline in list(itertools.takewhile(lambda item: item[1] <= now, self._polling.items())):
            self._disconnect(agent)
            self._fail(agent, "timeout", f"no complete answer within {self._settings.timeout:g} s")

    def _schedule(self, agent: Polled, due: float) -> None:
        agent.due = due
        heapq.heappush(self._due, (due, next(self._order), agent))

    def _disconnect(self, agent: Polled) -> None:
        if agent.connection:
            self._selector.unregister(agent.connection.fileno())
            agent.connection.close()
            agent.connection = None


def _phase(address: str) -> float:
    """Share of the interval at which an agent is polled.

    PERF: agents of one slot are polled together, 33 of 5,000 each 100 ms: a poll alone finds the processor's caches cold.
    """
    return float(crc32(address.encode()) % SLOTS / SLOTS)


def _first_line(body: bytes) -> str:
    line = body[:200].decode("utf-8", "replace").partition("\n")[0]
    return "".join(char if char.isprintable() else "?" for char in line)
