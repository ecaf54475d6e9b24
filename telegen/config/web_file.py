"""The web configuration file: TLS, passwords and headers, in the format of Prometheus' exporter-toolkit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from telegen.config.document import read_document, read_regular
from telegen.config.errors import ConfigError
from telegen.config.messages import printable, suggest
from telegen.config.tls_names import CIPHERS, CLIENT_AUTH, CURVES, ORDER, TLS13_CIPHERS, UNVERIFIED, VERSIONS

MAX_PEM = 256 << 10
"""Bytes of a file with certificates or a key."""
MAX_COST = 18
"""Highest cost of a bcrypt hash: it takes some 20 s to verify, and each step doubles that."""

_TLS, _HTTP = "tls_server_config", "http_server_config"
_BCRYPT = re.compile(r"\$2[abxy]?\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_ZERO = re.compile("0(ns|us|µs|ms|s|m|h)?")
"""A duration that switches the limit of the rate off."""
_BLOCKS: Mapping[str, frozenset[str]] = {
    _TLS: frozenset(
        (
            "cert cert_file key key_file client_ca client_ca_file client_auth_type client_allowed_sans min_version max_version "
            "cipher_suites curve_preferences prefer_server_cipher_suites"
        ).split()
    ),
    _HTTP: frozenset(("http2", "headers")),
    "rate_limit": frozenset(("burst", "interval")),
}
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""Headers that a file may set, each with its values; any value if there is none."""

ClientAuth = Literal["none", "optional", "required"]


class WebFile(msgspec.Struct, frozen=True):
    """Content of a web configuration file and of the files that it names.

    Attributes:
        certificate, key: PEM; "" without TLS.
        client_ca: PEM of the CAs of client certificates.
        client_auth: whether clients need a certificate.
        allowed_sans: subject alternative names of which a client certificate needs one; empty for any.
        min_version, max_version: names of `ssl.TLSVersion`.
        ciphers: OpenSSL's names of the cipher suites up to TLS 1.2; empty for OpenSSL's own choice.
        users: bcrypt hash by user name; empty without passwords.
        headers: added to every response.
        tokens: the API server reviews bearer tokens; set by `web.auth`, not by the file.
    """

    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    client_auth: ClientAuth = "none"
    allowed_sans: tuple[str, ...] = ()
    min_version: str = VERSIONS["TLS12"]
    max_version: str = VERSIONS["TLS13"]
    ciphers: tuple[str, ...] = ()
    users: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    tokens: bool = False


# Made at the import, before the fork: msgspec looks up the types of the fields in 0.4 MB of inherited memory.
decode_web_file = msgspec.msgpack.Decoder(WebFile).decode


def read_web_file(path: str, may_be_empty: bool = True) -> tuple[WebFile, tuple[str, ...]]:
    """Read and check a file and the files that it names; relative paths begin at its folder.

    Args:
        may_be_empty: see `read_document`.

    Returns:
        The content, and the paths of all files that were read.

    Raises:
        ConfigError: one line per problem: `web.yml:3: tls_server_config.key_file: ...`.
    """
    document = read_document(path, may_be_empty)
    reader = _Reader(os.path.dirname(path))
    content = reader.read(document.data)
    if reader.problems:
        problems = {f"{document.place(where) or path}: " + printable(f"{where}: {problem}"): None for where, problem in reader.problems}
        raise ConfigError("\n".join(problems))
    return content, (path, *reader.files)


class _Reader:
    """Reads one file and collects its problems.

    Attributes:
        problems: path of the setting and cause.
        files: paths of the files that it names.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.problems: list[tuple[str, str]] = []
        self.files: list[str] = []

    def read(self, data: Mapping[str, Any]) -> WebFile:
        """Return the content; a value with a problem has its default."""
        known = (*_BLOCKS, "basic_auth_users")
        for name in data:
            if name not in known:
                self._report(name, f"unknown key{suggest(str(name), known)}")
        tls, http, limit = (self._block(data, name) for name in _BLOCKS)
        if limit.get("interval") is not None and not _ZERO.fullmatch(str(limit["interval"])):
            self._report("rate_limit", "is not supported; remove it, or limit the rate in a proxy")
        self._check_ignored(tls, http)
        return WebFile(**self._tls(tls), users=self._users(data.get("basic_auth_users")), headers=self._headers(http.get("headers")))

    def _report(self, where: str, problem: str) -> None:
        self.problems.append((where, problem))

    def _block(self, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        block = self._mapping(data.get(name), name)
        for key in block:
            if key not in _BLOCKS[name]:
                self._report(f"{name}.{key}", f"unknown key{suggest(str(key), _BLOCKS[name])}")
        return block

    def _mapping(self, value: Any, where: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self._report(where, f"expected a block of settings, got {type(value).__name__}")
        return {}

    def _text(self, value: Any, where: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            self._report(where, f"expected a string, got {_shown(value)}; put quotes around it")
            return ""
        return value

    def _texts(self, value: Any, where: str, accept: Callable[[str], bool] = bool, expected: str = "") -> tuple[str, ...]:
        """Return a list of strings; report those that are not accepted."""
        if value is None:
            return ()
        if not isinstance(value, list):
            self._report(where, f"expected a list, got {_shown(value)}")
            return ()
        texts = [self._text(item, f"{where}[{at}]") for at, item in enumerate(value)]
        for at, text in enumerate(texts):
            if text and not accept(text):
                self._report(f"{where}[{at}]", f"unknown name {_shown(text)}{expected}")
        return tuple(filter(None, texts))

    # --- blocks

    def _tls(self, tls: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of TLS."""
        certificate, key = self._pem(tls, "cert"), self._pem(tls, "key")
        client_ca = self._pem(tls, "client_ca")
        enabled = any(tls.get(name) for name in _BLOCKS[_TLS] if name.startswith(("cert", "key", "client_")))
        for name, pem in (("cert", certificate), ("key", key)):
            if enabled and not (pem or tls.get(name) or tls.get(f"{name}_file")):
                self._report(f"{_TLS}.{name}_file", f"is missing: TLS needs {name}_file or {name}")
        sans = self._texts(tls.get("client_allowed_sans"), f"{_TLS}.client_allowed_sans")
        ciphers, only_tls13 = self._ciphers(tls)
        return {
            "certificate": certificate,
            "key": key,
            "client_ca": client_ca,
            "client_auth": self._client_auth(tls, client_ca, sans),
            "allowed_sans": sans,
            "ciphers": ciphers,
            **self._versions(tls, only_tls13),
        }

    def _pem(self, tls: Mapping[str, Any], name: str) -> str:
        """Return the PEM of `NAME` or of the file `NAME_file`, which wins as in the toolkit."""
        where = f"{_TLS}.{name}_file"
        path = self._text(tls.get(f"{name}_file"), where)
        if not path:
            return self._text(tls.get(name), f"{_TLS}.{name}")
        path = os.path.join(self._folder, path)
        self.files.append(path)
        try:
            return read_regular(path, MAX_PEM).decode("latin-1")
        except OSError as error:
            self._report(where, f"{path}: {error.strerror}")
        except ValueError as error:
            self._report(where, f"{path!r}: {error}")
        return ""

    def _client_auth(self, tls: Mapping[str, Any], client_ca: str, sans: tuple[str, ...]) -> str:
        where = f"{_TLS}.client_auth_type"
        name = self._text(tls.get("client_auth_type"), where)
        if name in UNVERIFIED:
            self._report(where, f"{name} would accept any certificate; use RequireAndVerifyClientCert with client_ca_file")
        elif name not in CLIENT_AUTH:
            types = ", ".join(filter(None, CLIENT_AUTH))
            self._report(where, f"unknown type {_shown(name)}{suggest(name, CLIENT_AUTH)}; the types are {types}")
        kind = CLIENT_AUTH.get(name, "required")
        has_ca = client_ca or tls.get("client_ca_file")
        if has_ca and name in ("", "NoClientCert"):
            self._report(where, "is missing: client_ca has no effect without it; set RequireAndVerifyClientCert")
        if kind != "none" and not has_ca and name in CLIENT_AUTH:
            self._report(f"{_TLS}.client_ca_file", f"is missing: {name} needs client_ca_file or client_ca")
        if sans and kind != "required":
            self._report(f"{_TLS}.client_allowed_sans", "needs client_auth_type RequireAndVerifyClientCert")
        return kind

    def _versions(self, tls: Mapping[str, Any], only_tls13: bool) -> dict[str, str]:
        found = {}
        for name, default in (("min_version", "TLS12"), ("max_version", "TLS13")):
            version = self._text(tls.get(name), f"{_TLS}.{name}") or default
            if version not in VERSIONS:
                self._report(f"{_TLS}.{name}", f"unknown version {_shown(version)}; the versions are {', '.join(VERSIONS)}")
                version = default
            found[name] = version
        if ORDER.index(found["min_version"]) > ORDER.index(found["max_version"]):
            self._report(f"{_TLS}.min_version", f"{found['min_version']} is above max_version {found['max_version']}")
        if only_tls13:
            found["min_version"] = "TLS13"
        return {name: VERSIONS[version] for name, version in found.items()}

    def _ciphers(self, tls: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
        """Return OpenSSL's names, and True if the file allows suites of TLS 1.3 only."""
        where = f"{_TLS}.cipher_suites"
        known = (*CIPHERS, *TLS13_CIPHERS)
        names = self._texts(tls.get("cipher_suites"), where, known.__contains__, "; use Go's names of secure cipher suites")
        suites = tuple(CIPHERS[name] for name in names if name in CIPHERS)
        return suites, bool(names) and not suites

    def _check_ignored(self, tls: Mapping[str, Any], http: Mapping[str, Any]) -> None:
        """Check the settings that have no effect here."""
        curves = f"; the curves are {', '.join(CURVES)}"
        self._texts(tls.get("curve_preferences"), f"{_TLS}.curve_preferences", CURVES.__contains__, curves)
        preference = tls.get("prefer_server_cipher_suites")
        for where, value in ((f"{_TLS}.prefer_server_cipher_suites", preference), (f"{_HTTP}.http2", http.get("http2"))):
            if value is not None and not isinstance(value, bool):
                self._report(where, f"expected true or false, got {_shown(value)}")

    def _users(self, value: Any) -> dict[str, str]:
        users = {}
        for name, hashed in self._mapping(value, "basic_auth_users").items():
            where = f"basic_auth_users.{name}"
            found = _BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
            # The value may be a password in clear: no message repeats it.
            if not found:
                self._report(where, "expected a bcrypt hash such as $2y$10$... (htpasswd -nBC 10 USER prints one)")
            elif not 4 <= int(found[1]) <= MAX_COST:
                self._report(where, f"a bcrypt hash of cost {int(found[1])}; 4 to {MAX_COST} are allowed, 10 is usual")
            elif ":" in str(name):
                self._report(where, "a user name cannot contain a colon")
            else:
                users[str(name)] = str(hashed)
        return users

    def _headers(self, value: Any) -> dict[str, str]:
        headers = {}
        for name, raw in self._mapping(value, f"{_HTTP}.headers").items():
            where = f"{_HTTP}.headers.{name}"
            text = self._text(raw, where)
            if name not in _HEADERS:
                self._report(where, f"cannot be set{suggest(str(name), _HEADERS)}; the headers are {', '.join(_HEADERS)}")
            elif text and _HEADERS[name] and text.lower() not in _HEADERS[name]:
                self._report(where, f"expected {' or '.join(_HEADERS[name])}, got {_shown(text)}")
            elif not (text.isascii() and text.isprintable()):
                self._report(where, "expected printable ASCII characters on one line")
            elif text:
                headers[name] = text
        return headers


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
