"""The warm-up: the parent does the work of its workers once on sample objects, before it forks them.

CPython specializes bytecode as it runs and fills caches at first use. Memory written before the fork is shared by all
children; memory written after it belongs to each child alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, product
from pathlib import Path

import orjson

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import Cluster
from telegen.api.decoding import event_decoder, list_decoder
from telegen.api.events import INITIAL_END
from telegen.api.reflector import Reflector
from telegen.kubemetrics.app import make_app
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.family import Object
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter
from telegen.supervisor.warmup_objects import SAMPLES
from workers._stores import StoreObserver

log = logging.getLogger("telegen.supervisor.warmup")

TIMES = 20
"""Objects per resource: CPython specializes code after some ten runs."""
WATCHED = 5
"""Resources that are read from a server. The others differ only in their tables, so two requests of 2 ms each would gain nothing."""
ARENA = 16 << 20
PROCESS = "warmup"
TIMEOUTS = Timeouts(connect=1.0, read=2.0)


def warm_up(resources: Iterable[str], selection: Selection, sampled: tuple[str, ...], folder: str) -> None:
    """List and update sample objects of each resource, some of them from a server, answer a scrape, and drop the results.

    PERF: takes 0.1 s and saves 1 MB per worker: 103 instead of 112 MB at rest.

    Args:
        sampled: paths of the fields of pods that the sampler reads.
        folder: the value files of the agent's own metrics; the warm-up's files are removed.
    """
    names = list(resources)
    arena = Arena.create(PROCESS, ARENA)
    log.setLevel(logging.ERROR)
    try:
        telemetry = Telemetry(PROCESS)
        try:
            _exercise(names, selection, arena, telemetry)
            _make_decoders([sampled, *(RESOURCES[name].needs for name in names)])
        finally:
            # All processes would inherit the files.
            telemetry.abandon()
    except OSError as error:
        log.error("warm-up failed: %s; every process takes about 1 MB more memory", error)
    finally:
        # The objects form reference cycles that keep the arena's memory mapped until they are collected.
        gc.collect()
        arena.close()
        for file in Path(folder).glob(f"*_{PROCESS}.db"):
            file.unlink()


def _exercise(names: Sequence[str], selection: Selection, arena: Arena, telemetry: Telemetry) -> None:
    """Fill a store of each resource, and request the page."""
    answers = ((RESOURCES[name], _answer(RESOURCES[name], SAMPLES.get(name, {}))) for name in names)
    writer, watched = ArenaWriter(arena, names), list(islice(answers, WATCHED))
    # One store after the other: many at once fragment the heap, and each child would fill the holes with private pages.
    with _server([answer for _, answer in watched]) as url:
        for resource, _ in watched:
            _watch(url, _store(resource, selection, writer), resource, telemetry)
    for resource, answer in answers:
        _fill(_store(resource, selection, writer), resource, answer)
    _scrape(arena, telemetry)


def _make_decoders(reads: Iterable[tuple[str, ...]]) -> None:
    """Make the decoders of the API's objects. PERF: 0.5 ms each; a process that makes one takes 1 MB more."""
    for paths in reads:
        event_decoder(paths)
        list_decoder(paths)


def _store(resource: Resource, selection: Selection, writer: ArenaWriter) -> MetricsStore:
    families = selected_families(resource, selection)
    return MetricsStore(resource.name, families, renderer(resource.identity, families, _ignore), writer)


def _fill(store: MetricsStore, resource: Resource, answer: bytes) -> None:
    """Fill a store from the body of a watch."""
    decode = event_decoder(resource.needs)
    events = [decode(line) for line in answer.splitlines()]
    store.replace(event for event in events if event[0] == "ADDED")
    for kind, obj in events:
        if kind == "MODIFIED":
            store.upsert(obj)
    store.flush()


def _watch(url: str, store: MetricsStore, resource: Resource, telemetry: Telemetry) -> None:
    """Fill a store by a reflector until the answer of the server ends."""
    observer = _StopAtEnd(telemetry, log, store)
    client = Client(lambda again: Cluster(url), TIMEOUTS)
    Reflector(client, Collection(resource.path(), reads=resource.needs), store, observer, observer.stop).run()
    store.flush()
    client.close()


def _scrape(arena: Arena, telemetry: Telemetry) -> None:
    """Request the page from the web application with gzip, as Prometheus does, and without, as curl does."""
    heartbeats = Heartbeats(1)
    view = View({"/metrics": [ArenaReader(arena)]}, {}, heartbeats, {"supervisor": 0}, 1.0)
    app = make_app(view, reading_registry(heartbeats, view.rows), telemetry)

    async def requests() -> None:
        for path, coding in product(("/metrics", "/readyz", "/telemetry"), (b"gzip", b"identity")):
            headers = [(b"accept-encoding", coding)]
            scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
            await app(scope, _receive, _send)

    # Without signal handlers or threads, which a process that forks must not have.
    loop = asyncio.SelectorEventLoop()
    loop.run_until_complete(requests())
    loop.close()


async def _receive() -> dict[str, object]:
    """Return the end of a request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: dict[str, object]) -> None:
    """Ignore a part of a response."""


def _answer(resource: Resource, sample: Object) -> bytes:
    """Build the body of a watch: a streamed list of `TIMES` objects, and a change of each."""
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
    """Fork a server that sends each answer, followed by an empty one, to one request each; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUTS.read)
        # A process, not a thread: the supervisor must have no thread when it forks.
        pid = os.fork()
        if pid == 0:
            try:
                for answer in answers:
                    _serve(listener, answer)
                    # The reflector opens another watch when the first one ends.
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


class _StopAtEnd(StoreObserver):
    """Stops the reflector at the end of its first connection."""

    def __init__(self, telemetry: Telemetry, log: logging.Logger, store: MetricsStore) -> None:
        super().__init__(telemetry, log, store)
        self.stop = threading.Event()

    def watching(self) -> None:
        """Stop at the end of the answer."""
        super().watching()
        self.stop.set()

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Stop after an error, too: the server does not answer a second time."""
        super().failed(reason, message, delay)
        self.stop.set()


def _ignore(family: str, error: Exception) -> None:
    """Ignore families that cannot be read: most sample objects are empty."""
