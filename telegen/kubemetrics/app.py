"""The HTTP application. It answers every request from shared memory; no request reaches a worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import falcon
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from telegen.kubemetrics.exposition import OPENMETRICS, TEXT, Page, StoreFilter, assemble
from telegen.kubemetrics.negotiation import accepts_gzip, wants_openmetrics
from telegen.kubemetrics.readiness import Report, View, liveness, readiness
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubemetrics.web_security import AccessControl
from telegen.shm.reader import TornSnapshot

log = logging.getLogger("telegen.web")
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Closed(Exception):
    """The shard was lost during the response. The connection is closed, because another agent serves these series now."""


class Metrics:
    """One page of metrics: GET and HEAD, text 0.0.4 or OpenMetrics 1.0, gzip or identity, `?resources=` and
    `?exclude_resources=`."""

    def __init__(self, path: str, view: View, known: Sequence[str], telemetry: Telemetry) -> None:
        """Prepare a path.

        Args:
            known: resource names that `?resources=` may name.
        """
        self._path, self._known, self._telemetry = path, frozenset(known), telemetry
        self._readers, self._is_served = view.pages[path], view.is_served

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send the page; HEAD gets its headers."""
        started = time.perf_counter()
        openmetrics = wants_openmetrics(req.get_header("Accept") or "")
        gzip = accepts_gzip(req.get_header("Accept-Encoding") or "")
        try:
            page, still_open = self._assemble(openmetrics, self._wanted(req))
        except TornSnapshot as error:
            raise falcon.HTTPServiceUnavailable(
                title="Busy", description=f"{error}: pages change faster than they can be copied; retry the scrape"
            ) from error
        resp.content_type = OPENMETRICS if openmetrics else TEXT
        resp.set_header("Vary", "Accept, Accept-Encoding")
        coding = "gzip" if gzip else "identity"
        size = _answer(resp, page, gzip, req.method == "HEAD", still_open)
        self._telemetry.scrape_seconds.labels(self._path, coding).observe(time.perf_counter() - started)
        self._telemetry.scrape_bytes.labels(self._path, coding).inc(size)

    on_head = on_get

    def _assemble(self, openmetrics: bool, wanted: StoreFilter | None) -> tuple[Page, Callable[[], bool]]:
        """Assemble the page of the stores that this agent serves; return it with a check that it still serves them.

        The check is repeated after the assembly: the process may have been stopped in between for any length of time.
        """
        while True:
            readers = [reader for reader in self._readers if self._is_served(reader.name)]
            page = assemble(readers, openmetrics, wanted)

            def still_open(names: tuple[str, ...] = tuple(reader.name for reader in readers)) -> bool:
                return all(map(self._is_served, names))

            # A shard was lost during the assembly: assemble again without its stores.
            if still_open():
                return page, still_open

    def _wanted(self, req: falcon.Request) -> StoreFilter | None:
        """Return the filter of the query, None for all stores."""
        keep, drop = _names(req, "resources"), _names(req, "exclude_resources")
        # Excluding a resource that is not watched leaves nothing out, as one target list may serve several agents.
        unknown = sorted((keep or set()) - self._known)
        if unknown:
            raise falcon.HTTPBadRequest(
                title="Unknown resource",
                description=f"{', '.join(unknown)}: not watched; choose from {', '.join(sorted(self._known))}",
            )
        if keep is None and drop is None:
            return None
        return lambda name: (keep is None or name in keep) and name not in (drop or ())


def _names(req: falcon.Request, parameter: str) -> set[str] | None:
    """Return the resource names of a query parameter (comma lists, repeatable), None if it is absent."""
    if not req.has_param(parameter):
        return None
    return {name for value in req.get_param_as_list(parameter) or [] for name in map(str.strip, value.split(",")) if name}


def _answer(resp: falcon.Response, page: Page, gzip: bool, head: bool, still_open: Callable[[], bool]) -> int:
    """Put the page into the response; return the number of bytes to send."""
    # Content-Length lets the client notice a response that was broken off.
    size = page.size if gzip else page.length
    if gzip:
        resp.set_header("Content-Encoding", "gzip")
    if not head:
        resp.stream = _while_open(page.gzip() if gzip else page.text(), still_open)
    resp.content_length = size
    return size


def _while_open(parts: Iterable[bytes], still_open: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the parts of a response while this agent serves the shards on it; gunicorn sends the headers with the first part.

    PERF: a check costs 0.7 us per shard; a page of 16 MB has 700 parts.

    Raises:
        Closed: a shard was lost.
    """
    for part in parts:
        if not still_open():
            raise Closed("a shard was lost during the response")
        yield part


class OwnMetrics:
    """`/telemetry`: the agent's own metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send them in the format that the client prefers."""
        encode, content_type = choose_encoder(req.get_header("Accept") or "")
        resp.content_type = content_type
        resp.data = encode(self._registry)

    on_head = on_get


class Probe:
    """A probe: 200 with `ok` and notes, or 503 with one line per problem."""

    def __init__(self, check: Callable[[], Report]) -> None:
        self._check = check

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send the result of the probe."""
        report = self._check()
        resp.content_type = falcon.MEDIA_TEXT
        resp.status = falcon.HTTP_503 if report.problems else falcon.HTTP_200
        resp.text = report.text

    on_head = on_get


class Index:
    """`/`: the list of paths. Older manifests of kube-state-metrics use it as readiness probe."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._text = "".join(f"{path}\n" for path in paths)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send one path per line."""
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = self._text

    on_head = on_get


def make_app(
    view: View, registry: CollectorRegistry, telemetry: Telemetry, access: AccessControl | None = None
) -> falcon.App:  # type: ignore[type-arg]
    """Create the WSGI application of one web worker."""
    known = sorted({store.partition("/")[0] for stores in view.expected.values() for store in stores})
    pages = {path: Metrics(path, view, known, telemetry) for path in view.pages}
    return _routed({**pages, **_own(view, registry)}, access)


def make_telemetry_app(
    view: View, registry: CollectorRegistry, access: AccessControl | None = None
) -> falcon.App:  # type: ignore[type-arg]
    """Create the application of `telemetry_address`, where /metrics are the agent's own metrics."""
    return _routed({"/metrics": OwnMetrics(registry), **_own(view, registry)}, access)


def by_port(app: Wsgi, port: int, other: Wsgi) -> Wsgi:
    """Combine two applications: requests to `port` go to `other`, all others to `app`."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # Gunicorn sets SERVER_PORT from the socket, not from the Host header.
        return (other if environ["SERVER_PORT"] == str(port) else app)(environ, start_response)

    return answer


def _own(view: View, registry: CollectorRegistry) -> dict[str, object]:
    """Return the handlers of the agent's own metrics and of its probes, by path."""
    alive, ready = Probe(lambda: liveness(view)), Probe(lambda: readiness(view))
    return {"/telemetry": OwnMetrics(registry), "/healthz": alive, "/livez": alive, "/readyz": ready}


def _routed(routes: Mapping[str, object], access: AccessControl | None) -> falcon.App:  # type: ignore[type-arg]
    middleware = [access] if access else []
    app: falcon.App = falcon.App(media_type=falcon.MEDIA_TEXT, middleware=middleware)  # type: ignore[type-arg]
    app.set_error_serializer(_plain_error)
    app.add_error_handler(Exception, _unexpected)
    for path, resource in {**routes, "/": Index(routes)}.items():
        app.add_route(path, resource)
    paths = ", ".join(routes)

    def not_found(req: falcon.Request, resp: falcon.Response, **_: object) -> None:
        raise falcon.HTTPNotFound(title="Not found", description=f"{req.path}: choose from {paths}")

    app.add_sink(not_found)
    return app


def _unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: object) -> None:
    """Answer a request that met a defect. The log limits repeated tracebacks; Falcon would write each to standard error."""
    log.error("%s %s: the answer failed: please report this", req.method, req.path, exc_info=error)
    raise falcon.HTTPInternalServerError(description="the answer failed; the log has the cause")


def _plain_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Send an error as one line of text, for users of curl."""
    resp.content_type = falcon.MEDIA_TEXT
    resp.text = f"{error.title or error.status}" + (f": {error.description}" if error.description else "") + "\n"
