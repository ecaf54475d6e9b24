"""A gunicorn worker whose event loop serves every client without a thread or a body each."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

from gunicorn.workers.gasgi import ASGIWorker

from telegen.kubemetrics.acceptor import Acceptor
from telegen.kubemetrics.clients import Clients
from telegen.kubemetrics.connection import Connection
from telegen.kubemetrics.connection_security import ConnectionSecurity
from telegen.process.log_settings import LogSettings
from telegen.process.os_process import trim_memory

TLS_BUFFER = 16 << 10
"""Bytes that are read at once of a connection with TLS: a record has no more."""
SWEEP = 1.0
"""Seconds between two sweeps, which are the heartbeats as well."""
FINISH = 5.0
"""Seconds for the responses under way when the process is told to end, or its arbiter has."""
FIRST_BYTE = 0.5
"""Seconds for the first request of a connection that was accepted just before the end."""


class WebProcess(ASGIWorker):  # type: ignore[misc]
    """A process that serves; it returns memory to the system when it is idle.

    Attributes:
        log_settings: adopted from the supervisor.
        clients: set after the fork, with the limits of the configuration.
        security: TLS of the listening sockets; set before the process serves.
        other_security: that of the ports which have another one.
        draining: told to end, and still serving.
        drain: returns the seconds that requests are still served when the process is told to end.
    """

    log_settings: LogSettings
    clients: Clients
    security: ConnectionSecurity
    other_security: dict[int, ConnectionSecurity]
    drain: Callable[[], float]
    alive: bool
    draining = False
    _trimmed = _quiet = 0

    def notify(self) -> None:
        """Send a heartbeat; return the memory of the last pages if there was no request since the last one."""
        super().notify()
        self.log_settings.follow()
        if self._trimmed != self.nr and self._quiet == self.nr:
            trim_memory()
            self._trimmed = self.nr
        self._quiet = self.nr

    def handle_exit_signal(self) -> None:
        """SIGTERM: end after the responses under way."""
        # Not at once `alive = False`: gunicorn then closes connections whose responses have just promised to keep them.
        self._ending.set()

    def handle_quit_signal(self) -> None:
        """SIGQUIT and SIGINT: end at once."""
        super().handle_quit_signal()
        self._ending.set()

    def init_process(self) -> None:
        """Begin to serve, with buffers that fit the requests."""
        # PERF: 0.25 MB for each connection with TLS, which the adapter of the metrics APIs keeps open: asyncio has buffers of 256 KiB.
        SSLProtocol.max_size = TLS_BUFFER
        super().init_process()

    def init_signals(self) -> None:
        """Prepare the event that a signal sets."""
        self._ending = asyncio.Event()
        super().init_signals()

    async def _serve(self) -> None:
        """Serve until the process is told to end or its arbiter has gone."""
        acceptors = [self._acceptor(listener.sock) for listener in self.sockets]
        while self.alive and not self._ending.is_set() and self.ppid == os.getppid():
            self.notify()
            for acceptor in acceptors:
                acceptor.sweep()
            self.clients.sweep()
            try:
                await asyncio.wait_for(self._ending.wait(), SWEEP)
            except TimeoutError:
                continue
        self.draining = True
        await self._drained(acceptors)
        self.alive = False
        await self._finish(acceptors)

    async def _drained(self, acceptors: list[Acceptor]) -> None:
        """Serve for the time of `drain`. Each response announces the end of its connection, so that clients go elsewhere."""
        until = self.loop.time() + self.drain()
        while not self._quick_shutdown and self.loop.time() < until and self.ppid == os.getppid():
            super().notify()
            for acceptor in acceptors:
                acceptor.sweep()
            self.clients.sweep()
            await asyncio.sleep(min(SWEEP, max(0.0, until - self.loop.time())))

    def _acceptor(self, listener: socket.socket) -> Acceptor:
        security = self.other_security.get(listener.getsockname()[1], self.security)
        return Acceptor(self.loop, listener, self.clients, lambda: Connection(self, security), lambda: security.context)

    async def _finish(self, acceptors: list[Acceptor]) -> None:
        """Let the responses under way end, except those whose clients do not take them."""
        for acceptor in acceptors:
            acceptor.stop()
        begun = self.loop.time()
        limit = min(FINISH, self.cfg.graceful_timeout)
        while not self._quick_shutdown and self.loop.time() - begun < limit:
            if self.loop.time() - begun > FIRST_BYTE:
                for acceptor in acceptors:
                    acceptor.close()
            self.clients.finish(begun)
            if not len(self.clients) and not any(acceptor.waiting for acceptor in acceptors):
                break
            super().notify()
            await asyncio.sleep(0.02)
        for acceptor in acceptors:
            acceptor.close()
        self.clients.drop_all("stopping")
        await asyncio.sleep(0)
