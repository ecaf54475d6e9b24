"""TLS contexts from bytes in memory."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from telegen.config.web_file import WebFile
from telegen.process.tls import InvalidCertificate, is_allowed, server_context
from tests.certificates import self_signed


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    """PEM of a certificate and its key."""
    certificate, key = self_signed(tmp_path)
    return {"certificate": certificate.read_text(), "key": key.read_text()}


def test_settings_of_a_context(pair: dict[str, str]) -> None:
    """Versions, cipher suites and the CA of clients reach OpenSSL; without a certificate there is no TLS."""
    ca = {"client_ca": pair["certificate"], "client_auth": "required"}
    context = server_context(WebFile(**pair, **ca, ciphers=("ECDHE-ECDSA-AES256-GCM-SHA384",), max_version="TLSv1_2"))
    assert context is not None
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"] == ["ECDHE-ECDSA-AES256-GCM-SHA384"]
    assert context.verify_mode == ssl.CERT_REQUIRED and len(context.get_ca_certs()) == 1
    assert server_context(WebFile()) is None


def test_old_versions(pair: dict[str, str]) -> None:
    """TLS 1.0 and 1.1 are offered where a file asks for them; OpenSSL 3 would refuse them otherwise."""
    context = server_context(WebFile(**pair, min_version="TLSv1"))
    assert context is not None
    with pytest.warns(DeprecationWarning):
        client = ssl.SSLContext(ssl.PROTOCOL_TLSv1)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = context.wrap_bio(incoming, outgoing, server_side=True), client.wrap_bio(outgoing, incoming)
    for _ in range(3):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert theirs.version() == "TLSv1"


def test_unusable_certificates(pair: dict[str, str], tmp_path: Path) -> None:
    """Each fault of certificate, key, CA or suites has a cause in words, without a byte of the key."""
    _, other = self_signed(tmp_path, "other")
    cases = {
        "tls_server_config.cert and key: the key does not belong to the certificate": {"key": other.read_text()},
        "tls_server_config.cert and key: it is not a certificate and a key in PEM, or the file is incomplete": {
            "certificate": pair["certificate"][:200]
        },
        "tls_server_config.client_ca: it is not a certificate in PEM, or the file is incomplete": {
            "client_ca": "x", "client_auth": "required"
        },
        "tls_server_config.cipher_suites: OpenSSL has none of these cipher suites": {"ciphers": ("NONE",)},
    }  # fmt: skip
    for message, change in cases.items():
        with pytest.raises(InvalidCertificate) as raised:
            server_context(WebFile(**{**pair, **change}))  # type: ignore[arg-type]
        assert str(raised.value) == message


def test_comments_in_pem(pair: dict[str, str]) -> None:
    """Comments beside the blocks of a certificate, a key and a CA may have any characters."""
    commented = {name: f"# Zürich, 東京\n{text}# é\n" for name, text in {**pair, "client_ca": pair["certificate"]}.items()}
    context = server_context(WebFile(**commented, client_auth="required"))
    assert context is not None and len(context.get_ca_certs()) == 1


def test_encrypted_key(pair: dict[str, str]) -> None:
    """A key with a password is refused; OpenSSL would ask for the password on the terminal."""
    import subprocess

    encrypted = subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:12345"], input=pair["key"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    with pytest.raises(InvalidCertificate, match="the key is encrypted"):
        server_context(WebFile(**{**pair, "key": encrypted}))


@pytest.mark.parametrize(
    ("allowed", "result"),
    [((), True), (("a.example",), True), (("b.example",), False), (("::1",), True), (("0:0:0:0:0:0:0:1",), True), (("spiffe://a/b",), True),
     (("A.example",), False), (("x@y", "z"), True)],
)  # fmt: skip
def test_allowed_names(allowed: tuple[str, ...], result: bool) -> None:
    """A certificate needs one of the names exactly: DNS, IP in any notation, URI or e-mail."""
    names = (("DNS", "a.example"), ("IP Address", "0:0:0:0:0:0:0:1"), ("URI", "spiffe://a/b"), ("email", "x@y"))
    assert is_allowed({"subjectAltName": names}, allowed) is result
    assert is_allowed({}, allowed) is (not allowed)
