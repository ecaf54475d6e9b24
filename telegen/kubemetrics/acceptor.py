"""Accepts connections. A connection that has not sent a byte costs a socket and an entry in a table, and no buffer."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any, Optional

from telegen.kubemetrics.clients import Clients
from telegen.kubemetrics.web_security import wrong_protocol

TURN = 16
"""Connections accepted in one turn of the loop: another process that shares the socket gets its part of a burst."""
PAUSE = 0.2
"""Seconds without accepting after the process has run out of file descriptors or memory."""
DISCARDED = 1 << 16
"""Bytes read from a client that speaks the wrong protocol."""
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
SHUTDOWN = 1.0
"""Seconds for a client to end its TLS session."""

Tls = Callable[[], Optional[SSLContext]]
"""Returns the context of the next connection, None for plain HTTP."""


class Acceptor:
    """Accepts connections of one listening socket.

    asyncio would give a connection its buffers at once: 256 KiB with TLS, before the handshake. Here it gets them with its first byte.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, clients: Clients, connection: Callable[[], Any], tls: Tls
    ) -> None:
        """Start accepting.

        Args:
            listener: not blocking.
            connection: makes the protocol of a connection.
            tls: called for each connection, so that a new certificate needs no restart.
        """
        self._loop, self._listener, self._clients = loop, listener, clients
        self._connection, self._tls = connection, tls
        self._silent: dict[socket.socket, float] = {}
        self._beginning: dict[asyncio.Task[None], socket.socket] = {}
        self._stopped = False
        loop.add_reader(listener, self._accept)

    @property
    def waiting(self) -> int:
        """Connections that are accepted and have not begun to send."""
        return len(self._silent) + len(self._beginning)

    def stop(self) -> None:
        """Accept no more connections."""
        self._stopped = True
        self._loop.remove_reader(self._listener)

    def close(self) -> None:
        """Close the connections that have not begun."""
        for sock in list(self._silent):
            self._forget(sock)
            sock.close()
        for task in list(self._beginning):
            task.cancel()

    def sweep(self) -> None:
        """Drop the connections that have sent nothing for too long."""
        oldest = time.monotonic() - self._clients.limits.read_timeout
        for sock, since in list(self._silent.items()):
            if since > oldest:
                break
            self._drop(sock, "silent")

    def _accept(self) -> None:
        for _ in range(TURN):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._make_way()
                return
            sock.setblocking(False)
            self._silent[sock] = time.monotonic()
            self._loop.add_reader(sock, self._begin, sock)
            if len(self._silent) > self._clients.limits.max_connections:
                self._drop(next(iter(self._silent)), "crowded")

    def _make_way(self) -> None:
        """Free a descriptor for the next client, or pause if no connection is silent."""
        if self._silent:
            self._drop(next(iter(self._silent)), "crowded")
            return
        self._loop.remove_reader(self._listener)
        self._loop.call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        if not self._stopped:
            self._loop.add_reader(self._listener, self._accept)

    def _begin(self, sock: socket.socket) -> None:
        """Hand a connection with its first byte over to its protocol."""
        self._forget(sock)
        context = self._tls()
        first = self._first_byte(sock)
        answer = wrong_protocol(first[0], context is not None) if first else b""
        if not first or answer:
            if answer:
                self._clients.count("handshake")
                # The client may have gone since its first byte.
                with suppress(OSError):
                    # Closing with unread bytes would reset the connection, and the client would not see the answer.
                    sock.recv(DISCARDED)
                    sock.send(answer)
            sock.close()
            return
        task = self._loop.create_task(self._connect(sock, context))
        self._beginning[task] = sock
        task.add_done_callback(self._beginning.pop)
        if len(self._beginning) > self._clients.limits.max_spoken:
            next(iter(self._beginning)).cancel()
            self._clients.count("crowded")

    def _first_byte(self, sock: socket.socket) -> bytes:
        """Return the first byte, which stays unread; b"" if the client has gone."""
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except OSError:
            return b""

    async def _connect(self, sock: socket.socket, context: SSLContext | None) -> None:
        limits: dict[str, Any] = {}
        if context:
            limits = {"ssl": context, "ssl_handshake_timeout": self._clients.limits.read_timeout, "ssl_shutdown_timeout": SHUTDOWN}
        try:
            await self._loop.connect_accepted_socket(self._connection, sock, **limits)
        except OSError:
            # A client that went away, spoke no TLS, or was too slow (ssl.SSLError and TimeoutError are of this class).
            self._clients.count("handshake")

    def _forget(self, sock: socket.socket) -> None:
        self._loop.remove_reader(sock)
        self._silent.pop(sock, None)

    def _drop(self, sock: socket.socket, reason: str) -> None:
        self._forget(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        self._clients.count(reason)
