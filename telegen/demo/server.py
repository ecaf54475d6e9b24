"""A simulated API server: the part of the Kubernetes API that clients use to list and watch.

It has paged lists, watches, streamed lists (KEP-3157), bookmarks, 410, label selectors, field selectors on name, namespace
and node, PartialObjectMetadata and Tables. Leases can be written. Objects are kept as bytes and sent many at a time.
`POST /demo/NAME?...` pulls a lever (see `Levers`).
"""

from __future__ import annotations

import gzip
import http.server
import socket
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from telegen.demo.discovery import discovery, is_discovery
from telegen.demo.errors import Refusal
from telegen.demo.levers import Levers
from telegen.demo.representations import (
    Representation,
    bookmark,
    choose_representation,
    event,
    join_tables,
    table,
    whole,
)
from telegen.demo.selectors import Selector, kind_of, locate, make_selector, parse_continue
from telegen.demo.state import Collection, Compacted, State, Stored
from telegen.demo.writes import write

WRITE = 1 << 18
"""Bytes that are collected before a write."""
INITIAL_END = {"k8s.io/initial-events-end": "true"}


class SimulatedServer:
    """Serves a state over HTTP on loopback, a thread per connection."""

    def __init__(self, state: State, listener: socket.socket | None = None, port: int = 0) -> None:
        """Start to listen.

        Args:
            listener: a bound socket; None to open one on `port`.
        """
        self.state = state
        self.levers = Levers(state)
        handler = type("Handler", (_Handler,), {"state": state, "levers": self.levers})
        self._http = _Server(("127.0.0.1", port), handler, bind_and_activate=listener is None)
        if listener is not None:
            self._http.socket.close()
            self._http.socket = listener
            self._http.server_address = listener.getsockname()
            self._http.server_name, self._http.server_port = "localhost", listener.getsockname()[1]
            listener.listen(128)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> SimulatedServer:
        """Serve in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all watches and stop listening."""
        self.state.end_watches()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    """Server whose threads end with the process."""

    daemon_threads = True
    # An agent connects for all its resources at once; Linux delays what does not fit into the queue by a second.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a traceback, except when a client has closed the connection."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Headers and body are separate writes; with Nagle's algorithm the second would wait 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    state: State
    levers: Levers
    _members = False
    """The watch that is being written is a series of gzip members."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: requests would drown the agent's log."""

    def do_POST(self) -> None:
        """Pull a lever, or create an object."""
        url = urlsplit(self.path)
        if not url.path.startswith("/demo/"):
            self._written(url.path, 201)
            return
        try:
            self.levers.pull(
                url.path.removeprefix("/demo/"), {key: values[-1] for key, values in parse_qs(url.query).items()}
            )
            self._send(200, b'{"kind":"Status","status":"Success"}')
        except Refusal as refusal:
            self._send(refusal.code, refusal.body, refusal.content_type)
        except (KeyError, ValueError) as error:
            self._send(400, Refusal(400, "BadRequest", f"lever: {error!r}").body)

    def do_PUT(self) -> None:
        """Update an object."""
        self._written(urlsplit(self.path).path, 200)

    def _written(self, path: str, code: int) -> None:
        """Write the object in the body. The body is read even if it is refused, because the connection stays open."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            target = locate(path, self.state.collections)
            self.levers.check(target[0])
            self._send(code, write(self.state, target, body))
        except Refusal as refusal:
            self._send(refusal.code, refusal.body, refusal.content_type)

    def do_GET(self) -> None:
        """Send a list, an object, a watch, or information on the server."""
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        try:
            if url.path == "/readyz" and self.levers.starting:
                self._send(500, b"readyz check failed", "text/plain")
            elif url.path in ("/healthz", "/livez", "/readyz"):
                self._send(200, b"ok", "text/plain")
            elif is_discovery(url.path):
                self._send(200, orjson.dumps(discovery(url.path, self.state.collections)))
            elif url.path == "/version":
                self._send(200, b'{"major":"1","minor":"36","gitVersion":"v1.36.0-demo"}')
            else:
                self._resource(url.path, query)
        except Refusal as refusal:
            self._send(refusal.code, refusal.body, refusal.content_type)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _resource(self, path: str, query: dict[str, str]) -> None:
        resource, namespace, name = locate(path, self.state.collections)
        self.levers.check(resource)
        collection = self.state.collections[resource]
        represent = choose_representation(self.headers.get("Accept", ""))
        selector = make_selector(namespace, query.get("fieldSelector", ""), query.get("labelSelector", ""))
        if query.get("watch") in ("1", "true"):
            self._watch(collection, query, selector, represent)
        elif name:
            found = collection.objects.get((namespace, name))
            if found is None:
                raise Refusal(404, "NotFound", f'{resource} "{name}" not found')
            self._send(200, represent(found.data))
        else:
            self._list(collection, query, selector, represent)

    def _list(self, collection: Collection, query: dict[str, str], selector: Selector, represent: Representation) -> None:
        """Send a page of a list. The continue token holds the next index and the version of the list."""
        start, version = 0, self.state.version
        if query.get("continue"):
            start, version = parse_continue(query["continue"])
            if version < collection.oldest:
                raise Refusal(410, "Expired", "The provided continue parameter is too old")
        with self.state.changed:
            found = [stored for stored in collection.objects.values() if selector(stored)]
        limit = int(query.get("limit") or 0) or len(found)
        page, rest = found[start : start + limit], len(found) - start - limit
        more = {"continue": f"{start + limit}.{version}", "remainingItemCount": rest} if rest > 0 else {}
        metadata = orjson.dumps({"resourceVersion": str(version), **more})
        items = [represent(stored.data) for stored in page]
        if represent is table:
            self._send(200, join_tables(items, metadata))
            return
        kind = f"{collection.kind if represent is whole else 'PartialObjectMetadata'}List".encode()
        head = b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (
            kind,
            collection.api_version.encode(),
            metadata,
        )
        self._send(200, head + b",".join(items) + b"]}")

    def _watch(self, collection: Collection, query: dict[str, str], selector: Selector, represent: Representation) -> None:
        """Send a watch, which begins with all objects if sendInitialEvents is set."""
        streamed = query.get("sendInitialEvents") == "true"
        if streamed:
            self.levers.check_streamed(represent is table)
        initial: list[Stored] = []
        with self.state.changed:
            epoch, version = self.state.epoch, self.state.version
            if streamed:
                initial, number = list(collection.objects.values()), collection.first + len(collection.history)
            else:
                try:
                    number = collection.number_after(int(query.get("resourceVersion") or 0))
                except Compacted:
                    raise Refusal(410, "Expired", "too old resource version") from None
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self._members = self.levers.gzip_members and "gzip" in self.headers.get("Accept-Encoding", "")
        if self._members:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self._write(event(b"ADDED", represent(stored.data)) for stored in initial if selector(stored))
        if streamed:
            self._write([bookmark(collection, version, represent, INITIAL_END)])
        bookmarks = query.get("allowWatchBookmarks") == "true"
        self._changes(collection, number, epoch, float(query.get("timeoutSeconds") or 300), selector, represent, bookmarks)
        self.wfile.write(b"0\r\n\r\n")

    def _changes(
        self,
        collection: Collection,
        number: int,
        epoch: int,
        seconds: float,
        selector: Selector,
        represent: Representation,
        bookmarks: bool,
    ) -> None:
        """Send changes as they happen, and bookmarks in quiet times."""
        end = time.monotonic() + seconds
        while True:
            with self.state.changed:
                self.state.changed.wait_for(
                    lambda: collection.first + len(collection.history) > number or self.state.epoch != epoch,
                    min(self.levers.bookmark_interval, max(0.0, end - time.monotonic())),
                )
                if self.state.epoch != epoch or time.monotonic() >= end:
                    return
                version = self.state.version
                try:
                    changes = collection.since(number)
                except Compacted:
                    changes = []
                    self._write([event(b"ERROR", Refusal(410, "Expired", "too old resource version").body)])
                    return
            number += len(changes)
            events = [
                event(kind.encode(), represent(change.stored.data))
                for change in changes
                if (kind := kind_of(change, selector))
            ]
            if events:
                self._write(events)
            elif bookmarks and self.levers.bookmarks:
                self._write([bookmark(collection, version, represent, None)])

    def _write(self, events: Iterable[bytes]) -> None:
        """Send lines, many per write."""
        waiting: list[bytes] = []
        size = 0
        for line in events:
            waiting.append(line)
            size += len(line)
            if size >= WRITE:
                self._flush(waiting)
                waiting, size = [], 0
        if waiting:
            self._flush(waiting)

    def _flush(self, lines: list[bytes]) -> None:
        """Write lines as HTTP chunks, one each as kube-apiserver does, or all as one gzip member in one chunk."""
        pieces = [gzip.compress(b"".join(lines), 1)] if self._members else lines
        self.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces))

    def _send(self, code: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
