"""Scripted agents over TLS, and a poller that asks them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from telegen.adapter.agents.agent_usage import AgentUsage
from telegen.adapter.agents.connection import Identity
from telegen.adapter.agents.endpoints import Endpoint
from telegen.adapter.agents.poller import Poller, PollSettings
from telegen.adapter.agents.store import AgentStore
from telegen.adapter.agents.usage import FamiliesAnswer
from telegen.shm.document_table import DocumentTable
from telegen.shm.shared_document import SharedDocument
from tests.adapter.polling.documents import encoded
from tests.certificates import self_signed, signed
from tests.process_tree import wait_for

NAME = "telegen-agents.telegen.svc"
SETTINGS = PollSettings(interval=0.1, timeout=20.0, longest=0.2)


class Request(NamedTuple):
    """A request: the query by name, and headers by name in lower case."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


Behaviour = Callable[[Request, Any], None]
"""Answers a request on a socket. A connection that it closed gets no further request."""


class Certificates:
    """A CA, a certificate of the agents and one of the adapter."""

    def __init__(self, folder: Path, names: str = f"DNS:{NAME}") -> None:
        folder.mkdir(exist_ok=True)
        self.authority = self_signed(folder, "ca")
        self.agent = signed(folder, "agent", names, self.authority)
        self.adapter = signed(folder, "telegen-adapter", "DNS:telegen-adapter", self.authority)

    def server(self) -> ssl.SSLContext:
        """Context of an agent, which demands the adapter's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.agent)
        context.load_verify_locations(self.authority[0])
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def identity(self, number: int = 1) -> Identity:
        """Certificates of the adapter."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(*self.adapter)
        context.load_verify_locations(self.authority[0])
        return Identity(number, context, NAME)


class ScriptedAgent:
    """An agent on an address of its own.

    Attributes:
        behave: answers requests; tests replace it.
        connections: number of connections so far.
        context: of TLS; None for an agent without.
        greeting: bytes that it sends before any request.
    """

    def __init__(self, context: ssl.SSLContext | None, behave: Behaviour, node: str = "") -> None:
        self.context, self.behave, self.connections = context, behave, 0
        self.requests: list[Request] = []
        self.greeting = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        port = int(self._listener.getsockname()[1])
        self.endpoint = Endpoint("127.0.0.1", port, node, True)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Address as in a URL."""
        return self.endpoint.address

    def stop(self) -> None:
        """Take no more connections, and end those that are open."""
        # Closing alone leaves a thread in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End all connections."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        # What stop() does not find in the list yet is closed here.
        with contextlib.suppress(OSError, ValueError), accepted:
            with self.context.wrap_socket(accepted, server_side=True) if self.context else accepted as connection:
                self._open.append(connection)
                connection.sendall(self.greeting)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, data = data.partition(b"\r\n\r\n")
            self.requests.append(_request(head))
            self.behave(self.requests[-1], connection)


def _request(head: bytes) -> Request:
    line, *lines = head.decode().split("\r\n")
    url = urlsplit(line.split(" ")[1])
    fields = (one.partition(":") for one in lines)
    return Request(url.path, parse_qs(url.query), {name.lower(): value.strip() for name, _, value in fields})


def respond(body: bytes, status: int = 200, *headers: str) -> bytes:
    """Return an answer."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def sends(data: bytes, ends: bool = False) -> Behaviour:
    """Return a behaviour that sends bytes, and ends the connection if told so."""

    def behave(request: Request, connection: Any) -> None:
        connection.sendall(data)
        if ends:
            connection.close()

    return behave


def serves(value: Callable[[], dict[str, Any]]) -> Behaviour:
    """Return the behaviour of an agent: objects only if the generation is not current, 304 for a known document."""

    def behave(request: Request, connection: Any) -> None:
        document = value()
        etag = f'"{document["sent"]}"'
        if request.headers.get("if-none-match") == etag:
            connection.sendall(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            return
        is_known = request.query.get("generation") == [document["generation"]]
        connection.sendall(respond(encoded(document, not is_known), 200, f"ETag: {etag}"))

    return behave


class Noted:
    """Observer that keeps all calls."""

    def __init__(self) -> None:
        self.results: list[str] = []
        self.failures: list[tuple[str, str, str]] = []
        self.recoveries: list[str] = []
        self.skews: list[tuple[str, float]] = []

    def polled(self, result: str, seconds: float) -> None:
        """Keep a result."""
        self.results.append(result)

    def failed(self, agent: str, result: str, cause: str) -> None:
        """Keep a failure."""
        self.failures.append((agent, result, cause))

    def recovered(self, agent: str) -> None:
        """Keep a recovery."""
        self.recoveries.append(agent)

    def skewed(self, agent: str, seconds: float) -> None:
        """Keep a skew."""
        self.skews.append((agent, seconds))


class NoFamilies:
    """Reader without families."""

    def read(self, names: object) -> FamiliesAnswer:
        """Return nothing."""
        return FamiliesAnswer({}, 0.0, "")


class Polling:
    """A poller, the table that it writes, and what a web process reads from that.

    Attributes:
        identity: certificates in force; tests replace them.
    """

    def __init__(self, identity: Identity | None, table: DocumentTable | None = None, settings: PollSettings = SETTINGS) -> None:
        self.identity, self.noted = identity, Noted()
        self.table = table or DocumentTable("test", 64, 1 << 24)
        self.store = AgentStore.load(self.table, staleness=60.0)
        self.poller = Poller(self.store, lambda: self.identity, self.noted, settings)
        self.usage = AgentUsage(self.table, SharedDocument("test", 1 << 16), NoFamilies(), staleness=60.0)

    def follow(self, *agents: ScriptedAgent) -> None:
        """Poll these agents and no others."""
        self.poller.set_endpoints({agent.address: agent.endpoint for agent in agents})

    def until(self, what: str, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        """Poll until a condition is true."""

        def check() -> bool:
            self.poller.turn()
            return condition()

        wait_for(what, check, timeout, 0.001)

    def close(self) -> None:
        """End all connections."""
        self.poller.close()

    def names(self, namespace: str = "") -> list[str]:
        """Names of the pods that a web process sees, sorted."""
        return sorted(pod.name for pod in self.usage.pods(namespace))

    def labels(self, nodes: Mapping[str, bytes]) -> None:
        """Set the labels of nodes."""
        self.store.set_labels(nodes)


@contextlib.contextmanager
def running(*agents: ScriptedAgent) -> Iterator[None]:
    """Stop agents at the end."""
    try:
        yield
    finally:
        for agent in agents:
            agent.stop()


def settle(polling: Polling, seconds: float) -> None:
    """Poll for some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        polling.poller.turn()
