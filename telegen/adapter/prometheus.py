"""Client of Prometheus: series and instant queries, with time-outs and bounded answers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar
from urllib.parse import unquote, urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from telegen import __version__
from telegen.api.cluster import Cluster, NoCredentials
from telegen.api.credentials import Credentials
from telegen.process.http_client import cause

_CHUNK = 1 << 16
_LONGEST_GET = 4096
"""Characters of the longest query that is sent by GET. Servers and proxies refuse long paths."""
_TOKEN, _LONGEST_TOKEN = re.compile(rb"[\x21-\x7e]+"), 1 << 16
_MOST_TEXT = 300
"""Characters of a server's message that are repeated."""


class PrometheusError(Exception):
    """A request has no usable answer."""


class Unanswered(PrometheusError):
    """The server cannot be reached, is overloaded, or its answer breaks off, lasts too long or is too large."""


class Refused(PrometheusError):
    """The server refuses the query: it is not valid, or fails."""


@dataclass(frozen=True, kw_only=True)
class PrometheusOptions:
    """Access to a server.

    Attributes:
        headers: sent with each request.
        token_file: file with a bearer token, read for each request.
        ca_file, cert_file, key_file: read again when they change; "" for the system's authorities, and for no client certificate.
        account: source of credentials and authorities instead of these files.
        post: True to send all queries by POST, not only long ones.
        connect, total: seconds for a connection, and for a whole request.
        max_size: bytes of the largest answer, decompressed.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    token_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    account: Credentials | None = None
    post: bool = False
    connect: float = 3.0
    total: float = 10.0
    max_size: int = 64 << 20


class SeriesShape(NamedTuple):
    """Name and label names of series; their values do not matter."""

    name: str
    labels: frozenset[str]


class Sample(NamedTuple):
    """A sample of an instant query.

    Attributes:
        labels: None for a scalar.
        time: seconds since the epoch.
        value: as Prometheus writes it: `1.5`, `NaN`, `+Inf`.
    """

    labels: Mapping[str, str] | None
    time: float
    value: str


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    errorType: str = ""
    error: str = ""


class _Vector(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None


class _Result(msgspec.Struct):
    resultType: str
    result: msgspec.Raw


_ANSWER, _RESULT = msgspec.json.Decoder(_Answer), msgspec.json.Decoder(_Result)
_VECTOR, _SCALAR = msgspec.json.Decoder(list[_Vector]), msgspec.json.Decoder(tuple[float, str])
Decoded = TypeVar("Decoded")


def _shape(labels: dict[str, str]) -> SeriesShape:
    return SeriesShape(labels.pop("__name__", ""), frozenset(labels))


class Prometheus:
    """One server. Threads may share it.

    Attributes:
        url: of the server, with its path prefix, without the password.
    """

    def __init__(self, url: str, options: PrometheusOptions = PrometheusOptions()) -> None:
        """Prepare requests.

        Args:
            url: `http://HOST:PORT/PREFIX`, with `USER:PASSWORD@` before the host for basic authentication.

        Raises:
            ValueError: it is no URL of HTTP.
        """
        try:
            parts = urllib3.util.parse_url(url)
        except LocationParseError:
            parts = urllib3.util.Url()
        if parts.scheme not in ("http", "https") or not parts.host or parts.query or parts.fragment:
            raise ValueError("expected http://HOST:PORT or https://HOST:PORT, with a path at most")
        self.url, self._options = parts._replace(auth=None).url.rstrip("/"), options
        basic = urllib3.util.make_headers(basic_auth=unquote(parts.auth)) if parts.auth else {}
        self._basic = {"Authorization": value for value in basic.values()}
        self._pool: tuple[tuple[object, ...], urllib3.PoolManager] | None = None

    def series(self, match: str, start: float) -> list[SeriesShape]:
        """Return the shapes of the series that a selector selects since a time, each once, in the order of their last series.

        Raises:
            PrometheusError.
        """
        data = self._request("series", {"match[]": match, "start": f"{start:.3f}"})
        # One series at a time: all label sets together take several times the memory of their text.
        labels = msgspec.json.Decoder(dict[str, str])
        series = self._decoded(data, msgspec.json.Decoder(list[msgspec.Raw]))
        # Of several series that make one metric the last one counts.
        return list(dict.fromkeys(_shape(self._decoded(one, labels)) for one in reversed(series)))[::-1]

    def query(self, query: str, at: float) -> list[Sample]:
        """Return the samples of an instant query; native histograms are left out.

        Raises:
            PrometheusError; Refused also for a range vector or a string.
        """
        parameters = {"query": query, "time": f"{at:.3f}", "timeout": f"{self._options.total:g}s"}
        result = self._decoded(self._request("query", parameters), _RESULT)
        if result.resultType == "vector":
            return [Sample(one.metric, *one.value) for one in self._decoded(result.result, _VECTOR) if one.value]
        if result.resultType == "scalar":
            return [Sample(None, *self._decoded(result.result, _SCALAR))]
        raise Refused(f"{self.url}: the query gives a {result.resultType[:20]}; it must give an instant vector")

    def _decoded(self, data: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
        try:
            return decoder.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unanswered(f"{self.url}: not an answer of Prometheus: {error}") from error

    def _request(self, name: str, parameters: Mapping[str, str]) -> msgspec.Raw:
        """Return the data of an answer."""
        body, status = self._sent(f"{self.url}/api/v1/{name}", urlencode(parameters))
        if status >= 300 and not body.lstrip().startswith(b"{"):
            raise Unanswered(f"{self.url}: {status}: {' '.join(body.decode(errors='replace').split())[:_MOST_TEXT]}")
        answer = self._decoded(body, _ANSWER)
        if answer.status == "success" and status < 300:
            return answer.data
        # 503 and time-outs of Prometheus are its load; 400 and 422 are the query.
        kind = Refused if answer.errorType in ("bad_data", "execution") else Unanswered
        raise kind(f"{self.url}: {answer.errorType or status}: {answer.error[:_MOST_TEXT]}")

    def _sent(self, url: str, form: str) -> tuple[bytes, int]:
        """Return body and status of a request."""
        deadline = time.monotonic() + self._options.total
        post = self._options.post or len(form) > _LONGEST_GET
        try:
            headers = self._headers() | ({"Content-Type": "application/x-www-form-urlencoded"} if post else {})
            response = self._manager().request(
                "POST" if post else "GET",
                url if post else f"{url}?{form}",
                body=form if post else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._options.connect, read=self._options.total),
                preload_content=False,
                redirect=False,
                retries=False,
            )
            with closing(response):
                return self._body(response, deadline), response.status
        except (HTTPError, OSError, ValueError) as error:
            raise Unanswered(f"{self.url}: {cause(error)}") from error

    def _body(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        body = bytearray()
        while piece := response.read(_CHUNK, decode_content=True):
            body += piece
            if len(body) > self._options.max_size:
                raise Unanswered(f"{self.url}: the answer is larger than {self._options.max_size} bytes")
            if time.monotonic() > deadline:
                raise Unanswered(f"{self.url}: the answer takes longer than {self._options.total:g} s")
        response.release_conn()
        return bytes(body)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"telegen/{__version__}"}
        headers |= {**self._basic, **(self._account().headers if self._options.account else {}), **self._options.headers}
        if self._options.token_file:
            with open(self._options.token_file, "rb") as file:
                token = file.read(_LONGEST_TOKEN).strip()
            # The library's own error would repeat the token.
            if not _TOKEN.fullmatch(token):
                raise Unanswered(f"{self._options.token_file}: not a bearer token")
            headers["Authorization"] = f"Bearer {token.decode()}"
        return headers

    def _manager(self) -> urllib3.PoolManager:
        """Return the connections; new ones after a change of a certificate file."""
        if self._options.account:
            return self._manager_of(self._account())
        files = [path for path in (self._options.ca_file, self._options.cert_file, self._options.key_file) if path]
        changed = tuple(os.stat(path).st_mtime_ns for path in files)
        if self._pool is None or self._pool[0] != changed:
            ca, cert, key = (path or None for path in (self._options.ca_file, self._options.cert_file, self._options.key_file))
            self._pool = changed, urllib3.PoolManager(maxsize=8, ca_certs=ca, cert_file=cert, key_file=key)
        return self._pool[1]

    def _account(self) -> Cluster:
        """Return the credentials of now."""
        assert self._options.account
        try:
            return self._options.account(False)
        except NoCredentials as error:
            raise Unanswered(f"{self.url}: {error}") from error

    def _manager_of(self, account: Cluster) -> urllib3.PoolManager:
        """Return the connections by the authorities and the client certificate of a kubeconfig; new ones after a change of them."""
        key = (account.ca, account.certificate, account.key, account.verify)
        if self._pool is None or self._pool[0] != key:
            verify = {"ca_cert_data": account.ca or None} if account.verify else {"cert_reqs": "CERT_NONE", "assert_hostname": False}
            pair = account.certificate or None, account.key or None
            self._pool = key, urllib3.PoolManager(maxsize=8, cert_file=pair[0], key_file=pair[1], **verify)
        return self._pool[1]


@dataclass(frozen=True)
class SeriesAnswer:
    """Series of several servers.

    Attributes:
        servers: places of the servers that have a series, in their order; the series in the order of the answers.
        errors: message by place of each server that did not answer.
    """

    servers: Mapping[SeriesShape, tuple[int, ...]]
    errors: Mapping[int, str]


class Servers:
    """One or several servers. A metric is asked of the servers that have its series, the first one that answers."""

    def __init__(self, servers: list[Prometheus], now: Callable[[], float] = time.time) -> None:
        self.servers, self.now = servers, now

    def series(self, match: str, max_age: float) -> SeriesAnswer:
        """Return the series of the last `max_age` seconds by server."""
        found, errors = dict[SeriesShape, tuple[int, ...]](), dict[int, str]()
        for place, server in enumerate(self.servers):
            try:
                for shape in server.series(match, self.now() - max_age):
                    found[shape] = (*found.get(shape, ()), place)
            except PrometheusError as error:
                errors[place] = str(error)
        return SeriesAnswer(found, errors)

    def query(self, query: str, places: tuple[int, ...] = ()) -> list[Sample]:
        """Return the samples of the first server that answers.

        Args:
            places: servers to ask; () for all.

        Raises:
            PrometheusError: of the last server that was asked.
        """
        chosen = [self.servers[place] for place in places] or self.servers
        for server in chosen[:-1]:
            try:
                return server.query(query, self.now())
            except Unanswered:
                continue
        return chosen[-1].query(query, self.now())
