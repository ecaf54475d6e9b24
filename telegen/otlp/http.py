"""Client of an OTLP receiver by HTTP with binary Protocol Buffers (OTLP specification, OTLP/HTTP)."""

from __future__ import annotations

import os
import ssl
import time
from contextlib import closing
from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    NewConnectionError,
    SSLError,
    TimeoutError,
)

from telegen import __version__
from telegen.otlp.outcome import RETRYABLE, Outcome, Refused, Retry, accepted, status_message
from telegen.otlp.settings import Receiver
from telegen.shm.deflate import gzip_member

MAX_ANSWER = 4 << 20
"""Bytes of an answer that are read."""
MAX_RETRY_AFTER = 3600.0
"""Longest delay, in seconds, that a receiver may ask for."""
USER_AGENT = f"telegen/{__version__}"


class HttpClient:
    """Sends requests one at a time on one connection. Make it after the fork."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._pool: urllib3.PoolManager | None = None
        self._files: tuple[float, ...] = ()
        self._headers = {**receiver.headers, "Content-Type": "application/x-protobuf", "User-Agent": USER_AGENT}
        if receiver.gzip:
            self._headers["Content-Encoding"] = "gzip"

    def pack(self, body: bytes) -> bytes:
        """Return the bytes to send: compressed once, so that every retry sends the same."""
        return gzip_member(body) if self._receiver.gzip else body

    def send(self, packed: bytes) -> Outcome:
        """Send one request and read the answer. Blocks for the receiver's timeout at most, and twice that to connect and read."""
        try:
            response = self._manager().request(
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
                return self._outcome(response, self._read(response))
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

    def _outcome(self, response: urllib3.BaseHTTPResponse, body: bytes) -> Outcome:
        status = response.status
        if 200 <= status < 300:
            # Without an answer of OTLP the request may have been taken: sending it again could double it.
            unknown = Refused("answer", f"{status} with an answer that is not OTLP; is this the URL of an OTLP receiver?")
            return accepted(body) or unknown
        message = f"{status} {response.reason or ''}: {status_message(body)}".rstrip(": ")
        if status in RETRYABLE:
            return Retry(str(status), message, retry_after(response.headers.get("Retry-After", "")))
        return Refused(str(status), message)

    def _manager(self) -> urllib3.PoolManager:
        """Return the connection; files that have changed, as at a rotation of certificates, make a new one.

        Raises:
            OSError: a file of certificates cannot be read.
        """
        receiver = self._receiver
        files = tuple(os.stat(path).st_mtime for path in (receiver.ca, receiver.certificate, receiver.key) if path)
        if self._pool is None or files != self._files:
            self.close()
            context = tls(receiver) if receiver.url.startswith("https") else None
            self._pool, self._files = urllib3.PoolManager(maxsize=1, ssl_context=context), files
        return self._pool


def tls(receiver: Receiver) -> ssl.SSLContext:
    """Make the TLS context of a receiver.

    Raises:
        OSError: a file cannot be used.
    """
    context = ssl.create_default_context(cafile=receiver.ca or None)
    # As for API servers: private CAs often lack key identifiers, which Python 3.13 demands.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not receiver.verify:
        # The configuration asks for it: a warning at every request helps no one.
        urllib3.disable_warnings(InsecureRequestWarning)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if receiver.certificate:
        context.load_cert_chain(receiver.certificate, receiver.key or None)
    return context


def retry_after(text: str) -> float | None:
    """Return the seconds of a Retry-After header: a number or an HTTP date; None if it has neither."""
    if text.strip().isdecimal():
        return min(float(text), MAX_RETRY_AFTER)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - time.time()), MAX_RETRY_AFTER)
    except (ValueError, TypeError):
        return None


def cause(error: Exception) -> str:
    """Return the innermost cause of an error of urllib3, without the address of an object."""
    inner: BaseException = error
    while (deeper := getattr(inner, "reason", None) or inner.__cause__) and isinstance(deeper, BaseException):
        inner = deeper
    return str(getattr(inner, "strerror", None) or inner).rpartition(">: ")[2] or type(inner).__name__
