"""Web configuration files in the format of Prometheus' exporter-toolkit."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from telegen.config.errors import ConfigError
from telegen.config.web_file import WebFile, read_web_file

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config: {cert: c, key: k, "


def read(folder: Path, text: str) -> WebFile:
    """Read a file with this text."""
    path = folder / "web.yml"
    path.write_text(text)
    return read_web_file(str(path))[0]


def test_whole_file(tmp_path: Path) -> None:
    """Every key of the format is read; names of Go become OpenSSL's, and relative paths begin at the folder of the file."""
    for name in ("c.pem", "k.pem", "ca.pem"):
        (tmp_path / name).write_text(name)
    (tmp_path / "web.yml").write_text(f"""
tls_server_config:
  cert_file: c.pem
  key_file: {tmp_path}/k.pem
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS11
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_256_CBC_SHA]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256, X25519]
http_server_config:
  http2: false
  headers: {{X-Frame-Options: deny, Strict-Transport-Security: "max-age=9", X-XSS-Protection: ""}}
basic_auth_users: {{prometheus: {HASH}, 12: {HASH}}}
rate_limit: {{interval: 0, burst: 20}}
""")
    content, paths = read_web_file(str(tmp_path / "web.yml"))
    assert content == WebFile(
        certificate="c.pem",
        key="k.pem",
        client_ca="ca.pem",
        client_auth="required",
        allowed_sans=("prometheus.example", "10.0.0.1"),
        min_version="TLSv1_1",
        max_version="TLSv1_2",
        ciphers=("ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA"),
        users={"prometheus": HASH, "12": HASH},
        headers={"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=9"},
    )
    assert set(paths) == {str(tmp_path / name) for name in ("web.yml", "c.pem", "k.pem", "ca.pem")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tls_server_config:\nbasic_auth_users:\nhttp_server_config:\n",
        "http_server_config: {http2: true}",
        "tls_server_config: {min_version: TLS13, curve_preferences: [CurveP521], cipher_suites: []}",
        "rate_limit: {}",
    ],
)
def test_files_without_effect(tmp_path: Path, text: str) -> None:
    """A file may be empty, or have only what has no effect without TLS: the address stays plain and open."""
    assert not read(tmp_path, text).certificate and not read(tmp_path, text).users


def test_certificates_without_verification(tmp_path: Path) -> None:
    """RequestClientCert asks for a certificate that nothing depends on, so none is asked for."""
    assert read(tmp_path, TLS + "client_auth_type: RequestClientCert}").client_auth == "none"


def test_only_suites_of_tls13(tmp_path: Path) -> None:
    """A list that has only suites of TLS 1.3 allows no older version."""
    assert read(tmp_path, TLS + "cipher_suites: [TLS_AES_256_GCM_SHA384]}").min_version == "TLSv1_3"


BAD = [
    ("tls_config: {}", "tls_config: unknown key, did you mean tls_server_config?"),
    ("tls_server_config: {certfile: x}", "tls_server_config.certfile: unknown key, did you mean cert_file?"),
    ("tls_server_config: 5", "tls_server_config: expected a block of settings, got int"),
    ("tls_server_config: {cert: c}", "tls_server_config.key_file: is missing: TLS needs key_file or key"),
    ("tls_server_config: {key: k}", "tls_server_config.cert_file: is missing: TLS needs cert_file or cert"),
    ("tls_server_config: {cert_file: none.pem, key: k}", "tls_server_config.cert_file: FOLDER/none.pem: No such file or directory"),
    ("tls_server_config: {cert_file: ., key: k}", "tls_server_config.cert_file: 'FOLDER/.': not a regular file"),
    ("tls_server_config: {cert: 7, key: k}", "tls_server_config.cert: expected a string, got 7; put quotes around it"),
    (TLS + "min_version: TLS14}", "tls_server_config.min_version: unknown version 'TLS14'; the versions are TLS10, TLS11, TLS12, TLS13"),
    (TLS + "min_version: TLS13, max_version: TLS12}", "tls_server_config.min_version: TLS13 is above max_version TLS12"),
    (TLS + "cipher_suites: [RC4]}", "tls_server_config.cipher_suites[0]: unknown name 'RC4'; use Go's names of secure cipher suites"),
    (TLS + "cipher_suites: RC4}", "tls_server_config.cipher_suites: expected a list, got 'RC4'"),
    (TLS + "curve_preferences: [P1]}",
     "tls_server_config.curve_preferences[0]: unknown name 'P1'; the curves are CurveP256, CurveP384, CurveP521, X25519, X25519MLKEM768"),
    (TLS + "prefer_server_cipher_suites: 1}", "tls_server_config.prefer_server_cipher_suites: expected true or false, got 1"),
    (TLS + "client_auth_type: RequireAnyClientCert}",
     "tls_server_config.client_auth_type: RequireAnyClientCert would accept any certificate; "
     "use RequireAndVerifyClientCert with client_ca_file"),
    (TLS + "client_auth_type: Verify}",
     "tls_server_config.client_auth_type: unknown type 'Verify'; the types are NoClientCert, RequestClientCert, "
     "VerifyClientCertIfGiven, RequireAndVerifyClientCert"),
    (TLS + "client_ca: a}",
     "tls_server_config.client_auth_type: is missing: client_ca has no effect without it; set RequireAndVerifyClientCert"),
    (TLS + "client_auth_type: VerifyClientCertIfGiven}",
     "tls_server_config.client_ca_file: is missing: VerifyClientCertIfGiven needs client_ca_file or client_ca"),
    (TLS + "client_ca: a, client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: [a]}",
     "tls_server_config.client_allowed_sans: needs client_auth_type RequireAndVerifyClientCert"),
    ("http_server_config: {http2: 2}", "http_server_config.http2: expected true or false, got 2"),
    ("http_server_config: {headers: {Server: x}}",
     "http_server_config.headers.Server: cannot be set; the headers are Strict-Transport-Security, X-Content-Type-Options, "
     "X-Frame-Options, X-XSS-Protection, Content-Security-Policy"),
    ("http_server_config: {headers: {X-Frame-Options: all}}",
     "http_server_config.headers.X-Frame-Options: expected deny or sameorigin, got 'all'"),
    ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nSet-Cookie: b"}}',
     "http_server_config.headers.X-XSS-Protection: expected printable ASCII characters on one line"),
    ("basic_auth_users: {a: secret}",
     "basic_auth_users.a: expected a bcrypt hash such as $2y$10$... (htpasswd -nBC 10 USER prints one)"),
    ("basic_auth_users: {a: 5}",
     "basic_auth_users.a: expected a bcrypt hash such as $2y$10$... (htpasswd -nBC 10 USER prints one)"),
    (f"basic_auth_users: {{a: {HASH.replace('10', '31')}}}",
     "basic_auth_users.a: a bcrypt hash of cost 31; 4 to 18 are allowed, 10 is usual"),
    (f'basic_auth_users: {{"a:b": {HASH}}}', "basic_auth_users.a:b: a user name cannot contain a colon"),
    ("basic_auth_users: [a]", "basic_auth_users: expected a block of settings, got list"),
    ("rate_limit: {interval: 1s, burst: 2}", "rate_limit: is not supported; remove it, or limit the rate in a proxy"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message.partition(":")[0] for _, message in BAD])
def test_bad_file(tmp_path: Path, text: str, message: str) -> None:
    """Each error is one line with file, line, key, cause and cure; a password that is no hash is not repeated."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert str(raised.value) == f"{tmp_path}/web.yml:1: {message.replace('FOLDER', str(tmp_path))}"


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Every problem of a file has its line."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, "rate_limit:\n  interval: 5s\nbasic_auth_users:\n  a: b\n")
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == [f"{tmp_path}/web.yml:{line}" for line in (1, 4)]


WORDS = st.sampled_from(["", "TLS12", HASH, ".", "c.pem", "0s"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KEYS = "cert cert_file key key_file client_ca client_ca_file client_auth_type client_allowed_sans min_version max_version cipher_suites"
BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "tls_server_config": VALUES | st.dictionaries(st.sampled_from(KEYS.split()), VALUES, max_size=6),
        "http_server_config": VALUES | st.fixed_dictionaries({"headers": VALUES, "http2": VALUES}),
        "basic_auth_users": VALUES | st.dictionaries(st.text(max_size=8), VALUES, max_size=3),
        "rate_limit": VALUES,
        "other": VALUES,
    },
)


@given(BLOCKS)
@example({"tls_server_config": {"cert_file": "\x85"}})
@example({"http_server_config": {"headers": {"a\nb": "c"}}})
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content(tmp_path: Path, content: dict[str, object]) -> None:
    """Any content is read, or each of its problems is a line that begins with the file."""
    path = tmp_path / "web.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=False))
    try:
        read_web_file(str(path))
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith(str(path))
