"""A TCP proxy between an agent and its API server, which tests use to break connections and to count requests."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit


class Proxy:
    """Forwards connections.

    `cut` delays all data until `heal`, as a broken network does. `mute` drops the data of open connections for ever; new
    connections work.

    Attributes:
        requests: number of unencrypted HTTP requests to the target.
        sent: bytes sent to the target.
        answered: bytes received from the target.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self.requests = self.sent = self.answered = 0
        self._whole = threading.Event()
        self._whole.set()
        self._sockets: list[socket.socket] = []
        self._muted: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut(self) -> None:
        """Delay all data from now on."""
        self._whole.clear()

    def heal(self) -> None:
        """Forward the delayed data, then all other data."""
        self._whole.set()

    def mute(self) -> None:
        """Drop all data of the open connections, which stay open."""
        self._muted.update(self._sockets)

    def reset(self) -> None:
        """Reset the open connections, as a peer does that has lost its state."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _shut(one)

    def close(self) -> None:
        """Close the listener and all connections; return when no thread of them is left."""
        _shut(self._listener)
        self._accepting.join()
        self._listener.close()
        self._whole.set()
        for one in list(self._sockets):
            _shut(one)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._threads.append(threading.Thread(target=self._connect, args=(client,), daemon=True))
            self._threads[-1].start()

    def _connect(self, client: socket.socket) -> None:
        with client:
            self._whole.wait()
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                return
            with server:
                server.settimeout(None)
                self._sockets.append(server)
                answers = threading.Thread(target=self._pump, args=(server, client, self._count_answer), daemon=True)
                answers.start()
                self._pump(client, server, self._count_request)
                answers.join()

    def _count_request(self, data: bytes) -> None:
        self.sent += len(data)
        self.requests += data.count(b" HTTP/1.1\r\n")

    def _count_answer(self, data: bytes) -> None:
        self.answered += len(data)

    def _pump(self, source: socket.socket, target: socket.socket, count: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._whole.wait()
                if source in self._muted:
                    continue
                count(data)
                target.sendall(data)
        # One side has closed the connection: close the other.
        _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """Run a proxy in front of `target`."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
