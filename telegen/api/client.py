"""HTTP client of the API server: JSON answers, streams of lines, and the errors of `telegen.api.errors`."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import orjson
import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, InsecureRequestWarning
from urllib3.exceptions import ProtocolError as Aborted
from urllib3.exceptions import ReadTimeoutError

from telegen import __version__
from telegen.api.body import Gunzip
from telegen.api.bounded import bounded
from telegen.api.cluster import Cluster, NoCredentials
from telegen.api.credentials import Credentials
from telegen.api.errors import (
    ApiError,
    Dropped,
    Gone,
    ProtocolError,
    Silent,
    TooLarge,
    Unreachable,
    api_error,
    content_coding,
)
from telegen.api.stream import READ, Stream
from telegen.process.http_client import cause, retry_after

USER_AGENT = f"telegen/{__version__}"
MAX_SIZE = 1 << 30
"""Bytes of the largest answer; the agent uses `api.max_response_size`."""
MAX_ERROR = 64 * 1024
"""Bytes read of the body of an error."""
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
"""Keepalive probes (tcp(7)) detect a peer that vanished without closing within one minute."""

Params = Mapping[str, str]


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, and seconds without data after which an answer has failed."""

    connect: float = 5.0
    read: float = 150.0


class Client:
    """Requests to one API server. Use one per thread: it holds one connection at a time."""

    def __init__(self, credentials: Credentials, timeouts: Timeouts = Timeouts(), max_size: int = MAX_SIZE) -> None:
        """Prepare requests.

        Args:
            max_size: bytes of the largest answer, decompressed, that is not a stream.
        """
        self._credentials = credentials
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._read, self._max_size = timeouts.read, max_size
        self._pool: urllib3.PoolManager | None = None
        self._connection: object = None
        self._url = ""

    def get(
        self,
        path: str,
        params: Params,
        accept: str,
        decode: Callable[[bytes], Any] = orjson.loads,
        most: int = sys.maxsize,
    ) -> Any:
        """Return the JSON answer to a GET.

        Args:
            decode: decoder of the JSON; raises orjson.JSONDecodeError or ProtocolError.
            most: bytes of the largest answer, decompressed, if that is less than the client allows.

        Raises:
            ApiError, Unreachable, ProtocolError.
            TooLarge: the answer is larger.
        """
        return self._json("GET", path, params, accept, decode=decode, most=most)

    def write(self, method: str, path: str, body: Any) -> Any:
        """Return the JSON answer to a POST or PUT of an object.

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
        most: int = sys.maxsize,
    ) -> Any:
        with closing(self._open(path, params, accept, method, body)) as response:
            answer = b"".join(_bounded(pieces(response), min(most, self._max_size)))
        try:
            return decode(answer)
        except orjson.JSONDecodeError as error:
            raise ProtocolError(f"{path}: {error}") from error

    def stream(self, path: str, params: Params, accept: str) -> Stream:
        """Open a watch: lines of the answer to a GET, each as soon as it is complete. The caller closes it.

        Raises:
            ApiError, Unreachable, ProtocolError: here, or while the lines are read.
        """
        response = self._open(path, params, accept)
        try:
            return Stream(response, self._read)
        except Exception:
            response.close()
            raise

    def close(self) -> None:
        """Drop the connection."""
        if self._pool:
            self._pool.clear()

    def _open(
        self, path: str, params: Params, accept: str, method: str = "GET", body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request; retry once with fresh credentials after a 401.

        Returns:
            A successful answer whose body has not been read.
        """
        target = f"{path}?{urlencode(params)}" if params else path
        response = self._request(method, target, accept, body, False)
        if response.status == 401:
            response.close()
            response = self._request(method, target, accept, body, True)
        if response.status in (307, 308) and (moved := _same_server(response, target)):
            response.close()
            response = self._request(method, moved, accept, body, False)
        if response.status not in (200, 201):
            with closing(response):
                raise _error(response)
        return response

    def _request(
        self, method: str, target: str, accept: str, body: bytes | None, again: bool
    ) -> urllib3.BaseHTTPResponse:
        try:
            cluster = self._credentials(again)
        except NoCredentials as error:
            raise Unreachable(str(error)) from error
        # Impersonation may repeat a header.
        headers = HTTPHeaderDict(cluster.headers)
        headers.update({"Accept": accept, "User-Agent": USER_AGENT})
        headers["Accept-Encoding"] = "gzip" if cluster.compression else "identity"
        if body is not None:
            headers["Content-Type"] = "application/json"
        manager = self._manager(cluster)
        try:
            return manager.request(
                method,
                cluster.url + target,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        except ReadTimeoutError as error:
            raise Silent(f"{cluster.url}: no answer for the read timeout") from error
        except Aborted as error:
            raise Dropped(f"{cluster.url}: {cause(error)}") from error
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{cluster.url}: {cause(error)}") from error
        except Exception as error:
            # http.client and ssl raise many types for what configuration files may hold. The message may contain a header with a
            # token, so neither it nor the chain of exceptions goes any further.
            raise Unreachable(f"{cluster.url}: the request cannot be sent: {type(error).__name__}") from None

    def _manager(self, cluster: Cluster) -> urllib3.PoolManager:
        """Return the connection pool; a change of the address, CA or certificate creates a new one.

        Raises:
            Gone: the kubeconfig now names another server, to which resourceVersions of the old one mean nothing.
        """
        if self._url != cluster.url:
            before, self._url = self._url, cluster.url
            if before:
                raise Gone(410, "Moved", f"{cluster.url} replaces {before}; requesting a new state")
        if self._pool is None or self._connection != cluster.connection:
            self.close()
            options: dict[str, Any] = {"timeout": self._timeout, "maxsize": 1, "socket_options": SOCKET_OPTIONS}
            if cluster.url.startswith("https"):
                try:
                    options["ssl_context"] = _tls(
                        cluster.ca, cluster.verify, cluster.certificate, cluster.key, _changed(cluster.certificate, cluster.key)
                    )
                except (OSError, ValueError) as error:
                    raise Unreachable(f"{cluster.url}: the CA or the client certificate cannot be used: {error}") from error
            if cluster.server_name:
                options["server_hostname"] = cluster.server_name
            self._pool = bounded(_proxied(cluster.proxy, options) if cluster.proxy else urllib3.PoolManager(**options))
            self._connection = cluster.connection
        return self._pool


def _proxied(proxy: str, options: Mapping[str, Any]) -> urllib3.ProxyManager:
    """Connections through a proxy, with the user and password of its URL."""
    parts = urlsplit(proxy)
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return urllib3.ProxyManager(address, proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **options)


@lru_cache(maxsize=4)
def _tls(ca: str, verify: bool, certificate: str, key: str, version: tuple[float, ...]) -> ssl.SSLContext:
    """TLS context of a cluster, shared by all threads. PERF: 20 kB and 0.4 ms each, 0.8 MB and 27 ms with the CAs of the system.

    Args:
        ca, verify, certificate, key: see `Cluster`.
        version: modification times of the files; part of the cache key.

    Raises:
        OSError, ValueError: a file cannot be used.
    """
    context = ssl.create_default_context(cadata=ca or None)
    # Python 3.13 demands key identifiers (RFC 5280), which the CAs of EKS and of older clusters lack. kubectl does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        # The kubeconfig asks for it: a warning at every request helps no one.
        urllib3.disable_warnings(InsecureRequestWarning)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


def _changed(*paths: str) -> tuple[float, ...]:
    """Modification times of files."""
    return tuple(os.stat(path).st_mtime for path in paths if path)


def _same_server(response: urllib3.BaseHTTPResponse, target: str) -> str:
    """Path and query of a redirect to the same server, or "": credentials go to no other."""
    location = urlsplit(response.headers.get("Location", ""))
    if location.scheme or location.netloc or not location.path.startswith("/"):
        return ""
    moved = urlunsplit(("", "", location.path, location.query, ""))
    return "" if moved == target else moved


def _error(response: urllib3.BaseHTTPResponse) -> ApiError:
    """Convert an error answer: its body is a Status object, or any text if a proxy answered."""
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
    return api_error(response.status, reason, message, retry_after(response.headers.get("Retry-After"), MAX_RETRY_AFTER))


def pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Pieces of a body, decompressed as they arrive.

    Raises:
        ProtocolError: a content coding that was not requested, or bytes that are not gzip.
        Silent: no byte for the read timeout.
        Unreachable: the connection broke.
    """
    gunzip = Gunzip() if content_coding(response.headers.get("Content-Encoding")) == "gzip" else None
    try:
        for data in response.stream(READ, decode_content=False):
            yield from gunzip.decompress(data) if gunzip else (data,)
    except ReadTimeoutError as error:
        raise Silent("no data for the read timeout") from error
    except (HTTPError, OSError) as error:
        raise Unreachable(cause(error)) from error
    if gunzip and not gunzip.is_complete:
        raise Unreachable("the connection ended inside a gzip member")


def _bounded(parts: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Pass on at most so many bytes.

    Raises:
        TooLarge: there are more.
    """
    for piece in parts:
        most -= len(piece)
        if most < 0:
            raise TooLarge("the answer is larger than api.max_response_size; raise that setting or lower api.list_page_size")
        yield piece
