"""TLS contexts of the certificates in force."""

from __future__ import annotations

import ssl

from telegen.adapter.certificates.document import Certificates, Pair
from telegen.process.tls import load_pair


def polling_context(certificates: Certificates) -> ssl.SSLContext:
    """Return the context with which agents are polled; the server name of every connection is `certificates.agents_name`.

    Raises:
        InvalidCertificate
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=certificates.authorities)
    load(context, certificates.client)
    return context


def load(context: ssl.SSLContext, pair: Pair) -> None:
    """Load a certificate and its key into a new context: one that has a key of another type would present either.

    Raises:
        InvalidCertificate
    """
    load_pair(context, pair.certificate, pair.key)
