"""A rehearsal before the fork: what the workers will do is done once in the parent, on small data of its own.

CPython rewrites code as it runs and makes much else at first use. What happens in the parent is shared by all children;
what happens in each child is paid for by each.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import orjson

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import Cluster
from telegen.api.decoding import event_decoder
from telegen.api.events import INITIAL_END
from telegen.api.reflector import Reflector
from telegen.demo.objects import SyntheticCluster
from telegen.kubemetrics.app import View, make_app
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.family import Object
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.heartbeats import Board
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter
from workers.watch import StoreObserver

log = logging.getLogger("telegen.supervisor.warmup")

TIMES = 20
"""Objects per resource: CPython rewrites code that ran some ten times."""
WATCHED = 5
"""Resources that come from a server. The others only differ in their tables: they are not worth 2 ms each for two requests."""
ARENA = 16 << 20
PROCESS = "rehearsal"
TIMEOUTS = Timeouts(connect=1.0, read=2.0)


def rehearse(resources: Iterable[str], selection: Selection, folder: str) -> None:
    """Take a state of each resource, of some from a server, then an update of each object; answer a scrape; forget it all.

    PERF: takes 0.1 s and saves 1 MB per worker: 103 instead of 112 MB at rest.

    Args:
        folder: where value files of the agent's own metrics are; those of the rehearsal are taken away again.
    """
    names = list(resources)
    arena = Arena.create(PROCESS, ARENA)
    log.setLevel(logging.ERROR)
    try:
        telemetry = Telemetry(PROCESS)
        samples = dict(SyntheticCluster(1, 1).objects())
        answers = ((RESOURCES[name], _answer(RESOURCES[name], samples.get(name, {}))) for name in names)
        writer, watched = ArenaWriter(arena, names), list(islice(answers, WATCHED))
        # One store after the other: many at once leave holes in the heap, which each child would fill with memory of its own.
        with _server([answer for _, answer in watched]) as url:
            for resource, _ in watched:
                _watch(url, _store(resource, selection, writer), resource, telemetry)
        for resource, answer in answers:
            _fill(_store(resource, selection, writer), resource, answer)
        _scrape(arena, telemetry)
    except OSError as error:
        log.error("left out, every process will take some more memory: %s", error)
    finally:
        # What was made refers to itself in circles, and to the arena.
        gc.collect()
        arena.close()
        for file in Path(folder).glob(f"*_{PROCESS}.db"):
            file.unlink()


def _store(resource: Resource, selection: Selection, writer: ArenaWriter) -> MetricsStore:
    families = selected_families(resource, selection)
    return MetricsStore(resource.name, families, renderer(resource.identity, families, _ignore), writer)


def _fill(store: MetricsStore, resource: Resource, answer: bytes) -> None:
    """Feed a store what a server would have sent."""
    decode = event_decoder(resource.needs)
    events = [decode(line) for line in answer.splitlines()]
    store.replace(event for event in events if event[0] == "ADDED")
    for kind, obj in events:
        if kind == "MODIFIED":
            store.upsert(obj)
    store.flush()


def _watch(url: str, store: MetricsStore, resource: Resource, telemetry: Telemetry) -> None:
    """Let a reflector feed a store until the server has told all."""
    observer = _Director(telemetry, log, store)
    client = Client(lambda again: Cluster(url), TIMEOUTS)
    Reflector(client, Collection(resource.path(), reads=resource.needs), store, observer, observer.stop).run()
    store.flush()
    client.close()


def _scrape(arena: Arena, telemetry: Telemetry) -> None:
    """Ask the web application for the page, as Prometheus and as curl ask."""
    board = Board(1)
    view = View({"/metrics": [ArenaReader(arena)]}, {}, board, {"supervisor": 0}, 1.0)
    app = make_app(view, reading_registry(board, view.rows), telemetry)
    for coding in ("gzip", "identity"):
        environ: dict[str, Any] = {"PATH_INFO": "/metrics", "HTTP_ACCEPT_ENCODING": coding, "wsgi.input": io.BytesIO()}
        setup_testing_defaults(environ)
        for _ in app(environ, _start_response):
            pass


def _start_response(status: str, headers: Sequence[tuple[str, str]], error: Any = None) -> Any:
    """The server's side of WSGI: nobody reads the head."""


def _answer(resource: Resource, sample: Object) -> bytes:
    """A streamed list of `TIMES` objects, and a change of each."""
    lines = []
    for kind, version in (("ADDED", "1"), ("MODIFIED", "2")):
        for number in range(TIMES):
            metadata = {
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "namespace": PROCESS,
                **sample.get("metadata", {}),
                "name": str(number),
                "uid": str(number),
                "resourceVersion": version,
            }
            obj = {"kind": resource.kind, "spec": {}, "status": {}, **sample, "metadata": metadata}
            lines.append({"type": kind, "object": obj})
        bookmark = {"metadata": {"resourceVersion": version, "annotations": {INITIAL_END: "true"}}}
        lines.append({"type": "BOOKMARK", "object": bookmark})
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


@contextmanager
def _server(answers: Sequence[bytes]) -> Iterator[str]:
    """A process that gives each answer, and then an empty one, to one request each; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUTS.read)
        pid = os.fork()
        if pid == 0:
            try:
                for answer in answers:
                    _serve(listener, answer)
                    _serve(listener, b"")
            finally:
                os._exit(0)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _serve(listener: socket.socket, answer: bytes) -> None:
    """Answer one request."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(TIMEOUTS.read)
        connection.recv(65536)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"%x\r\n%s\r\n" % (len(answer), answer) if answer else b""
        connection.sendall(head + chunk + b"0\r\n\r\n")


class _Director(StoreObserver):
    """Ends the rehearsal when the first connection has been read to its end."""

    def __init__(self, telemetry: Telemetry, log: logging.Logger, store: MetricsStore) -> None:
        super().__init__(telemetry, log, store)
        self.stop = threading.Event()

    def watching(self) -> None:
        """The answer has come to its end."""
        super().watching()
        self.stop.set()

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Never mind: there is nothing to wait for."""
        super().failed(reason, message, delay)
        self.stop.set()


def _ignore(family: str, error: Exception) -> None:
    """The sample objects are bare: what cannot be read from them is left out."""
