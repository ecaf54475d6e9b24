"""A simulated API server: as much of the Kubernetes API at the wire as those need who list and watch.

Lists (paged), watches, streamed lists (KEP-3157), bookmarks, 410, label selectors, field selectors on name, namespace
and node, PartialObjectMetadata and Tables; Leases can be written. Bodies are kept as bytes and written many at a time.
`POST /demo/NAME?...` pulls a lever; see `Levers`.
"""

from __future__ import annotations

import http.server
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from telegen.demo.errors import Refusal
from telegen.demo.state import Change, Collection, Compacted, State, Stored
from telegen.demo.writes import has_labels, write

WRITE = 1 << 18
"""Bytes that are collected before they are written."""
INITIAL_END = {"k8s.io/initial-events-end": "true"}


class Levers:
    """What a test may make the server do: `POST /demo/forbid?resource=pods`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.forbidden: set[str] = set()
        self.failures: list[int] = []
        self.streaming = True
        self.bookmark_interval = 5.0
        self.rate = 0.0

    def pull(self, name: str, arguments: dict[str, str]) -> None:
        """Pull one by its name.

        Raises:
            Refusal: there is none of that name.
        """
        levers: dict[str, Callable[[], object]] = {
            "forbid": lambda: self.forbidden.add(arguments["resource"]),
            "allow": lambda: self.forbidden.discard(arguments["resource"]),
            "fail": lambda: self.failures.extend(
                [int(arguments.get("status", "500"))] * int(arguments.get("count", "1"))
            ),
            "drop": self.state.end_watches,
            "compact": self._compact,
            "streaming": lambda: setattr(self, "streaming", arguments["on"] == "true"),
            "rate": lambda: setattr(self, "rate", float(arguments["per_second"])),
            "mark": lambda: self._mark(int(arguments["value"])),
            "delete": lambda: self.state.delete(
                arguments["resource"], arguments.get("namespace", ""), arguments["name"]
            ),
        }
        if name not in levers:
            raise Refusal(404, "NotFound", f"no lever {name}; there are {', '.join(levers)}")
        levers[name]()

    def _mark(self, value: int) -> None:
        """Give a pod a number of restarts by which it can be found on a page."""
        pod = next(iter(self.state.collections["pods"].objects.values())).load()
        pod["status"]["containerStatuses"][0]["restartCount"] = value
        self.state.put("pods", pod)

    def _compact(self) -> None:
        """As a restart with an empty watch cache: every watch ends, and none can go on from where it was."""
        self.state.compact()
        self.state.end_watches()

    def check(self, resource: str) -> None:
        """Refuse a request that a lever says is to be refused."""
        if self.failures:
            status = self.failures.pop(0)
            raise Refusal(status, "InternalError", "the demo was told to fail")
        if resource in self.forbidden:
            raise Refusal(403, "Forbidden", f'{resource} is forbidden: User "demo" cannot list resource "{resource}"')


class SimulatedServer:
    """Serves a state over HTTP on loopback, a thread per connection."""

    def __init__(self, state: State, listener: socket.socket | None = None, port: int = 0) -> None:
        """Begin to listen.

        Args:
            listener: a bound socket; one of its own on `port` when None.
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
    """Threads that end with the process, and no traceback for a client that hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up when they are killed or have seen enough; anything else is worth a traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Headers and body are written one after the other: with Nagle's algorithm an answer takes 40 ms.
    disable_nagle_algorithm = True
    state: State
    levers: Levers

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the agent's logs are the ones to read."""

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
            self._send(refusal.code, refusal.body)
        except (KeyError, ValueError) as error:
            self._send(400, Refusal(400, "BadRequest", f"lever: {error!r}").body)

    def do_PUT(self) -> None:
        """Update an object."""
        self._written(urlsplit(self.path).path, 200)

    def _written(self, path: str, code: int) -> None:
        """Take the object in the body, which is read in any case: the connection goes on."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            place = _locate(path, self.state.collections)
            self.levers.check(place[0])
            self._send(code, write(self.state, place, body))
        except Refusal as refusal:
            self._send(refusal.code, refusal.body)

    def do_GET(self) -> None:
        """Answer a list, a get, a watch, or a question about the server."""
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        try:
            if url.path in ("/healthz", "/livez", "/readyz"):
                self._send(200, b"ok", "text/plain")
            elif url.path == "/version":
                self._send(200, b'{"major":"1","minor":"36","gitVersion":"v1.36.0-demo"}')
            else:
                self._resource(url.path, query)
        except Refusal as refusal:
            self._send(refusal.code, refusal.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _resource(self, path: str, query: dict[str, str]) -> None:
        resource, namespace, name = _locate(path, self.state.collections)
        self.levers.check(resource)
        collection = self.state.collections[resource]
        shape = _shape(self.headers.get("Accept", ""))
        wanted = _selector(namespace, query.get("fieldSelector", ""), query.get("labelSelector", ""))
        if query.get("watch") in ("1", "true"):
            self._watch(collection, query, wanted, shape)
        elif name:
            found = collection.objects.get((namespace, name))
            if found is None:
                raise Refusal(404, "NotFound", f'{resource} "{name}" not found')
            self._send(200, shape(found.data))
        else:
            self._list(collection, query, wanted, shape)

    def _list(self, collection: Collection, query: dict[str, str], wanted: Wanted, shape: Shape) -> None:
        """A page of a list. The continue token is the version of the list and how far it has come."""
        start, version = 0, self.state.version
        if query.get("continue"):
            start, version = _continued(query["continue"])
            if version < collection.oldest:
                raise Refusal(410, "Expired", "The provided continue parameter is too old")
        with self.state.changed:
            found = [stored for stored in collection.objects.values() if wanted(stored)]
        limit = int(query.get("limit") or 0) or len(found)
        page, rest = found[start : start + limit], len(found) - start - limit
        more = {"continue": f"{start + limit}.{version}", "remainingItemCount": rest} if rest > 0 else {}
        metadata = orjson.dumps({"resourceVersion": str(version), **more})
        items = [shape(stored.data) for stored in page]
        if shape is _table:
            self._send(200, _joined_table(items, metadata))
            return
        kind = f"{collection.kind if shape is _whole else 'PartialObjectMetadata'}List".encode()
        head = b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (
            kind,
            collection.api_version.encode(),
            metadata,
        )
        self._send(200, head + b",".join(items) + b"]}")

    def _watch(self, collection: Collection, query: dict[str, str], wanted: Wanted, shape: Shape) -> None:
        """A watch, which begins with the whole state when that is asked for."""
        streamed = query.get("sendInitialEvents") == "true"
        if streamed and not self.levers.streaming:
            raise Refusal(
                422,
                "Invalid",
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
            )
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
        self.end_headers()
        self._write(_event(b"ADDED", shape(stored.data)) for stored in initial if wanted(stored))
        if streamed:
            self._write([_bookmark(collection, version, shape, INITIAL_END)])
        bookmarks = query.get("allowWatchBookmarks") == "true"
        self._changes(collection, number, epoch, float(query.get("timeoutSeconds") or 300), wanted, shape, bookmarks)
        self.wfile.write(b"0\r\n\r\n")

    def _changes(
        self,
        collection: Collection,
        number: int,
        epoch: int,
        seconds: float,
        wanted: Wanted,
        shape: Shape,
        bookmarks: bool,
    ) -> None:
        """Write changes as they come, and bookmarks while none come."""
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
                    self._write([_event(b"ERROR", Refusal(410, "Expired", "too old resource version").body)])
                    return
            number += len(changes)
            events = [
                _event(kind.encode(), shape(change.stored.data))
                for change in changes
                if (kind := _kind_of(change, wanted))
            ]
            if events:
                self._write(events)
            elif bookmarks:
                self._write([_bookmark(collection, version, shape, None)])

    def _write(self, events: Iterable[bytes]) -> None:
        """Write lines as HTTP chunks, one each as kube-apiserver does, many at once."""
        waiting: list[bytes] = []
        size = 0
        for event in events:
            waiting.append(b"%x\r\n%s\r\n" % (len(event), event))
            size += len(event)
            if size >= WRITE:
                self.wfile.write(b"".join(waiting))
                waiting, size = [], 0
        self.wfile.write(b"".join(waiting))

    def _send(self, code: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Shape = Callable[[bytes], bytes]
"""From an object's JSON to what the client asked to see of it."""
Wanted = Callable[[Stored], bool]


def _whole(data: bytes) -> bytes:
    return data


def _metadata(data: bytes) -> bytes:
    obj = orjson.loads(data)
    return orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]})


_COLUMNS = ("Name", "Type", "Data", "Age")


def _table(data: bytes) -> bytes:
    """A Table of one row, with the columns of secrets."""
    obj = orjson.loads(data)
    row = {
        "cells": [obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or {}), "1d"],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]},
    }
    columns = [{"name": name, "type": "string"} for name in _COLUMNS]
    return orjson.dumps(
        {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": [row]}
    )


def _joined_table(tables: list[bytes], metadata: bytes) -> bytes:
    rows = [row for table in tables for row in orjson.loads(table)["rows"]]
    columns = [{"name": name, "type": "string"} for name in _COLUMNS]
    table = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": orjson.loads(metadata),
        "columnDefinitions": columns,
        "rows": rows,
    }
    return orjson.dumps(table)


def _shape(accept: str) -> Shape:
    """What the first choice of an Accept header wants to see."""
    first = accept.split(",")[0]
    return _metadata if "as=PartialObjectMetadata" in first else _table if "as=Table" in first else _whole


def _kind_of(change: Change, wanted: Wanted) -> str:
    """What a change is to a watch with a selector: objects come into its sight and leave it. "" when it sees nothing."""
    before, now = change.before is not None and wanted(change.before), wanted(change.stored)
    if change.kind == "DELETED" or not now:
        return "DELETED" if before else ""
    return "MODIFIED" if before else "ADDED"


def _event(kind: bytes, data: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind, data)


def _bookmark(collection: Collection, version: int, shape: Shape, annotations: dict[str, str] | None) -> bytes:
    metadata: dict[str, Any] = {
        "name": "",
        "resourceVersion": str(version),
        **({"annotations": annotations} if annotations else {}),
    }
    obj = {"kind": collection.kind, "apiVersion": collection.api_version, "metadata": metadata}
    return _event(b"BOOKMARK", shape(orjson.dumps(obj)))


def _locate(path: str, known: Iterable[str]) -> tuple[str, str, str]:
    """(resource, namespace, name) of a path."""
    parts = [part for part in path.split("/") if part]
    parts = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else []
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts or parts[0] not in known or len(parts) > 2:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    return parts[0], namespace, parts[1] if len(parts) > 1 else ""


def _selector(namespace: str, fields: str, labels: str) -> Wanted:
    """Which objects a request is about."""
    tests: list[tuple[str, bool, str]] = list(_terms(fields))

    def wanted(stored: Stored) -> bool:
        if namespace and stored.namespace != namespace:
            return False
        values = {"metadata.namespace": stored.namespace, "metadata.name": stored.name, "spec.nodeName": stored.node}
        if not all((values[field] == value) == equal for field, equal, value in tests):
            return False
        return not labels or has_labels(stored, labels)

    return wanted if tests or namespace or labels else lambda stored: True


def _terms(fields: str) -> Iterator[tuple[str, bool, str]]:
    """(field, is equal, value) of each term of a field selector."""
    for term in filter(None, fields.split(",")):
        field, sign, value = term.partition("!=") if "!=" in term else term.partition("=")
        if field not in ("metadata.namespace", "metadata.name", "spec.nodeName"):
            raise Refusal(400, "BadRequest", f"field label not supported: {field}")
        yield field, sign == "=", value.lstrip("=")


def _continued(token: str) -> tuple[int, int]:
    start, _, version = token.partition(".")
    if not (start.isdecimal() and version.isdecimal()):
        raise Refusal(400, "BadRequest", "continue key is not valid")
    return int(start), int(version)
