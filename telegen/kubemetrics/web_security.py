"""TLS, authentication and headers of a web process, by the web configuration file in force."""

from __future__ import annotations

import asyncio
import logging
import ssl
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NoReturn

import falcon
import falcon.asgi

from telegen.config.web_file import WebFile, decode_web_file
from telegen.kubemetrics.authentication import Authentication, Passwords, Tokens
from telegen.kubemetrics.telemetry import Telemetry
from telegen.process.reviews import Review, ReviewQueue
from telegen.process.tls import InvalidCertificate, is_allowed, server_context
from telegen.shm.shared_document import SharedDocument

log = logging.getLogger("telegen.web")

PROBES = ("/healthz", "/livez", "/readyz")
TLS_RECORD = 0x16
"""First byte of a handshake of TLS."""


@dataclass(frozen=True)
class _InForce:
    """A content of the web configuration file, made ready.

    Attributes:
        number: of the shared content.
        context: None without TLS.
        passwords: None without users.
    """

    number: int
    file: WebFile
    context: ssl.SSLContext | None
    passwords: Passwords | None


class WebSecurity:
    """The web configuration in force; a changed file is adopted with the next connection or request."""

    def __init__(self, shared: SharedDocument, reviews: ReviewQueue | None) -> None:
        """Adopt the content of now.

        Args:
            reviews: where tokens are reviewed; None if the process began without `web.auth`.
        """
        self._shared = shared
        self._tokens = Tokens(reviews)
        self._in_force = self._load(None)

    def _current(self) -> _InForce:
        # PERF: 0.3 us when nothing has changed.
        if self._shared.number != self._in_force.number:
            self._in_force = self._load(self._in_force)
        return self._in_force

    def _load(self, before: _InForce | None) -> _InForce:
        number, content = self._shared.read()
        file = decode_web_file(content) if content else WebFile()
        try:
            context = server_context(file)
        except InvalidCertificate as error:
            # The supervisor has loaded the same bytes before, so this is a fault of this machine.
            log.error("the web configuration cannot be used: %s", error)
            if before is None:
                raise
            return _InForce(number, before.file, before.context, before.passwords)
        if before and before.file.users == file.users:
            # Keep the passwords that were checked already.
            return _InForce(number, file, context, before.passwords)
        return _InForce(number, file, context, Passwords(file.users) if file.users else None)

    @property
    def context(self) -> ssl.SSLContext | None:
        """Context of the next connection; None without TLS."""
        return self._current().context

    @property
    def authentication(self) -> Authentication | None:
        """Authentication of the next request; None if there is none."""
        # Not by the settings that the process began with: until a reload has replaced it, it serves under the new ones.
        return self._tokens if self._current().file.tokens else self._current().passwords

    @property
    def authenticates(self) -> bool:
        """True if every client that gets an answer is known: by a password, a token or a certificate."""
        return self.authentication is not None or self.needs_certificate

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the next response."""
        return dict(self._current().file.headers)

    @property
    def needs_certificate(self) -> bool:
        """True if clients need a certificate."""
        return self._current().file.client_auth == "required"

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return True if the certificate of a client, whose chain is verified, has an allowed name."""
        return is_allowed(connection.getpeercert(), self._current().file.allowed_sans)


class AccessControl:
    """Falcon middleware: lets requests pass that are authenticated, and adds the headers of the web configuration."""

    def __init__(self, security: WebSecurity, telemetry: Telemetry, is_plain: bool = False) -> None:
        """Guard an application.

        Args:
            is_plain: for telemetry_address, which has no TLS: probes are open to all.
        """
        self.security, self._telemetry, self._is_plain = security, telemetry, is_plain

    @property
    def hides_names(self) -> bool:
        """True if clients that are not authenticated get some answers, although authentication is configured."""
        return self._is_plain and self.security.authenticates

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raise a falcon.HTTPError for a request that may not pass."""
        decision = self._decide(req)
        self._check(req, await asyncio.wrap_future(decision) if isinstance(decision, Future) else decision)

    async def process_response(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Add headers."""
        for name, value in self.security.headers.items():
            resp.set_header(name, value)

    def _decide(self, req: falcon.asgi.Request) -> Review | Future[Review]:
        if self._is_plain and req.path in PROBES:
            return Review(200)
        authentication = self.security.authentication
        if authentication is not None:
            header = req.get_header("Authorization") or ""
            return authentication.decide(header, req.remote_addr, req.path, req.method.lower())
        if self._is_plain and self.security.needs_certificate:
            return Review(403, "needs a client certificate; only probes are open here, use listen_address")
        return Review(200)

    def _check(self, req: falcon.asgi.Request, review: Review) -> None:
        if review.status == 200:
            return
        self._telemetry.refused.labels(str(review.status)).inc()
        log.warning("%s %s from %s refused: %d: %s", req.method, req.path, req.remote_addr, review.status, review.reason)
        _refuse(review, self.security.authentication)


def _refuse(review: Review, authentication: Authentication | None) -> NoReturn:
    if review.status == 401:
        challenges = [authentication.challenge] if authentication else []
        raise falcon.HTTPUnauthorized(title="Unauthorized", description=review.reason, challenges=challenges)
    if review.status == 403:
        raise falcon.HTTPForbidden(title="Forbidden", description=review.reason)
    raise falcon.HTTPServiceUnavailable(title="Not authenticated", description=review.reason, retry_after=1)


def wrong_protocol(first: int, is_tls: bool) -> bytes:
    """Return the answer to a client that speaks the wrong protocol, b"" for the right one.

    Args:
        first: first byte that the client has sent.
        is_tls: the address speaks TLS.
    """
    if is_tls and bytes((first,)).isalpha():
        text = b"This address speaks TLS: use https://.\n"
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text)
        return head + text
    # Alert of TLS 1.2, fatal: protocol_version.
    return b"\x15\x03\x03\x00\x02\x02\x46" if not is_tls and first == TLS_RECORD else b""
