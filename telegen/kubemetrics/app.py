"""The HTTP application. It answers every request from shared memory; no request reaches a worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import falcon
import falcon.asgi
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from telegen.kubemetrics.bodies import Bodies, Body, NoConnection, Variant
from telegen.kubemetrics.readiness import Report, View, liveness, readiness
from telegen.kubemetrics.selection import Impossible, Selection, selection
from telegen.kubemetrics.staleness import shown, withheld
from telegen.kubemetrics.status import StatusReader, StatusSources, public_line
from telegen.kubemetrics.status_page import Index, StatusJson
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubemetrics.web_security import AccessControl
from telegen.process.negotiation import accepts_gzip, choose_format
from telegen.shm.deflate import gzip_member
from telegen.shm.reader import TornSnapshot

log = logging.getLogger("telegen.web")
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
CLIENT = "telegen.client"
"""Key of the ASGI scope: the connection of the request, a `telegen.kubemetrics.bodies.Client`."""


class Metrics:
    """One page of metrics: GET and HEAD, text 0.0.4 or OpenMetrics 1.0, gzip or identity, and the part that the query selects."""

    def __init__(self, path: str, view: View, known: Sequence[str], telemetry: Telemetry, bodies: Bodies) -> None:
        """Prepare a path.

        Args:
            known: resource names that `?resources=` may name.
        """
        self._path, self._known, self._telemetry, self._bodies = path, frozenset(known), telemetry, bodies
        self._view, self._readers, self._is_served = view, view.pages[path], view.is_served

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send the page; HEAD gets its headers."""
        started = time.perf_counter()
        chosen = choose_format(req.get_header("Accept") or "")
        gzip = accepts_gzip(req.get_header("Accept-Encoding") or "")
        try:
            body = self._assemble(chosen.openmetrics, self._selection(req))
        except TornSnapshot as error:
            raise falcon.HTTPServiceUnavailable(
                title="Busy", description=f"{error}: pages change faster than they can be copied; retry the scrape"
            ) from error
        resp.content_type = chosen.content_type
        resp.set_header("Vary", "Accept, Accept-Encoding")
        if gzip:
            resp.set_header("Content-Encoding", "gzip")
        if req.method != "HEAD":
            resp.stream = body.parts(gzip, req.scope.get(CLIENT) or NoConnection())
        # Content-Length lets the client notice a response that was broken off.
        resp.content_length = size = body.page.size if gzip else body.page.length
        coding = "gzip" if gzip else "identity"
        self._telemetry.scrape_seconds.labels(self._path, coding).observe(time.perf_counter() - started)
        self._telemetry.scrape_bytes.labels(self._path, coding).inc(size)

    on_head = on_get

    def _assemble(self, openmetrics: bool, selected: Selection) -> Body:
        """Return the body of the stores that this agent serves.

        The check is repeated after the assembly: the process may have been stopped in between for any length of time.
        """
        while True:
            readers = [reader for reader in self._readers if self._is_served(reader.name)]
            names = tuple(reader.name for reader in readers)

            def is_served(names: tuple[str, ...] = names) -> bool:
                return all(map(self._is_served, names))

            old = withheld(self._view)
            variant = Variant(self._path, openmetrics, selected, old)
            body = self._bodies.take(variant, readers, shown(self._view, old), is_served)
            # A shard was lost during the assembly: assemble again without its stores.
            if is_served():
                return body

    def _selection(self, req: falcon.asgi.Request) -> Selection:
        """Return the selection of the query."""
        values = {name: req.get_param_as_list(name) or [] for name in req.params}
        try:
            return selection(values, self._known)
        except Impossible as error:
            raise falcon.HTTPBadRequest(title="Impossible selection", description=str(error)) from error


class OwnMetrics:
    """`/telemetry`: the agent's own metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send them in the format that the client prefers."""
        text, resp.content_type = own_exposition(self._registry, req.get_header("Accept") or "")
        resp.set_header("Vary", "Accept, Accept-Encoding")
        if accepts_gzip(req.get_header("Accept-Encoding") or ""):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = gzip_member(text)
        else:
            resp.data = text

    on_head = on_get


def own_exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return the text of a registry in the format that a client prefers, and its media type.

    Args:
        accept: header Accept.
    """
    # prometheus_client's own negotiation raises for some malformed versions.
    chosen = choose_format(accept)
    generate: Any = generate_openmetrics if chosen.openmetrics else generate_latest
    return generate(registry), chosen.content_type


class Probe:
    """A probe: 200 with `ok` and notes, or 503 with one line per problem."""

    def __init__(self, check: Callable[[], Report], hides_names: Callable[[], bool]) -> None:
        self._check, self._hides_names = check, hides_names

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send the result of the probe."""
        report = self._check()
        resp.content_type = falcon.MEDIA_TEXT
        resp.status = falcon.HTTP_503 if report.problems else falcon.HTTP_200
        resp.text = "".join(map(public_line, report.text.splitlines(keepends=True))) if self._hides_names() else report.text

    on_head = on_get


def make_app(
    view: View,
    registry: CollectorRegistry,
    telemetry: Telemetry,
    access: AccessControl | None = None,
    body_memory: int = 48 << 20,
    status: StatusSources | None = None,
) -> Asgi:
    """Create the ASGI application of one web process.

    Args:
        body_memory: bytes of the bodies that are being sent; see `Bodies`.
        status: of the agent, for the status page.
    """
    known = sorted({store.partition("/")[0] for stores in view.expected.values() for store in stores})
    bodies = Bodies(body_memory)
    pages = {path: Metrics(path, view, known, telemetry, bodies) for path in view.pages}
    return _routed({**pages, **_own(view, registry, access)}, access, status)


def make_telemetry_app(view: View, registry: CollectorRegistry, access: AccessControl | None = None) -> Asgi:
    """Create the application of `telemetry_address`, where /metrics are the agent's own metrics."""
    return _routed({"/metrics": OwnMetrics(registry), **_own(view, registry, access)}, access)


def by_port(app: Asgi, others: Mapping[int, Asgi]) -> Asgi:
    """Combine applications: requests to a port of `others` go to its application, all others to `app`."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        # The port of the socket, not of the Host header.
        await others.get(scope["server"][1], app)(scope, receive, send)

    return answer if others else app


def _own(view: View, registry: CollectorRegistry, access: AccessControl | None) -> dict[str, object]:
    """Return the handlers of the agent's own metrics and of its probes, by path."""

    def hides_names() -> bool:
        return access is not None and access.hides_names

    alive, ready = Probe(lambda: liveness(view), hides_names), Probe(lambda: readiness(view), hides_names)
    return {"/telemetry": OwnMetrics(registry), "/healthz": alive, "/livez": alive, "/readyz": ready}


def _routed(routes: Mapping[str, object], access: AccessControl | None, status: StatusSources | None = None) -> Asgi:
    if status:
        reader = StatusReader(status, [*routes, "/status.json"])
        routes = {**routes, "/status.json": StatusJson(reader, access.security if access else None)}
    return routed(routes, access, {"/": Index(list(routes))})


def routed(routes: Mapping[str, object], access: AccessControl | None = None, unlisted: Mapping[str, object] = {}) -> Asgi:
    """Create an application; errors are lines of text.

    Args:
        routes: handlers by path, which a client is told that asks for another path.
        unlisted: further handlers.
    """
    app: Any = falcon.asgi.App(media_type=falcon.MEDIA_TEXT, middleware=[access] if access else [])
    app.set_error_serializer(_plain_error)
    app.add_error_handler(Exception, _unexpected)
    for path, resource in {**routes, **unlisted}.items():
        app.add_route(path, resource)
    paths = ", ".join(routes)

    async def not_found(req: falcon.asgi.Request, resp: falcon.asgi.Response, **_: object) -> None:
        raise falcon.HTTPNotFound(title="Not found", description=f"{req.path}: choose from {paths}")

    app.add_sink(not_found)
    return app  # type: ignore[no-any-return]


async def _unexpected(req: falcon.asgi.Request, resp: falcon.asgi.Response, error: Exception, params: object) -> None:
    """Answer a request that met a defect. The log limits repeated tracebacks; Falcon would write each to standard error."""
    log.error("%s %s: the answer failed: please report this", req.method, req.path, exc_info=error)
    raise falcon.HTTPInternalServerError(description="the answer failed; the log has the cause")


def _plain_error(req: falcon.asgi.Request, resp: falcon.asgi.Response, error: falcon.HTTPError) -> None:
    """Send an error as one line of text, for users of curl."""
    resp.content_type = falcon.MEDIA_TEXT
    resp.text = f"{error.title or error.status}" + (f": {error.description}" if error.description else "") + "\n"
