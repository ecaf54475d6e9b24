"""Requests to the API server: answers as JSON, streams as lines, every failure as one of our own errors."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from telegen import __version__
from telegen.api.body import pieces, split_lines
from telegen.api.credentials import Cluster, Credentials, NoCredentials
from telegen.api.errors import ApiError, Gone, ProtocolError, Unreachable, api_error, cause

USER_AGENT = f"telegen/{__version__}"
MAX_ERROR = 64 * 1024
"""Bytes of an error's body that are read."""
MAX_RETRY_AFTER = 60.0
"""Longest time in seconds that a server's Retry-After delays a request."""

SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000),
]
"""A peer that vanished without a word is noticed within a minute (tcp(7))."""

Params = Mapping[str, str]


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, and of silence after which a connection is given up."""

    connect: float = 5.0
    read: float = 150.0


class Client:
    """Asks one API server. Use one per thread: it holds one connection at a time.

    Attributes:
        date: of the newest answer, in Unix seconds of the server's clock; None where it does not say.
    """

    def __init__(self, credentials: Credentials, timeouts: Timeouts = Timeouts()) -> None:
        self._credentials = credentials
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._read = timeouts.read
        self._pool: urllib3.PoolManager | None = None
        self._connection: object = None
        self._url = ""
        self.date: float | None = None

    def get(self, path: str, params: Params, accept: str, decode: Callable[[bytes], Any] = orjson.loads) -> Any:
        """The JSON answer to a GET.

        Args:
            decode: of the JSON; raises orjson.JSONDecodeError.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        return self._json("GET", path, params, accept, decode=decode)

    def write(self, method: str, path: str, body: Any) -> Any:
        """The JSON answer to a POST or PUT of an object.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        return self._json(method, path, {}, "application/json", orjson.dumps(body))

    def _json(
        self,
        method: str,
        path: str,
        params: Params,
        accept: str,
        body: bytes | None = None,
        decode: Callable[[bytes], Any] = orjson.loads,
    ) -> Any:
        with self._open(path, params, accept, method, body) as response:
            answer = b"".join(pieces(response))
        try:
            return decode(answer)
        except orjson.JSONDecodeError as error:
            raise ProtocolError(f"{path}: {error}") from error

    @contextmanager
    def lines(self, path: str, params: Params, accept: str) -> Iterator[Iterator[bytes]]:
        """A context in which the lines of the answer to a GET come, each as soon as it is complete.

        Raises:
            ApiError, Unreachable, ProtocolError: there, or while the lines are read.
        """
        with self._open(path, params, accept) as response:
            yield split_lines(pieces(response), self._read)

    def close(self) -> None:
        """Drop the connection."""
        if self._pool:
            self._pool.clear()

    @contextmanager
    def _open(
        self, path: str, params: Params, accept: str, method: str = "GET", body: bytes | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """A successful answer whose body has not been read; after a 401, once more with fresh credentials."""
        target = f"{path}?{urlencode(params)}" if params else path
        response = self._request(method, target, accept, body, False)
        if response.status == 401:
            response.close()
            response = self._request(method, target, accept, body, True)
        self.date = _date(response.headers.get("Date", ""))
        try:
            if response.status not in (200, 201):
                raise _error(response)
            yield response
        finally:
            # The rest of a stream is not worth reading: the connection goes with it.
            response.close()

    def _request(
        self, method: str, target: str, accept: str, body: bytes | None, again: bool
    ) -> urllib3.BaseHTTPResponse:
        try:
            cluster = self._credentials(again)
        except NoCredentials as error:
            raise Unreachable(str(error)) from error
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT, **cluster.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._manager(cluster).request(
                method,
                cluster.url + target,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{cluster.url}: {cause(error)}") from error

    def _manager(self, cluster: Cluster) -> urllib3.PoolManager:
        """The connections to the cluster; made anew when its address, CA or certificate has changed.

        Raises:
            Gone: a kubeconfig has come to name another server: nothing is asked of it in words of the old one.
        """
        if self._url != cluster.url:
            before, self._url = self._url, cluster.url
            if before:
                raise Gone(410, "Moved", f"{cluster.url} has taken the place of {before}, whose versions mean nothing there")
        if self._pool is None or self._connection != cluster.connection:
            self.close()
            options: dict[str, Any] = {"timeout": self._timeout, "maxsize": 1, "socket_options": SOCKET_OPTIONS}
            if cluster.url.startswith("https"):
                try:
                    options["ssl_context"] = _tls(
                        cluster.ca, cluster.verify, cluster.certificate, cluster.key, _changed(cluster.certificate, cluster.key)
                    )
                except (OSError, ValueError) as error:
                    raise Unreachable(f"{cluster.url}: certificates: {error}") from error
            self._pool = (
                urllib3.ProxyManager(cluster.proxy, **options) if cluster.proxy else urllib3.PoolManager(**options)
            )
            self._connection = cluster.connection
        return self._pool


@lru_cache(maxsize=4)
def _tls(ca: str, verify: bool, certificate: str, key: str, version: tuple[float, ...]) -> ssl.SSLContext:
    """What TLS needs to know of a cluster, one for all threads. PERF: 20 kB and 0.4 ms each, 0.8 MB and 27 ms with the CAs of the system.

    Args:
        ca, verify, certificate, key: see `Cluster`.
        version: when the files were changed last.

    Raises:
        OSError, ValueError: they cannot be used.
    """
    context = ssl.create_default_context(cadata=ca or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


def _changed(*paths: str) -> tuple[float, ...]:
    """When files were changed last."""
    return tuple(os.stat(path).st_mtime for path in paths if path)


def _date(header: str) -> float | None:
    """Unix seconds of a date as HTTP has it; None when it is none."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None


def _error(response: urllib3.BaseHTTPResponse) -> ApiError:
    """The error that an answer stands for: its body is a Status object, or anything at all from a proxy."""
    body = b""
    try:
        for piece in pieces(response):
            body += piece
            if len(body) > MAX_ERROR:
                break
    except (Unreachable, ProtocolError) as error:
        body = body or str(error).encode()
    reason, message = "", body.decode("utf-8", "replace").strip()[:500]
    try:
        status = orjson.loads(body)
        reason, message = str(status.get("reason") or ""), str(status.get("message") or message)
    except (orjson.JSONDecodeError, AttributeError):
        reason = response.reason or ""
    wait = response.headers.get("Retry-After", "")
    retry_after = min(float(wait), MAX_RETRY_AFTER) if wait.isdecimal() else None
    return api_error(response.status, reason, message, retry_after)
