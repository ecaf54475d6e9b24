"""Contexts of TLS from certificates and keys in memory, and the check of client certificates."""

from __future__ import annotations

import ipaddress
import os
import ssl
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from telegen.config.web_file import WebFile
from telegen.shm.region import create_memory_file

_CLIENT_AUTH = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class InvalidCertificate(ValueError):
    """The certificate, the key, the CA or the cipher suites cannot be used; the message begins with the setting."""


def server_context(web: WebFile) -> ssl.SSLContext | None:
    """Return the context of a web configuration, None without TLS.

    Raises:
        InvalidCertificate
    """
    if not web.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
        context.minimum_version = ssl.TLSVersion[web.min_version]
        context.maximum_version = ssl.TLSVersion[web.max_version]
    # The protocol of connections is HTTP/1.1; without ALPN a client that offers only HTTP/2 would wait for an answer.
    context.set_alpn_protocols(["http/1.1"])
    with _setting("cipher_suites"):
        _set_ciphers(context, web)
    with _setting("cert and key"):
        _load(context, web.certificate, web.key)
    if web.client_auth != "none":
        with _setting("client_ca"):
            context.load_verify_locations(cadata=_ascii(web.client_ca).decode())
        context.verify_mode = _CLIENT_AUTH[web.client_auth]
    return context


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its key, both in PEM, into a context.

    Raises:
        InvalidCertificate
    """
    try:
        _load(context, certificate, key)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InvalidCertificate(f"certificate and key: {_cause(error, 'cert and key')}") from None


def is_allowed(certificate: Mapping[str, Any] | None, allowed: Sequence[str]) -> bool:
    """Return True if a verified client certificate has one of the allowed subject alternative names, or if any may connect.

    Args:
        certificate: as `ssl.SSLSocket.getpeercert` returns it.
    """
    if not allowed:
        return True
    names = {_normal(value) for _, value in (certificate or {}).get("subjectAltName", ())}
    return any(_normal(name) in names for name in allowed)


def has_name(certificate: Mapping[str, Any] | None, name: str) -> bool:
    """Return True if a verified certificate has this common name or DNS name.

    Args:
        certificate: as `ssl.SSLSocket.getpeercert` returns it.
    """
    found = certificate or {}
    subject = [pair for parts in found.get("subject", ()) for pair in parts]
    return ("commonName", name) in subject or ("DNS", name) in found.get("subjectAltName", ())


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    with _file(certificate) as certificate_file, _file(key) as key_file:
        # An encrypted key would otherwise ask for its password on the terminal.
        context.load_cert_chain(certificate_file, key_file, password=_refuse_password)


def _normal(name: str) -> str:
    """Return an IP address in its shortest form, any other name unchanged."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name


def _set_ciphers(context: ssl.SSLContext, web: WebFile) -> None:
    # OpenSSL 3 offers TLS 1.0 and 1.1 at security level 0 only.
    old = ssl.TLSVersion[web.min_version] < ssl.TLSVersion.TLSv1_2
    names = ":".join(web.ciphers) or ("DEFAULT" if old else "")
    if names:
        context.set_ciphers(f"{names}:@SECLEVEL=0" if old else names)


def _ascii(pem: str) -> bytes:
    """Return PEM without other characters, which only the comments around its blocks may have; `ssl` refuses them."""
    return pem.encode("ascii", "replace")


@contextmanager
def _file(pem: str) -> Iterator[str]:
    """Yield the path of a file in memory: OpenSSL reads certificates and keys from files only."""
    descriptor = create_memory_file("telegen-pem")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(_ascii(pem))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextmanager
def _setting(name: str) -> Iterator[None]:
    """Name the setting in an error of OpenSSL."""
    try:
        yield
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InvalidCertificate(f"tls_server_config.{name}: {_cause(error, name)}") from None


def _cause(error: Exception, name: str) -> str:
    """Return OpenSSL's reason in words."""
    if isinstance(error, ssl.SSLError) and "no cipher" in str(error).lower():
        return "OpenSSL has none of these cipher suites"
    reason = getattr(error, "reason", None)
    causes = {
        "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
        "CA_MD_TOO_WEAK": "the certificate is signed with a weak hash",
        "EE_KEY_TOO_SMALL": "the key is too small",
    }
    if reason is None and isinstance(error, ssl.SSLError):
        what = "a certificate" if name == "client_ca" else "a certificate and a key"
        return f"it is not {what} in PEM, or the file is incomplete"
    return causes.get(str(reason), str(reason or error).lower().replace("_", " "))


def _refuse_password() -> str:
    raise ValueError("the key is encrypted; use one without a password")
