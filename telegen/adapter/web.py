"""The HTTP application of the metrics APIs. Every path but the probes needs a user with the right to it."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import falcon
import falcon.asgi
import orjson

from telegen import __version__
from telegen.adapter.apis.answers import Answer, StatusError, failed
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.health import Checks, Health
from telegen.adapter.identity.authentication import Headers
from telegen.adapter.identity.guard import Guard
from telegen.adapter.identity.peer import Peer
from telegen.process.negotiation import accepts_gzip
from telegen.process.os_process import trim_memory

GZIP_FROM = 4096
"""Bytes from which an answer is compressed. Lists of pods shrink to a tenth; smaller answers gain nothing."""
TRIM_FROM = 1 << 20
"""Bytes from which on the memory that an answer took is returned to the system."""
PART = 128 << 10
"""Bytes that are given to the connection at once."""
THREADS = 16
"""Requests of the API server that are answered at the same time; further ones wait."""
DIRECT_THREADS, DIRECT_WAITING = 4, 64
"""Requests of all others that are answered at the same time, and that wait; further ones are refused. Each may ask the API server about
a token, and strangers must not delay the HPAs."""
log = logging.getLogger(__name__)
_SCHEME_AND_HOST = re.compile(r"^[A-Za-z][-+.A-Za-z0-9]*://[^/]*")
Page = Callable[[str], "tuple[bytes, str]"]
"""Function of the Accept header that returns content and media type."""
PeerOf = Callable[[Mapping[str, Any]], "Peer | None"]
"""Function of the ASGI scope that returns the client of its connection."""


class RequestObserver(Protocol):
    """Counts requests."""

    def answered(self, group: str, code: int, seconds: float) -> None:
        """A request was answered; `group` is the API group of its path, or `none`."""


class Application:
    """Routes of all paths. An answer may need Prometheus and the API server, so each is made in a thread."""

    def __init__(
        self, apis: MetricsApis, health: Health, guard: Guard, peer_of: PeerOf, pages: Mapping[str, Page], observer: RequestObserver | None
    ) -> None:
        self._apis, self._health, self._guard, self._peer_of = apis, health, guard, peer_of
        self._pages, self._observer = pages, observer
        self._threads, self._direct = ThreadPoolExecutor(THREADS, "answer"), ThreadPoolExecutor(DIRECT_THREADS, "direct")
        self._of_others = 0

    async def answer(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **groups: str) -> None:
        """Answer a request of any path."""
        path = _path(req)
        if self._health.answer(unquote(path.strip("/")), "verbose" in req.params, resp):
            return
        started, segments = time.perf_counter(), [unquote(segment) for segment in path.strip("/").split("/")]
        request = _Request(req, path, segments, _parameters(req.query_string), self._peer_of(req.scope))
        answer = await self._in_thread(request)
        _send(resp, answer)
        if self._observer:
            group = segments[1] if len(segments) > 1 and segments[0] == "apis" else ""
            known = group if group in self._apis.names() else "none"
            self._observer.answered(known, answer.status, time.perf_counter() - started)

    async def _in_thread(self, request: _Request) -> Answer:
        loop = asyncio.get_running_loop()
        if self._guard.is_front_proxy(request.peer):
            return await loop.run_in_executor(self._threads, self._encoded, request)
        if self._of_others >= DIRECT_THREADS + DIRECT_WAITING:
            busy = "too many requests that do not come through the API server; send them to its address"
            return _encode(StatusError(429, "TooManyRequests", busy).answer(), "")
        self._of_others += 1
        answer = loop.run_in_executor(self._direct, self._encoded, request)
        answer.add_done_callback(self._answered_other)
        # A client that has gone keeps its place until its turn: cancelled requests would stay in the queue, and nothing would count them.
        return await asyncio.shield(answer)

    def _answered_other(self, answer: asyncio.Future[Answer]) -> None:
        self._of_others -= 1
        if not answer.cancelled():
            # Of a client that has gone, nothing else takes the error.
            answer.exception()

    def _encoded(self, request: _Request) -> Answer:
        answer = _encode(self._answered(request), request.accept_encoding)
        if answer.document and len(answer.document) > TRIM_FROM:
            # PERF: 5 MB that a list of 10,000 pods leaves free among what is kept; takes 2 ms.
            trim_memory()
        return answer

    def _answered(self, request: _Request) -> Answer:
        """Check a request, and return its answer."""
        method, segments, params = request.method, request.segments, request.params
        try:
            self._guard.check(method, segments, params, request.headers, request.peer)
            if method not in ("GET", "HEAD"):
                raise StatusError(405, "MethodNotAllowed", f"the method {method} is not allowed: metrics are read only")
        except StatusError as error:
            return error.answer()
        page = self._pages.get(segments[0]) if len(segments) == 1 else None
        if page:
            return Answer(200, *page(request.accept))
        if segments == ["version"]:
            return Answer(200, {"major": "1", "minor": "0", "gitVersion": f"v{__version__}", "platform": "linux"})
        if segments == [""]:
            return Answer(200, {"paths": self._paths()})
        return self._apis.answer(request.path, params, request.accept, request.etag)

    def _paths(self) -> list[str]:
        names = [*(f"apis/{name}" for name in self._apis.names()), *self._health.names, *self._pages, "version"]
        return ["/apis", *(f"/{name}" for name in names)]


class _Request:
    """The parts of a request that its answer depends on.

    Attributes:
        path: as it is sent.
        segments: of the path, each decoded by itself.
    """

    def __init__(self, req: falcon.asgi.Request, path: str, segments: list[str], params: dict[str, str], peer: Peer | None) -> None:
        self.method, self.path, self.segments, self.params, self.peer = req.method, path, segments, params, peer
        self.headers: Headers = req.scope["headers"]
        self.accept, self.etag = req.get_header("Accept") or "", req.get_header("If-None-Match") or ""
        self.accept_encoding = req.get_header("Accept-Encoding") or ""


def _path(req: falcon.asgi.Request) -> str:
    """Return the path as it is sent, also of a request target with scheme and host, as clients send to a proxy."""
    target = (req.scope.get("raw_path") or req.path.encode()).decode("ascii", "replace").partition("?")[0]
    return _SCHEME_AND_HOST.sub("", target) or "/"


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query; of a repeated one the first value, by which the API server has authorized the request."""
    return dict(reversed(parse_qsl(query, keep_blank_values=True)))


def _encode(answer: Answer, accept_encoding: str) -> Answer:
    """Return an answer whose document is bytes: JSON, or text, compressed if it is long and the client takes gzip."""
    if answer.document is None:
        return answer
    data = answer.document if isinstance(answer.document, bytes) else orjson.dumps(answer.document)
    if len(data) < GZIP_FROM or not accepts_gzip(accept_encoding):
        return replace(answer, document=data)
    return replace(answer, document=gzip.compress(data, 1), headers={**answer.headers, "Content-Encoding": "gzip"})


def _send(resp: falcon.asgi.Response, answer: Answer) -> None:
    """Send an encoded answer."""
    resp.status = answer.status
    for header, value in answer.headers.items():
        resp.set_header(header, value)
    resp.set_header("Vary", "Accept, Accept-Encoding")
    resp.content_type = answer.content_type
    if answer.document and len(answer.document) > PART:
        resp.set_stream(_parts(answer.document), len(answer.document))
    else:
        resp.data = answer.document


async def _parts(document: bytes) -> AsyncIterator[bytes]:
    """Yield a long document in parts. PERF: 5 MB at once would be copied whole by TLS and by the transport: 3 ms and 10 MB more."""
    for start in range(0, len(document), PART):
        yield document[start : start + PART]


async def _crashed(req: Any, resp: Any, error: Exception, params: Any) -> None:
    """Answer a request that an error ended which no code expects."""
    log.error("%s: request failed: %r", req.path, error, exc_info=error)
    _send(resp, _encode(failed("the request failed; the log of the adapter has the error").answer(), ""))


def make_app(
    apis: MetricsApis,
    checks: Checks,
    guard: Guard,
    peer_of: PeerOf = lambda scope: None,
    pages: Mapping[str, Page] = {},
    observer: RequestObserver | None = None,
) -> Any:
    """Return the application.

    Args:
        checks: what /readyz depends on.
        guard: checks each request.
        pages: further pages by path.
    """
    app: Any = falcon.asgi.App()
    app.add_sink(Application(apis, Health(checks), guard, peer_of, pages, observer).answer, "")
    app.add_error_handler(Exception, _crashed)
    return app


def make_plain_app(checks: Checks, pages: Mapping[str, Page]) -> Any:
    """Return the application of the second address: probes, and pages without a check of rights."""
    health = Health(checks)

    async def answer(req: falcon.asgi.Request, resp: falcon.asgi.Response, **groups: str) -> None:
        name = _path(req).strip("/")
        if health.answer(name, "verbose" in req.params, resp):
            return
        if name not in pages or req.method not in ("GET", "HEAD"):
            resp.status, resp.text, resp.content_type = 404, f"only {', '.join((*health.names, *pages))} are here\n", "text/plain"
            return
        _send(resp, _encode(Answer(200, *pages[name](req.get_header("Accept") or "")), req.get_header("Accept-Encoding") or ""))

    app: Any = falcon.asgi.App()
    app.add_sink(answer, "")
    app.add_error_handler(Exception, _crashed)
    return app
