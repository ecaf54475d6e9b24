"""Client of an OTLP receiver by HTTP with binary Protocol Buffers (OTLP specification, OTLP/HTTP)."""

from __future__ import annotations

import time
from contextlib import closing

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError, TimeoutError

from telegen.api.bounded import bounded
from telegen.otlp.client import MAX_ANSWER, USER_AGENT
from telegen.otlp.outcome import MAX_DELAY, Outcome, Refused, Retry, accepted, readable, status_message
from telegen.otlp.settings import Receiver
from telegen.otlp.tls import file_versions, tls_context
from telegen.process.http_client import cause, retry_after
from telegen.shm.deflate import gzip_member

RETRYABLE = frozenset((429, 502, 503, 504))
"""Statuses after which a request is sent again."""


class HttpClient:
    """See `telegen.otlp.client.Client`."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._pool: urllib3.PoolManager | None = None
        self._files: tuple[tuple[int, int], ...] = ()
        self._headers = {**receiver.headers, "Content-Type": "application/x-protobuf", "User-Agent": USER_AGENT}
        if receiver.gzip:
            self._headers["Content-Encoding"] = "gzip"

    def pack(self, body: bytes) -> bytes:
        """Return the bytes to send: compressed once, so that every retry sends the same."""
        return gzip_member(body) if self._receiver.gzip else body

    def send(self, packed: bytes) -> Outcome:
        """Send one request and read the answer. Blocks for the receiver's timeout at most, and twice that to connect and read."""
        try:
            manager = self._manager()
        except OSError as error:
            return Retry("tls", str(error))
        try:
            response = manager.request(
                "POST",
                self._receiver.url,
                body=packed,
                headers=self._headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=self._receiver.timeout,
            )
            with closing(response):
                return self._outcome(response)
        except SSLError as error:
            return Retry("tls", f"TLS failed: {error}")
        except NewConnectionError as error:
            # A subclass of ConnectTimeoutError, although nothing timed out.
            return Retry("connection", cause(error))
        except ConnectTimeoutError:
            return Retry("timeout", f"no connection within {self._receiver.timeout:g} s")
        except TimeoutError:
            return Retry("timeout", f"no answer within {self._receiver.timeout:g} s")
        except (HTTPError, OSError) as error:
            return Retry("connection", cause(error))

    def close(self) -> None:
        """Drop the connection."""
        if self._pool:
            self._pool.clear()
            self._pool = None

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Read the body within the time of the request, however slowly it comes."""
        until, body = time.monotonic() + self._receiver.timeout, b""
        # read1 returns what has arrived; read would wait for all of it.
        while piece := response.read1(1 << 16, decode_content=True):
            body += piece
            if len(body) > MAX_ANSWER:
                raise HTTPError(f"the answer has more than {MAX_ANSWER >> 20} MiB")
            if time.monotonic() > until:
                raise HTTPError("the answer does not end")
        return body

    def _outcome(self, response: urllib3.BaseHTTPResponse) -> Outcome:
        status, is_success = response.status, 200 <= response.status < 300
        try:
            body = self._read(response)
        except (HTTPError, OSError) as error:
            # The status stands: a success that is sent again doubles logs, and a refusal would be repeated for ever.
            if is_success:
                return Refused("answer", f"{status} with an answer that cannot be read: {cause(error)}")
            body = cause(error).encode()
        if is_success:
            # Without an answer of OTLP the request may have been taken: sending it again could double it.
            unknown = Refused("answer", f"{status} with an answer that is not OTLP; is this the URL of an OTLP receiver?")
            return accepted(body) or unknown
        text = readable(response.headers["Location"].encode()) if "Location" in response.headers else status_message(body)
        message = f"{status} {response.reason or ''}: {text}".rstrip(": ")
        if status in RETRYABLE:
            return Retry(str(status), message, retry_after(response.headers.get("Retry-After"), MAX_DELAY))
        return Refused(str(status), message)

    def _manager(self) -> urllib3.PoolManager:
        """Return the connection; files that have changed, as at a rotation of certificates, make a new one.

        Raises:
            OSError: a file of certificates cannot be read.
        """
        receiver = self._receiver
        files = file_versions(receiver)
        if self._pool is None or files != self._files:
            self.close()
            context = tls_context(receiver) if receiver.url.startswith("https") else None
            self._pool, self._files = bounded(urllib3.PoolManager(maxsize=1, ssl_context=context)), files
        return self._pool
