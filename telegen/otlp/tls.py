"""TLS of the connection to a receiver."""

from __future__ import annotations

import glob
import os
import ssl
from pathlib import Path

import urllib3
from urllib3.exceptions import InsecureRequestWarning

from telegen.otlp.settings import Receiver


def file_versions(receiver: Receiver) -> tuple[tuple[int, int], ...]:
    """Return the versions of a receiver's certificate files. They differ once a file is replaced, as at a rotation.

    Raises:
        OSError: a file does not exist.
    """
    stats = [os.stat(path) for path in receiver.files]
    return tuple((stat.st_mtime_ns, stat.st_ino) for stat in stats)


def tls_context(receiver: Receiver) -> ssl.SSLContext:
    """Make the TLS context of a receiver.

    Raises:
        OSError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=receiver.ca or None)
    except OSError as error:
        raise OSError(f"{receiver.ca}: {error.strerror or error}; expected certificates in PEM") from error
    # As for API servers: private CAs often lack key identifiers, which Python 3.13 demands.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not receiver.verify:
        # The configuration asks for it: a warning at every request helps no one.
        urllib3.disable_warnings(InsecureRequestWarning)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if receiver.certificate:
        try:
            # Without a password OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(receiver.certificate, receiver.key or None, password="")
        except OSError as error:
            files = " and ".join(filter(None, (receiver.certificate, receiver.key)))
            raise OSError(f"{files}: {error.strerror or error}; expected a certificate and its key in PEM, not encrypted") from error
    return context


def system_roots() -> bytes:
    """Return the certificates (PEM) that OpenSSL trusts by default.

    Raises:
        OSError: a file cannot be read.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile).read_bytes()
    # OpenSSL finds the certificates of a folder by names that are hashes, such as 5ed36f99.0.
    names = sorted(glob.glob(f"{glob.escape(paths.capath)}/*.[0-9]")) if paths.capath else []
    return b"\n".join(Path(name).read_bytes() for name in names)
