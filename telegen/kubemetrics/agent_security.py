"""TLS of adapter.agent_address: only the adapter may connect, by a certificate of its own CA."""

from __future__ import annotations

import logging
import ssl

import msgspec

from telegen.config.agent_api import CLIENT_NAME
from telegen.config.web_file import WebFile, decode_web_file
from telegen.process.tls import InvalidCertificate, has_name, server_context
from telegen.shm.shared_document import SharedDocument

log = logging.getLogger("telegen.web")


class AgentSecurity:
    """The certificates in force; changed ones are adopted with the next connection."""

    def __init__(self, shared: SharedDocument) -> None:
        """Adopt the content of now.

        Args:
            shared: the files of adapter.agent_tls_dir, as the supervisor publishes them.
        """
        self._shared = shared
        self._number, self._context = -1, _closed()

    @property
    def context(self) -> ssl.SSLContext:
        """Context of the next connection. Without certificates it refuses every handshake."""
        if self._shared.number != self._number:
            self._number, content = self._shared.read()
            try:
                self._context = _context(decode_web_file(content)) if content else _closed()
            except InvalidCertificate as error:
                # The supervisor has loaded the same bytes before, so this is a fault of this machine.
                log.error("adapter.agent_tls_dir: the certificates cannot be used: %s; the old ones stay in force", error)
        return self._context

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return True for the adapter, by its certificate, whose chain is verified."""
        return has_name(connection.getpeercert(), CLIENT_NAME)


def _context(file: WebFile) -> ssl.SSLContext:
    """Return a context whose connections take little memory of the adapter, which keeps one for each agent.

    PERF: 18 kB per connection. Tickets to resume it would take 6 kB more, and the CA 5 kB more: OpenSSL sends a CA that it has behind
    the certificate, and the other side keeps it, though it verifies by its own copy.
    """
    verifying = server_context(file)
    sending = server_context(msgspec.structs.replace(file, client_auth="none"))
    if not verifying or not sending:
        return _closed()
    sending.verify_mode, sending.num_tickets = verifying.verify_mode, 0
    sending.sslobject_class, sending.sni_callback = _alone(verifying), _note_hello
    return sending


def _alone(verifying: ssl.SSLContext) -> type[_Alone]:
    """Return a class of connections that send their certificate by a context without a CA, then verify the client's by `verifying`."""
    return type("Alone", (_Alone,), {"verifying": verifying})


class _Alone(ssl.SSLObject):
    """A connection that changes its context between its own certificate and that of the client.

    Attributes:
        verifying: the second context. Without it no certificate of a client is accepted.
        has_hello: the client has begun the handshake.
    """

    verifying: ssl.SSLContext
    has_hello = False

    def do_handshake(self) -> None:
        """Begin or continue the handshake. Raises the errors of `ssl`."""
        try:
            super().do_handshake()
        except ssl.SSLWantReadError:
            # The answer to the hello, with the certificate, is complete before the client is waited for.
            if self.has_hello:
                self.context = self.verifying
            raise


def _note_hello(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
    """Callback of OpenSSL for a hello, with the name of a server or without."""
    if isinstance(connection, _Alone):
        connection.has_hello = True


def _closed() -> ssl.SSLContext:
    """Return a context without a certificate: it has nothing to offer in a handshake."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
