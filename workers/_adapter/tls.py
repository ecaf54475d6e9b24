"""TLS of the adapter's address: the serving certificate in force, and the authorities of clients."""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path
from weakref import WeakKeyDictionary

from telegen.adapter.certificates.contexts import load
from telegen.adapter.certificates.document import Pair, decode
from telegen.adapter.identity.peer import Peer, read_peer
from telegen.adapter.identity.trust_store import TrustStore
from telegen.config.adapter_model import AdapterTls as Files
from telegen.process.tls import InvalidCertificate
from telegen.shm.shared_document import SharedDocument

log = logging.getLogger("telegen.adapter")
LOOK = 5.0
"""Seconds between two readings of the user's files."""


class AdapterTls:
    """Context of the next connection. A new certificate and new authorities count from then on."""

    def __init__(self, certificates: SharedDocument, trust: TrustStore, files: Files) -> None:
        self._certificates, self._trust = certificates, trust
        self._files = files
        self._peers: WeakKeyDictionary[ssl.SSLObject, Peer | None] = WeakKeyDictionary()
        self._problem = ""
        self._made = self._versions
        self._context = self._make()

    @property
    def context(self) -> ssl.SSLContext:
        """Context of the next connection. Handshakes fail before the serving certificate is known."""
        self._follow()
        return self._context

    @property
    def problem(self) -> str:
        """Reason why connections fail, "" if they do not."""
        # The API server connects to ready pods only: without a look here, the first certificate would never be seen.
        self._follow()
        return self._problem

    def _follow(self) -> None:
        versions = self._versions
        if versions != self._made:
            self._made = versions
            self._context = self._make()

    @property
    def _versions(self) -> tuple[int, int, int]:
        # Files are looked at only while the process that keeps the certificates has not published them.
        turn = 0 if self._certificates.number or not self._files.cert_file else int(time.monotonic() / LOOK)
        return self._certificates.number, self._trust.version, turn

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return False for a resumed session: the certificate of its client was not verified by the authorities of now."""
        return not connection.session_reused

    def peer(self, connection: ssl.SSLObject | None) -> Peer | None:
        """Return the client of a connection, None without a certificate."""
        if connection is None:
            return None
        if connection not in self._peers:
            self._peers[connection] = read_peer(connection)
        return self._peers[connection]

    def _make(self) -> ssl.SSLContext:
        certificates = decode(self._certificates.read()[1])
        serving = certificates.serving if certificates else self._from_files()
        self._problem = "" if serving else "the serving certificate is not known yet; the log has the cause"
        try:
            return make_context(serving, self._trust.trust.pem)
        except InvalidCertificate as error:
            # The process that keeps the certificates has loaded the same bytes before.
            log.error("the serving certificate cannot be used: %s", error)
            self._problem = str(error)
            return make_context(None, self._trust.trust.pem)

    def _from_files(self) -> Pair | None:
        """Return the user's certificate. It needs no API server, which may be away while the adapter starts."""
        try:
            return Pair(*(Path(path).read_text("ascii") for path in (self._files.cert_file, self._files.key_file)))
        except (OSError, UnicodeDecodeError):
            # The process that keeps the certificates reads the same files, and logs what is wrong.
            return None


def make_context(serving: Pair | None, authorities: str) -> ssl.SSLContext:
    """Return the context of a server that asks for client certificates of some authorities.

    Args:
        authorities: PEM; "" to ask for none.

    Raises:
        InvalidCertificate
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if serving:
        load(context, serving)
    if authorities:
        context.load_verify_locations(cadata=authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
        # Authorities of clusters may be intermediate ones, and may lack extensions that a strict check asks for.
        context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    return context
