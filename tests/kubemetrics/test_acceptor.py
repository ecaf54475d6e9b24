"""Connections that have not sent a byte, on sockets of loopback."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from telegen.kubemetrics.acceptor import Acceptor
from telegen.kubemetrics.clients import Clients, Limits


class Echo(asyncio.Protocol):
    """A protocol that answers with what it gets."""

    is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over = True

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(data)


class Server:
    """An acceptor and its clients."""

    def __init__(self, **limits: float) -> None:
        self.counts: Counter[str] = Counter()
        self.clients = Clients(Limits(**limits), lambda reason: self.counts.update([reason]))  # type: ignore[arg-type]
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.stack, self.protocols = ExitStack(), list[Echo]()

    def protocol(self) -> Echo:
        self.protocols.append(Echo())
        return self.protocols[-1]

    def connect(self) -> socket.socket:
        sock = self.stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=30))
        sock.setblocking(False)
        return sock

    def run(self, scenario: Callable[[Acceptor], Awaitable[None]]) -> None:
        """Run a scenario beside the acceptor."""

        async def both() -> None:
            acceptor = Acceptor(asyncio.get_running_loop(), self.listener, self.clients, self.protocol, lambda: None)
            try:
                await scenario(acceptor)
            finally:
                acceptor.stop()
                acceptor.close()
                self.stack.close()
                # The protocols close at the end of their clients.
                await until(lambda: all(one.is_over for one in self.protocols))

        with self.listener, self.stack:
            asyncio.run(both())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def answer(client: socket.socket) -> bytes:
    """Send a byte and return what comes back."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"x")
    return await asyncio.wait_for(loop.sock_recv(client, 10), 30)


def test_silent_connections_are_dropped_in_time() -> None:
    """A connection without a byte is reset after read_timeout; one with a byte has its protocol by then."""
    server = Server(read_timeout=0.2)

    async def scenario(acceptor: Acceptor) -> None:
        silent, speaking = server.connect(), server.connect()
        await until(lambda: acceptor.waiting == 2)
        assert await answer(speaking) == b"x"
        await asyncio.sleep(0.25)
        acceptor.sweep()
        assert server.counts == {"silent": 1} and acceptor.waiting == 0
        with pytest.raises(ConnectionResetError):
            await asyncio.get_running_loop().sock_recv(silent, 1)
        assert await answer(speaking) == b"x"

    server.run(scenario)


def test_oldest_silent_connection_makes_room() -> None:
    """Beyond max_connections the connection that has been silent for longest goes, so a new client is always served."""
    server = Server(max_connections=20)

    async def scenario(acceptor: Acceptor) -> None:
        for _ in range(50):
            server.connect()
            await asyncio.sleep(0)
        await until(lambda: server.counts["crowded"] == 30)
        assert acceptor.waiting == 20
        assert await answer(server.connect()) == b"x"

    server.run(scenario)


@pytest.mark.parametrize("silent", [0, 3])
def test_no_descriptors_left(monkeypatch: pytest.MonkeyPatch, silent: int) -> None:
    """Without a free descriptor a silent connection makes room; without one, accepting pauses and goes on later."""
    server, refusals = Server(), 1
    accept = socket.socket.accept

    def exhausted(listener: socket.socket) -> object:
        nonlocal refusals
        if refusals and acceptors[0].waiting >= silent:
            refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    acceptors: list[Acceptor] = []

    async def scenario(acceptor: Acceptor) -> None:
        acceptors.append(acceptor)
        monkeypatch.setattr(socket.socket, "accept", exhausted)
        for _ in range(silent):
            server.connect()
        assert await answer(server.connect()) == b"x"
        assert not refusals and server.counts["crowded"] == (1 if silent else 0)

    server.run(scenario)


def test_client_that_leaves_without_a_byte() -> None:
    """A port check is closed and not counted."""
    server = Server()

    async def scenario(acceptor: Acceptor) -> None:
        client = server.connect()
        await until(lambda: acceptor.waiting == 1)
        client.close()
        await until(lambda: acceptor.waiting == 0)
        assert not server.counts

    server.run(scenario)


def test_wrong_protocol_of_a_client_that_goes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A client that resets the connection before it is told of its mistake is counted, and leaves no traceback."""
    server = Server()

    async def scenario(acceptor: Acceptor) -> None:
        client = server.connect()

        def reset(first: int, is_tls: bool) -> bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            return b"wrong"

        monkeypatch.setattr("telegen.kubemetrics.acceptor.wrong_protocol", reset)
        await asyncio.get_running_loop().sock_sendall(client, b"x")
        await until(lambda: server.counts["handshake"] == 1)

    server.run(scenario)
    assert not caplog.records
