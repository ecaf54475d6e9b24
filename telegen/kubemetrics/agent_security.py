"""TLS of adapter.agent_address: only the adapter may connect, by a certificate of its own CA."""

from __future__ import annotations

import logging
import ssl

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
                file = decode_web_file(content) if content else WebFile()
                self._context = server_context(file) or _closed()
                # The adapter keeps its connection: tickets to resume one would only cost it memory, 6 kB for each agent.
                self._context.num_tickets = 0
            except InvalidCertificate as error:
                # The supervisor has loaded the same bytes before, so this is a fault of this machine.
                log.error("adapter.agent_tls_dir: the certificates cannot be used: %s; the old ones stay in force", error)
        return self._context

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return True for the adapter, by its certificate, whose chain is verified."""
        return has_name(connection.getpeercert(), CLIENT_NAME)


def _closed() -> ssl.SSLContext:
    """Return a context without a certificate: it has nothing to offer in a handshake."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
