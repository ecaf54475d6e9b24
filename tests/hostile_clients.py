"""Clients that read slowly, send slowly or send nothing, in a process of their own so that they do not slow the test down."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import multiprocessing
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TICK = 0.1
"""Seconds between two turns over all clients."""
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
UNFINISHED = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: "


@dataclass(frozen=True)
class Kind:
    """Behaviour of a client.

    Attributes:
        first: bytes sent when it has connected.
        dribble: bytes sent once a second from then on.
        rate: bytes read per second after the connection; None: what arrives is read only to notice the end.
    """

    first: bytes = b""
    dribble: bytes = b""
    rate: int | None = None


KINDS = {
    "slow-1": Kind(SCRAPE, rate=1),
    "slow-8k": Kind(SCRAPE, rate=8192),
    "stalled": Kind(SCRAPE, rate=0),
    "slowloris": Kind(UNFINISHED, dribble=b"a"),
    "idle": Kind(),
    "garbage": Kind(b"\x00\xff\r\n" * 200 + b"GET / HTTP/1.1\r\n" * 50, dribble=b"\r\n\r\nx", rate=1 << 20),
    "pipelined": Kind(SCRAPE * 500, rate=0),
    "headers": Kind(UNFINISHED + b"".join(b"v" * 8000 + b"\r\nX-%d: " % number for number in range(98))),
    "hello": Kind(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", dribble=b"\0"),
    "no-body": Kind(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"),
}


class Attack:
    """A running group of hostile clients."""

    def __init__(self, process: Any, open_now: Any) -> None:
        self._process, self._open = process, open_now

    @property
    def open(self) -> int:
        """Number of connections that the server has not ended; -1 before all are connected."""
        return int(self._open.value)

    def wait_connected(self, timeout: float = 60) -> None:
        """Wait until every client has connected and sent its first bytes."""
        deadline = time.monotonic() + timeout
        while self.open < 0:
            if time.monotonic() > deadline or not self._process.is_alive():
                raise TimeoutError("the clients have not connected")
            time.sleep(0.05)


@contextlib.contextmanager
def attack(kind: str, port: int, count: int) -> Iterator[Attack]:
    """Run `count` clients of a kind (a key of KINDS) against a port of 127.0.0.1 until the block ends."""
    context = multiprocessing.get_context("spawn")
    open_now = context.Value(ctypes.c_long, -1)
    process = context.Process(target=run, args=(kind, port, count, open_now), daemon=True)
    process.start()
    try:
        yield Attack(process, open_now)
    finally:
        process.kill()
        process.join()


def run(kind: str, port: int, count: int, open_now: Any) -> None:
    """Connect all clients, and keep them busy for ever."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    behaviour = KINDS[kind]
    clients = [sock for sock in (_connected(port, behaviour.first) for _ in range(count)) if sock]
    started, sent, read = time.monotonic(), 0, 0
    while True:
        open_now.value = len(clients)
        elapsed = time.monotonic() - started
        due = behaviour.dribble if elapsed >= sent + 1 else b""
        sent += bool(due)
        budget = 0
        if behaviour.rate is not None:
            budget = int(behaviour.rate * elapsed) - read
            read += budget
        clients = [sock for sock in clients if _turn(sock, due, budget)]
        time.sleep(TICK)


def _connected(port: int, first: bytes) -> socket.socket | None:
    """Connect a client with a small receive buffer, and send its first bytes as far as the server takes them."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(30)
    try:
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        if first:
            sock.send(first)
    except BlockingIOError:
        pass
    except OSError:
        sock.close()
        return None
    return sock


def _turn(sock: socket.socket, due: bytes, budget: int) -> bool:
    """Read and send what is due; return False when the server has ended the connection."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    ended = bool(poll.poll(0))
    try:
        if budget > 0:
            ended = ended and not sock.recv(budget)
        if due:
            sock.send(due)
    except BlockingIOError:
        pass
    except OSError as error:
        ended = error.errno != errno.EAGAIN
    if ended:
        sock.close()
    return not ended


if __name__ == "__main__":
    with attack(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) as running:
        running.wait_connected()
        while running.open:
            print(running.open, flush=True)
            time.sleep(1)
