"""An API server that follows a script at the wire: it reads real requests and sends whatever bytes a test wants."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.protocols import Event, Settings
from telegen.api.reflector import Reflector
from tests.process_tree import wait_for

FAST = Settings(initial=2.0, backoff=(0.01, 0.1), reset=120.0, restart=(0.2, 0.05))
PATIENCE = 1.5
"""Read timeout for tests in which a server is silent: it has to answer all other requests in this time, on a busy machine too."""
INITIAL_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True)
class Request:
    """A received request: path, query and headers with lower-case names."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]
    pairs: tuple[tuple[str, str], ...] = ()
    """Headers with repetitions."""


class Connection:
    """The server's side of one request: bytes are sent as they are given."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self._sock, self._stop = sock, stop

    def send(self, data: bytes) -> None:
        """These bytes, now."""
        self._sock.sendall(data)

    def head(self, status: int = 200, *headers: str) -> None:
        """Status line and headers; the body ends with the connection."""
        lines = [f"HTTP/1.1 {status} X", "Connection: close", "Content-Type: application/json", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def hold(self) -> None:
        """Keep the connection open and silent until the test ends or the client leaves."""
        self._sock.settimeout(0.05)
        while not self._stop.is_set():
            try:
                if not self._sock.recv(1):
                    return
            except TimeoutError:
                continue


Step = Callable[[Request, Connection], None]


class ScriptedServer:
    """Answers its n-th request by the n-th step; when the script is over, with a watch that stays silent."""

    def __init__(self, steps: Sequence[Step], tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._steps = list(steps)
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self.requests: list[Request] = []
        self._sockets: list[socket.socket] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> ScriptedServer:
        """Listen."""
        self._threads[0].start()
        return self

    def stop(self) -> None:
        """End every connection."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        self._listener.close()

    def reset(self) -> None:
        """Break every connection that is open, as a restart of the server does."""
        for sock in self._sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._answer, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, sock: socket.socket) -> None:
        sock.settimeout(30)
        # The client does not accept the certificate, or has closed a connection whose rest it does not want.
        with contextlib.suppress(OSError), sock:
            with self._tls.wrap_socket(sock, server_side=True) if self._tls else sock as connection:
                self._follow(connection)

    def _follow(self, sock: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return
            data += piece
        request = _parsed(data)
        self.requests.append(request)
        step = self._steps.pop(0) if self._steps else silence
        step(request, Connection(sock, self._stop))


def _parsed(data: bytes) -> Request:
    first, *lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    target = urlsplit(first.split(" ")[1])
    pairs = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in lines))
    return Request(target.path, {key: values[-1] for key, values in parse_qs(target.query).items()}, dict(pairs), pairs)


# --- steps


def silence(request: Request, connection: Connection) -> None:
    """A stream that is open and says nothing."""
    connection.head()
    connection.hold()


def stream(*events: dict[str, Any], stay: bool = True, after: float = 0.0) -> Step:
    """A watch that sends these events, then stays open or ends; it begins `after` so many seconds."""
    return raw(lines(events), stay=stay, after=after)


def raw(data: bytes, stay: bool = True, piece: int = 0, after: float = 0.0, pause: float = 0.0, headers: Sequence[str] = ()) -> Step:
    """A body of these bytes, sent in pieces of so many when `piece` is given, `pause` seconds apart."""

    def step(request: Request, connection: Connection) -> None:
        connection.head(200, *headers)
        time.sleep(after)
        for start in range(0, len(data), piece or len(data) or 1):
            connection.send(data[start : start + (piece or len(data))])
            time.sleep(pause)
        if stay:
            connection.hold()

    return step


def members(*parts: bytes, stay: bool = True, cut: int = 0) -> Step:
    """A gzip stream of several members, one per part, as kube-apiserver 1.37 sends streamed lists.

    Args:
        cut: send the first so many bytes by themselves; 0 sends all at once.
    """
    return zipped(b"".join(gzip.compress(part) for part in parts), stay, cut)


def zipped(data: bytes, stay: bool = True, cut: int = 0, status: int = 200, coding: str = "gzip") -> Step:
    """A body of these bytes that is declared as gzip."""

    def step(request: Request, connection: Connection) -> None:
        connection.head(status, f"Content-Encoding: {coding}")
        connection.send(data[:cut])
        if cut:
            time.sleep(0.002)
        connection.send(data[cut:])
        if stay:
            connection.hold()

    return step


def packed(events: Iterable[dict[str, Any]], stay: bool = True) -> Step:
    """A gzip stream that is flushed after each event."""

    def step(request: Request, connection: Connection) -> None:
        connection.head(200, "Content-Encoding: gzip")
        pack = zlib.compressobj(wbits=31)
        for one in events:
            connection.send(pack.compress(lines([one])) + pack.flush(zlib.Z_SYNC_FLUSH))
        if stay:
            connection.hold()

    return step


def answer(body: Any, status: int = 200, *headers: str) -> Step:
    """One JSON answer."""

    def step(request: Request, connection: Connection) -> None:
        data = json.dumps(body).encode()
        connection.head(status, f"Content-Length: {len(data)}", *headers)
        connection.send(data)

    return step


def refusal(status: int, reason: str, message: str, *headers: str) -> Step:
    """A Status object, as the API server refuses."""
    return answer({"kind": "Status", "code": status, "reason": reason, "message": message}, status, *headers)


# --- what is sent


def pod(name: str, version: int, uid: str = "") -> dict[str, Any]:
    """A small object."""
    return {"metadata": {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}}


def event(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    """A watch event."""
    return {"type": kind, "object": obj}


def added(name: str, version: int) -> dict[str, Any]:
    """A new object."""
    return event("ADDED", pod(name, version))


def bookmark(version: int, end: bool = False) -> dict[str, Any]:
    """A bookmark; `end` makes it the one after which the state is whole."""
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    return event("BOOKMARK", {"metadata": {**metadata, "annotations": INITIAL_END} if end else metadata})


def expired() -> dict[str, Any]:
    """The event of a watch whose version is too old."""
    return event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})


def whole(*names: str, version: int = 10) -> list[dict[str, Any]]:
    """A state as a watch sends it."""
    return [*[added(name, version) for name in names], bookmark(version, end=True)]


def page(*names: str, version: int = 10, more: str = "", remaining: int | None = None) -> dict[str, Any]:
    """A page of a list; `remaining` objects follow it, where the server says so."""
    metadata: dict[str, Any] = {"resourceVersion": str(version), "continue": more}
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    return {"metadata": metadata, "items": [pod(n, version) for n in names]}


def lines(events: Iterable[dict[str, Any]]) -> bytes:
    """Events as they are written to the wire."""
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in events)


# --- the client's side


class Recorder:
    """A store that keeps names and versions, and every call."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.bookmarks: list[str] = []
        self.replaced = 0

    def replace(self, events: Iterable[Event]) -> None:
        """Take a state, all of it or nothing."""
        fresh: dict[str, dict[str, Any]] = {}
        for kind, obj in events:
            if kind == "DELETED":
                fresh.pop(obj["metadata"]["name"], None)
            else:
                fresh[obj["metadata"]["name"]] = obj
        self.objects = fresh
        # Tests wait for what `_note` sets.
        self.replaced += 1
        self._note()

    def upsert(self, obj: dict[str, Any]) -> None:
        """Add or update."""
        self.objects = {**self.objects, obj["metadata"]["name"]: obj}
        self._note()

    def delete(self, obj: dict[str, Any]) -> None:
        """Remove."""
        self.objects = {name: held for name, held in self.objects.items() if name != obj["metadata"]["name"]}
        self._note()

    def bookmark(self, resource_version: str) -> None:
        """Remember the version."""
        self.bookmarks.append(resource_version)

    def _note(self) -> None:
        self.held = {name: obj["metadata"]["resourceVersion"] for name, obj in self.objects.items()}


@dataclass
class Noted:
    """An observer that keeps what it is told."""

    lists: list[str] = field(default_factory=list)
    failures: list[tuple[str, str, float]] = field(default_factory=list)
    cuts: list[int | None] = field(default_factory=list)
    watches: int = 0
    bytes: int = 0
    answers: int = 0
    silences: int = 0
    absences: list[float] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def listing(self, by: str, again: bool) -> None:
        """A whole state is asked for."""
        self.lists.append(by)

    def synced(self, seconds: float) -> None:
        """A whole state has come."""

    def cut(self, left_out: int | None) -> None:
        """A list was taken in part."""
        self.cuts.append(left_out)

    def watching(self) -> None:
        """A watch is opened."""
        self.watches += 1

    def answered(self) -> None:
        """A watch is answered."""
        self.answers += 1

    def quiet(self) -> None:
        """A watch was silent."""
        self.silences += 1

    def absent(self, delay: float) -> None:
        """The collection is not served."""
        self.absences.append(delay)

    def event(self, size: int) -> None:
        """An event has come."""
        self.bytes += size

    def malformed(self, name: str, reason: str) -> None:
        """An object was left out."""
        self.left_out.append(name)

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Something went wrong."""
        self.failures.append((reason, message, delay))

    @property
    def reasons(self) -> list[str]:
        """The words for what went wrong, in order."""
        return [reason for reason, _, _ in self.failures]


class Clock:
    """Simulated seconds: a test decides what takes long."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Running:
    """A reflector in a thread, its store, its observer and the server that it talks to."""

    def __init__(
        self, server: ScriptedServer, collection: Collection, settings: Settings, read: float, clock: Callable[[], float]
    ) -> None:
        self.server, self.store, self.noted = server, Recorder(), Noted()
        self.stop = threading.Event()
        client = Client(credentials(server.url, {}), Timeouts(10.0, read))
        self.reflector = Reflector(client, collection, self.store, self.noted, self.stop, settings, lambda: 0.5, clock)
        self.thread = threading.Thread(target=self.reflector.run, daemon=True)

    def wait_held(self, *names: str, timeout: float = 5) -> None:
        """Until the store holds exactly these names."""
        wait_for(f"{names}", lambda: set(self.store.held) == set(names), timeout, 0.005)

    def wait_requests(self, count: int, timeout: float = 5) -> list[Request]:
        """Until so many requests have come; all of them."""
        wait_for(f"{count} requests", lambda: len(self.server.requests) >= count, timeout, 0.005)
        return self.server.requests


@contextlib.contextmanager
def reflecting(
    *steps: Step,
    collection: Collection = Collection("/api/v1/pods"),
    settings: Settings = FAST,
    read: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Running]:
    """A reflector that runs against a script."""
    server = ScriptedServer(steps).start()
    running = Running(server, collection, settings, read, clock)
    running.thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        server.stop()
        running.thread.join(30)
        assert not running.thread.is_alive()
