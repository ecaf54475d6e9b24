"""The client certificate of a connection, as OpenSSL has verified it.

OpenSSL checks signatures, validity and purpose against the authorities of both kinds of clients at the handshake. The verified chain
tells which authority signed: its certificates are compared with those of each kind, at every request, so that an authority that is
taken away loses its connections at once. Sessions are not resumed: a resumed one has no verified chain.
"""

from __future__ import annotations

import _ssl
import ssl
import sys
import time
from typing import Any, NamedTuple


class Peer(NamedTuple):
    """A client with a verified certificate.

    Attributes:
        chain: DER of the verified chain, the client's certificate first.
        name: its last common name, "" without one.
        organizations: its organizations, in their order.
        until: end of its validity in Unix seconds.
    """

    chain: tuple[bytes, ...]
    name: str
    organizations: tuple[str, ...]
    until: float

    def is_valid(self) -> bool:
        """Return True before the end of the certificate's validity."""
        return time.time() <= self.until


def read_peer(tls: ssl.SSLObject) -> Peer | None:
    """Return the client of a connection, None without a certificate."""
    certificate: Any = tls.getpeercert()
    if not certificate:
        return None
    pairs = [pair for names in certificate["subject"] for pair in names]
    names = [value for key, value in pairs if key == "commonName"]
    organizations = tuple(value for key, value in pairs if key == "organizationName")
    until = ssl.cert_time_to_seconds(certificate["notAfter"])
    return Peer(_verified_chain(tls), names[-1] if names else "", organizations, until)


def _verified_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return the chain that OpenSSL has built and verified; empty if there is none."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_verified_chain())
    # Before 3.13 the ssl module has the function below its public classes only.
    inner: Any = tls._sslobj  # type: ignore[attr-defined]
    return tuple(one.public_bytes(_ssl.ENCODING_DER) for one in inner.get_verified_chain() or ())
