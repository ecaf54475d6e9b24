"""Authorities of clients, and headers of the front proxy: the ConfigMap kube-system/extension-apiserver-authentication."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from telegen.adapter.identity.peer import Peer

NAMESPACE, CONFIG_MAP = "kube-system", "extension-apiserver-authentication"
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_NAMES = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True)
class Authorities:
    """Certificates of authorities.

    Attributes:
        pem: their text.
        der: the same in binary form.
    """

    pem: str = ""
    der: frozenset[bytes] = frozenset()

    def signed(self, peer: Peer) -> bool:
        """Return True if the chain of a client's certificate, which is verified, contains one of them."""
        return not self.der.isdisjoint(peer.chain)


@dataclass(frozen=True)
class Trust:
    """The content of the ConfigMap. Names of headers are in lower case.

    Attributes:
        clients: authorities of client certificates of users.
        proxies: authorities of certificates of the front proxy.
        allowed: common names of the front proxy; empty for any.
    """

    clients: Authorities = Authorities()
    proxies: Authorities = Authorities()
    allowed: frozenset[str] = frozenset()
    user_headers: tuple[str, ...] = ()
    uid_headers: tuple[str, ...] = ()
    group_headers: tuple[str, ...] = ()
    extra_prefixes: tuple[str, ...] = field(default=())

    @property
    def pem(self) -> str:
        """All authorities, for the context of TLS; "" without any."""
        return f"{self.clients.pem}\n{self.proxies.pem}".strip()


def read_trust(data: Mapping[str, str]) -> Trust:
    """Read the data of the ConfigMap.

    Raises:
        ValueError: a key is malformed; the message begins with the key.
    """
    return Trust(
        clients=_authorities(data, "client-ca-file"),
        proxies=_authorities(data, "requestheader-client-ca-file"),
        allowed=frozenset(_names(data, "requestheader-allowed-names")),
        user_headers=_headers(data, "requestheader-username-headers"),
        uid_headers=_headers(data, "requestheader-uid-headers"),
        group_headers=_headers(data, "requestheader-group-headers"),
        extra_prefixes=_headers(data, "requestheader-extra-headers-prefix"),
    )


def _authorities(data: Mapping[str, str], key: str) -> Authorities:
    text = data.get(key, "")
    blocks = _BLOCK.findall(text)
    if text.strip() and not blocks:
        raise ValueError(f"{key}: no certificate in PEM form")
    try:
        der = frozenset(map(ssl.PEM_cert_to_DER_cert, blocks))
        if blocks:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata="\n".join(blocks))
    except (ValueError, ssl.SSLError) as error:
        raise ValueError(f"{key}: a certificate cannot be read: {error}") from error
    return Authorities("\n".join(blocks), der)


def _names(data: Mapping[str, str], key: str) -> tuple[str, ...]:
    try:
        return _NAMES.decode(data.get(key) or "[]")
    except msgspec.DecodeError as error:
        raise ValueError(f"{key}: expected a JSON list of strings") from error


def _headers(data: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in _names(data, key) if name)
