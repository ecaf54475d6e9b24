"""Credentials and addresses from service accounts and kubeconfigs, read again when they change."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.credentials import Cluster, NoCredentials, credentials
from telegen.api.errors import ProtocolError, Unauthorized, Unreachable
from tests.api.wire import ScriptedServer, answer, refusal

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: c, cluster: {{server: "{url}"}}}}]
users: [{{name: u, user: {user}}}]
contexts: [{{name: here, context: {{cluster: c, user: u}}}}]
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PEM text of a certificate authority."""
    folder = tmp_path_factory.mktemp("authority")
    key, certificate = str(folder / "key"), folder / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test"]
    subprocess.run([*command, "-keyout", key, "-out", str(certificate)], check=True, capture_output=True, timeout=200)
    return certificate.read_text()


def test_service_account_token_is_read_at_every_connection(tmp_path: Path, authority: str) -> None:
    """A rotated token is used from the next request on; the address comes from the environment."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text(authority)
    read = credentials("in-cluster", {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert read(False) == Cluster("https://[fd00::1]:443", {"Authorization": "Bearer first"}, authority.strip())
    (tmp_path / "token").write_text("second\n")
    assert read(False).headers == {"Authorization": "Bearer second"}


def test_missing_service_account(tmp_path: Path) -> None:
    """The file that is missing is named, with what to look at."""
    read = credentials("in-cluster", {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}, tmp_path)
    with pytest.raises(NoCredentials, match="token.*does the pod mount its service account"):
        read(False)


def test_unauthorized_is_tried_once_more_with_fresh_credentials(tmp_path: Path) -> None:
    """After a 401 the kubeconfig and its token file are read again; a second 401 is an error."""
    refused = refusal(401, "Unauthorized", "the token has expired")
    server = ScriptedServer([answer({"n": 1}), refused, answer({"n": 2}), refused, refused]).start()
    token, path = tmp_path / "token", tmp_path / "kubeconfig"
    token.write_text("old")
    path.write_text(KUBECONFIG.format(url=server.url, user=f"{{tokenFile: {token}}}"))
    client = Client(credentials(f"kubeconfig:{path}", {}), Timeouts(1, 5))
    try:
        assert client.get("/a", {}, "application/json") == {"n": 1}
        token.write_text("new")
        assert client.get("/a", {}, "application/json") == {"n": 2}
        with pytest.raises(Unauthorized, match="the token has expired"):
            client.get("/a", {}, "application/json")
    finally:
        client.close()
        server.stop()
    assert [request.headers["authorization"] for request in server.requests[:3]] == ["Bearer old", "Bearer old", "Bearer new"]


@pytest.mark.parametrize("text", ["", "clusters: 5", "current-context: nowhere", "{"])
def test_kubeconfig_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    """A kubeconfig without a usable context: one line that names the file."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(NoCredentials, match=f"{path}: [^\n]*; check it with kubectl"):
        credentials(f"kubeconfig:{path}", {})(False)


def test_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    """The path, and that there is nothing; of several, as KUBECONFIG may name them, one is enough."""
    path = tmp_path / "kubeconfig"
    with pytest.raises(NoCredentials, match=f"^{path}: no such file; correct the path, or mount the file$"):
        credentials(f"kubeconfig:{path}", {})(False)
    path.write_text("clusters: 5")
    with pytest.raises(NoCredentials, match="check it with kubectl"):
        credentials(f"kubeconfig:{tmp_path / 'other'}{os.pathsep}{path}", {})(False)


def test_kubeconfig_read_by_many_threads_at_once(tmp_path: Path) -> None:
    """Every watch reads the kubeconfig for itself; all get the whole CA though the package keeps it in a shared file."""
    for n in range(20):
        authority = f"-----BEGIN CERTIFICATE-----\n{f'authority {n} ' * 5000}\n-----END CERTIFICATE-----"
        path = tmp_path / f"kubeconfig-{n}"
        data = base64.b64encode(authority.encode()).decode()
        text = KUBECONFIG.format(url="https://127.0.0.1:1", user="{token: t}")
        path.write_text(text.replace('server: "', f'certificate-authority-data: {data}, server: "'))
        with ThreadPoolExecutor(8) as pool:
            read = [pool.submit(credentials(f"kubeconfig:{path}", {}), False) for _ in range(8)]
            assert {future.result().ca.strip() for future in read} == {authority.strip()}


def test_unknown_content_coding_and_broken_json() -> None:
    """An answer that cannot be decoded is a protocol error, with any status."""
    server = ScriptedServer([answer({}, 200, "Content-Encoding: br"), answer({})]).start()
    client = Client(credentials(server.url, {}), Timeouts(1, 5))
    try:
        with pytest.raises(ProtocolError, match="content coding br"):
            client.get("/a", {}, "application/json")
    finally:
        client.close()
        server.stop()
    with pytest.raises(Unreachable, match=server.url):
        client.get("/a", {}, "application/json")


@pytest.mark.parametrize(
    ("source", "loaded"), [("in-cluster", False), ("https://127.0.0.1:6443", False), ("", False), ("kubeconfig:/home/me/config", True)]
)
def test_prepared_before_the_fork(source: str, loaded: bool) -> None:
    """The kubernetes package is loaded where a kubeconfig is to be read, and nowhere else: it takes 30 MB."""
    code = f"import sys; from telegen.api.credentials import prepare; prepare([{source!r}]); print('kubernetes.config' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True)
    assert found.stdout.strip() == str(loaded)


COMMENTS = ["# Größe: Prüfstelle\n".encode("latin-1"), "# 試験\n".encode(), b"\x00\xff binary\n", b"Subject: CN=x\r\n"]


@pytest.mark.parametrize("comment", COMMENTS)
def test_text_around_certificates(comment: bytes, tmp_path: Path, authority: str) -> None:
    """Text around the PEM blocks of a CA file is ignored, whatever its encoding."""
    (tmp_path / "token").write_text("some-token\n")
    (tmp_path / "ca.crt").write_bytes(comment + authority.encode() + comment)
    cluster = credentials("in-cluster", POD, tmp_path)(False)
    ssl.create_default_context(cadata=cluster.ca)
    assert cluster.headers == {"Authorization": "Bearer some-token"}


def test_file_without_certificates(tmp_path: Path) -> None:
    """A CA file without a certificate is an error that names it."""
    (tmp_path / "token").write_text("some-token")
    (tmp_path / "ca.crt").write_text("not a certificate")
    with pytest.raises(NoCredentials, match="ca.crt: no certificate in PEM form"):
        credentials("in-cluster", POD, tmp_path)(False)


@pytest.mark.parametrize("token", ["abc\ndef", "abc\r\nX-Evil: 1", "töken", "a b c", "", "\x00"])
def test_token_that_no_header_may_have(token: str, tmp_path: Path, authority: str) -> None:
    """A token that cannot be sent is an error that names the file and does not show the token."""
    (tmp_path / "token").write_text(token)
    (tmp_path / "ca.crt").write_text(authority)
    with pytest.raises(NoCredentials) as caught:
        credentials("in-cluster", POD, tmp_path)(False)
    assert str(tmp_path / "token") in str(caught.value)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("value", ["Bearer secret-abc\ndef", "Bearer secret-\u20ac"])
def test_error_of_a_header(value: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the HTTP library raises for a header is one of our errors, without the header's value."""
    client = Client(lambda again: Cluster("http://127.0.0.1:9", {"Authorization": value}), Timeouts(1, 1))
    with pytest.raises(Unreachable) as caught:
        client.get("/api", {}, "application/json")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
