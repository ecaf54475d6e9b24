"""The warm-up of TLS: what the first handshake loads is shared by all processes that are forked afterwards."""

from __future__ import annotations

import logging
import ssl

log = logging.getLogger(__name__)

CIPHERS = "AECDH:@SECLEVEL=0"
"""Ciphers that need no certificate; no connection uses them."""
FLIGHTS = 4
"""Turns of both sides until a handshake of TLS 1.2 is complete."""


def warm_up_tls() -> None:
    """Do a handshake in memory. PERF: 3 ms. A process whose first handshake comes after the fork takes 4 MB more, 2 MB if only a context
    was made before."""
    try:
        _shake_hands()
    except ssl.SSLError as error:
        log.debug("OpenSSL has no cipher without a certificate: every process with TLS takes 4 MB more: %s", error)


def _shake_hands() -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    # PERF: 1.7 MB of the 4 are Python's tables for names of servers.
    client = _context(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(to_client, to_server, server_hostname="localhost")
    server = _context(ssl.PROTOCOL_TLS_SERVER).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(FLIGHTS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.write(b"x")
    server.read()


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # TLS 1.3 has no handshake without a certificate.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    return context
