"""Address and credentials of one API server, and the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)?")
"""A scheme and its credentials; no token has spaces or control characters (RFC 6750)."""


class NoCredentials(Exception):
    """The credentials cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Cluster:
    """Address and credentials of one API server at one moment.

    Attributes:
        url: `https://10.0.0.1:443`, without a path at its end.
        headers: authentication headers.
        ca: PEM text of the trusted authorities; "" for those of the system.
        certificate, key: files of a client certificate, or "".
        verify: False when the kubeconfig switches verification off.
        server_name: name that the server's certificate is verified for; "" for the host of the URL.
        proxy: URL of a proxy, or "".
        compression: whether answers may be compressed.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""
    compression: bool = True

    @property
    def connection(self) -> tuple[object, ...]:
        """Key of a connection pool: a change requires new connections."""
        return (self.url, self.ca, self.certificate, self.key, self.verify, self.server_name, self.proxy)


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoCredentials(f"{path}: {error.strerror}; does the pod mount its service account?") from error


def read_certificates(path: Path) -> str:
    """PEM blocks of a file. Text around them is ignored, in any encoding, as OpenSSL and Go do."""
    blocks = _PEM.findall(read_bytes(path))
    if not blocks:
        raise NoCredentials(f"{path}: no certificate in PEM form")
    return "\n".join(block.decode("ascii", "replace") for block in blocks)


def authorization(value: str, origin: str) -> dict[str, str]:
    """The Authorization header, if its value may stand in a header; the error does not contain it."""
    if value.strip() == "Bearer":
        raise NoCredentials(f"{origin}: the token is empty")
    if not _HEADER_VALUE.fullmatch(value):
        raise NoCredentials(f"{origin}: the token contains a line break or other characters that a token cannot have")
    return {"Authorization": value}
