"""The HTTP application of the metrics APIs. Identity and rights are checked in front of it."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, unquote

import falcon
import falcon.asgi
import orjson

from telegen import __version__
from telegen.adapter.apis.answers import Answer, StatusError, failed
from telegen.adapter.apis.metrics_apis import MetricsApis

GZIP_FROM = 4096
"""Bytes from which an answer is compressed. Lists of pods shrink to a tenth; smaller answers gain nothing."""
THREADS = 16
"""Requests that are answered at the same time; further ones wait."""
log = logging.getLogger(__name__)
_HEALTH = ("healthz", "livez", "readyz")
_TEXT = "text/plain; charset=utf-8"


class Application:
    """Routes of all paths. An answer may need Prometheus and the API server, so each is made in a thread."""

    def __init__(self, apis: MetricsApis, problem: Callable[[], str]) -> None:
        """Prepare the routes.

        Args:
            problem: returns the reason why the adapter is not ready, "" if it is.
        """
        self._apis, self._problem = apis, problem
        self._threads = ThreadPoolExecutor(THREADS, "answer")

    async def answer(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **groups: str) -> None:
        """Answer a request of any path."""
        path = (req.scope.get("raw_path") or req.path.encode()).decode("ascii", "replace").partition("?")[0]
        name = unquote(path.strip("/"))
        if req.method not in ("GET", "HEAD"):
            message = f"the method {req.method} is not allowed: metrics are read only"
            return _send(req, resp, StatusError(405, "MethodNotAllowed", message).answer())
        if name in _HEALTH:
            return self._health(resp, name)
        if name == "version":
            return _send(req, resp, Answer(200, {"major": "1", "minor": "0", "gitVersion": f"v{__version__}", "platform": "linux"}))
        if name == "":
            paths = ["/apis", *(f"/apis/{group.name}" for group in self._apis.groups()), *(f"/{one}" for one in _HEALTH), "/version"]
            return _send(req, resp, Answer(200, {"paths": paths}))
        params = dict(parse_qsl(req.query_string, keep_blank_values=True))
        accept, etag = req.get_header("Accept") or "", req.get_header("If-None-Match") or ""
        loop = asyncio.get_running_loop()
        _send(req, resp, await loop.run_in_executor(self._threads, self._apis.answer, path, params, accept, etag))

    def _health(self, resp: falcon.asgi.Response, name: str) -> None:
        """Answer a probe; only /readyz depends on the backend."""
        problem = self._problem() if name == "readyz" else ""
        resp.content_type = _TEXT
        resp.status, resp.text = (503, f"not ready: {problem}\n") if problem else (200, "ok\n")


def _send(req: falcon.asgi.Request, resp: falcon.asgi.Response, answer: Answer) -> None:
    """Send a document as JSON, compressed if it is long and the client takes gzip."""
    resp.status = answer.status
    for header, value in answer.headers.items():
        resp.set_header(header, value)
    resp.set_header("Vary", "Accept, Accept-Encoding")
    resp.content_type = answer.content_type
    if answer.document is None:
        return
    data = orjson.dumps(answer.document)
    if len(data) >= GZIP_FROM and "gzip" in (req.get_header("Accept-Encoding") or ""):
        data = gzip.compress(data, 1)
        resp.set_header("Content-Encoding", "gzip")
    resp.data = data


async def _crashed(req: Any, resp: Any, error: Exception, params: Any) -> None:
    """Answer a request that an error ended which no code expects."""
    log.error("%s: request failed: %r", req.path, error, exc_info=error)
    _send(req, resp, failed("the request failed; the log of the adapter has the error").answer())


def make_app(apis: MetricsApis, problem: Callable[[], str]) -> Any:
    """Return the application.

    Args:
        problem: returns the reason why the adapter is not ready, "" if it is.
    """
    app: Any = falcon.asgi.App()
    app.add_sink(Application(apis, problem).answer, "/")
    app.add_error_handler(Exception, _crashed)
    return app
