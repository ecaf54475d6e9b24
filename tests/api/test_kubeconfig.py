"""Each field of a kubeconfig is honoured as kubectl does, or refused with its name."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.api.client import Client, Timeouts
from telegen.api.credentials import NoCredentials, check, credentials
from telegen.api.errors import Unreachable
from tests.api.wire import Request, ScriptedServer, answer

NAME = "kube.internal.example"
EXTENSIONS = f"""
[req]
distinguished_name = dn
prompt = no
[dn]
CN = test
[ca]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = none
authorityKeyIdentifier = none
[leaf]
subjectAltName = DNS:{NAME}
subjectKeyIdentifier = none
authorityKeyIdentifier = none
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA and a server certificate without key identifiers, as those of EKS and of older clusters; the name is `NAME`."""
    folder = tmp_path_factory.mktemp("pki")
    (folder / "config").write_text(EXTENSIONS)
    new = "openssl req -config config -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for command in (
        f"{new} -x509 -subj /CN=authority -extensions ca -keyout ca.key -out ca.crt",
        f"{new} -keyout leaf.key -out leaf.csr",
        "openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile config -extensions leaf -out leaf.crt",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True, timeout=200)
    return folder


@contextmanager
def serving(pki: Path | None = None) -> Iterator[ScriptedServer]:
    """A server that answers three requests; over TLS with a PKI."""
    context = None
    if pki:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "leaf.crt", pki / "leaf.key")
    server = ScriptedServer([answer({"ok": True})] * 3, context).start()
    try:
        yield server
    finally:
        server.stop()


def write(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any] | None = None) -> Path:
    """Write a kubeconfig with one context."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "t",
        "contexts": [{"name": "t", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": dict(user or {"token": "abc"})}],
        "clusters": [{"name": "c", "cluster": dict(cluster)}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def ask(path: object, environ: Mapping[str, str] | None = None) -> Any:
    """Send one request with the credentials of a kubeconfig."""
    client = Client(credentials(f"kubeconfig:{path}", environ or {}), Timeouts(2, 2))
    try:
        return client.get("/version", {}, "application/json")
    finally:
        client.close()


def asked(server: ScriptedServer) -> Request:
    """The only request that a server received."""
    (request,) = server.requests
    return request


def test_tls_server_name(pki: Path, tmp_path: Path) -> None:
    """The certificate is verified for tls-server-name; without it, for the address, which it is not valid for."""
    with serving(pki) as server:
        cluster = {"server": server.url, "certificate-authority": str(pki / "ca.crt")}
        assert ask(write(tmp_path / "a", {**cluster, "tls-server-name": NAME})) == {"ok": True}
        with pytest.raises(Unreachable, match="(?i)certificate|mismatch"):
            ask(write(tmp_path / "b", cluster))


def test_scheme_in_upper_case(pki: Path, tmp_path: Path) -> None:
    """HTTPS:// is https://, with its CA."""
    with serving(pki) as server:
        cluster = {"server": server.url.replace("https", "HTTPS"), "certificate-authority": str(pki / "ca.crt")}
        assert ask(write(tmp_path / "a", {**cluster, "tls-server-name": NAME})) == {"ok": True}


def test_no_verification(pki: Path, tmp_path: Path) -> None:
    """insecure-skip-tls-verify accepts any certificate."""
    with serving(pki) as server:
        assert ask(write(tmp_path / "a", {"server": server.url, "insecure-skip-tls-verify": True})) == {"ok": True}


@pytest.mark.parametrize(
    ("excluded", "is_direct"),
    [("127.0.0.1,10.0.0.0/8,.svc", True), ("127.0.0.0/8", True), ("*", True), ("10.0.0.0/8,.svc", False), ("", False)],
)
def test_no_proxy(excluded: str, is_direct: bool, tmp_path: Path) -> None:
    """NO_PROXY is honoured with names and CIDRs; without a match the request goes to the proxy of the environment."""
    with serving() as server, serving() as proxy:
        environ = {"HTTP_PROXY": proxy.url, "NO_PROXY": excluded}
        assert ask(write(tmp_path / "a", {"server": server.url}), environ) == {"ok": True}
        assert (len(server.requests), len(proxy.requests)) == ((1, 0) if is_direct else (0, 1))


def test_proxy_url_with_user(tmp_path: Path) -> None:
    """proxy-url wins over the environment; its user and password are sent to the proxy."""
    with serving() as server, serving() as proxy:
        url = proxy.url.replace("http://", "http://me:p%40ss@")
        ask(write(tmp_path / "a", {"server": server.url, "proxy-url": url}), {"NO_PROXY": "*"})
        assert asked(proxy).headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert server.requests == []


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"proxy-url": "socks5://127.0.0.1:1"}, {}, "cluster.proxy-url: socks5 is not supported"),
        ({"server": "10.0.0.1:6443"}, {}, "cluster.server: .* is not the URL of a server"),
        ({"insecure-skip-tls-verify": True, "certificate-authority-data": "eA=="}, {}, "cannot be combined with certificate-authority"),
        ({}, {"auth-provider": {"name": "gcp"}}, "user.auth-provider: .*use an exec plugin"),
        ({}, {"exec": {"command": "x", "interactiveMode": "Always"}}, "interactiveMode: Always needs a terminal"),
    ],
)
def test_refused(cluster: dict[str, Any], user: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A field that cannot be honoured is an error that names it and the remedy."""
    path = write(tmp_path / "a", {"server": "https://10.0.0.1:6443", **cluster}, user)
    with pytest.raises(NoCredentials, match=message):
        credentials(f"kubeconfig:{path}", {})(False)


def test_exec_plugin_that_fails(tmp_path: Path) -> None:
    """Without the credentials of an exec plugin no request is sent."""
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false", "interactiveMode": "Never"}
    with serving() as server:
        with pytest.raises(Unreachable, match="exec plugin '/bin/false' gave no credentials"):
            ask(write(tmp_path / "a", {"server": server.url}, {"exec": plugin}))
        assert server.requests == []


def test_token_file(tmp_path: Path) -> None:
    """tokenFile is relative to the kubeconfig, trimmed, and wins over token."""
    (tmp_path / "token").write_text("\n from-file \n")
    with serving() as server:
        ask(write(tmp_path / "a", {"server": server.url}, {"tokenFile": "token", "token": "old"}))
        assert asked(server).headers["authorization"] == "Bearer from-file"


def test_impersonation(tmp_path: Path) -> None:
    """Impersonation becomes headers, one for each group and extra value."""
    user = {"token": "t", "as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"Scopes/x": ["r", "w"]}}
    with serving() as server:
        ask(write(tmp_path / "a", {"server": server.url}, user))
        pairs = [(name, value) for name, value in asked(server).pairs if name.startswith("impersonate")]
    extra = "impersonate-extra-scopes%2fx"
    names = [("impersonate-user", "jane"), ("impersonate-uid", "7"), ("impersonate-group", "a"), ("impersonate-group", "b")]
    assert sorted(pairs) == sorted([*names, (extra, "r"), (extra, "w")])


def test_disable_compression(tmp_path: Path) -> None:
    """disable-compression requests plain answers."""
    with serving() as server:
        ask(write(tmp_path / "a", {"server": server.url, "disable-compression": True}))
        assert asked(server).headers["accept-encoding"] == "identity"


def test_several_files(tmp_path: Path) -> None:
    """The files of KUBECONFIG are merged; the first value of a name wins."""
    with serving() as server:
        first = tmp_path / "first"
        first.write_text(yaml.safe_dump({"kind": "Config", "users": [{"name": "u", "user": {"token": "first"}}]}))
        second = write(tmp_path / "second", {"server": server.url}, {"token": "second"})
        ask(f"{first}:{second}")
        assert asked(server).headers["authorization"] == "Bearer first"


@pytest.mark.parametrize(
    ("cluster", "user", "problem"),
    [
        ({"certificate-authority": "gone.crt"}, {}, "cluster.certificate-authority: {folder}/gone.crt: no such file"),
        ({}, {"client-certificate": "/gone.crt"}, "user.client-certificate: /gone.crt: no such file"),
        ({}, {"client-certificate": "here", "client-key": "gone.key"}, "user.client-key: {folder}/gone.key: no such file"),
        ({}, {"tokenFile": "gone"}, "user.tokenFile: {folder}/gone: no such file"),
        ({}, {"exec": {"apiVersion": "v1", "command": "no-such-plugin"}}, "user.exec.command: no-such-plugin: no such command"),
        ({}, {"exec": {"apiVersion": "v1", "command": "./gone"}}, "user.exec.command: ./gone: no such command"),
        ({"server": "10.0.0.1"}, {}, "cluster.server: '10.0.0.1' is not the URL of a server"),
    ],
)
def test_check_before_the_start(tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], problem: str) -> None:
    """A missing file or command is named with its kubeconfig, its field and the remedy, without a request and without running a plugin."""
    (tmp_path / "here").write_text("x")
    path = write(tmp_path / "config", {"server": "https://127.0.0.1:1", **cluster}, user or None)
    with pytest.raises(NoCredentials) as found:
        check(f"kubeconfig:{path}", {})
    assert str(found.value).startswith(f"{path}: {problem.format(folder=tmp_path)}")
    assert "; " in str(found.value)


def test_check_of_complete_kubeconfigs(tmp_path: Path) -> None:
    """Files, embedded data and plugins that exist are no problem; the plugin does not run."""
    (tmp_path / "token").write_text("abc")
    (tmp_path / "plugin").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "plugin").chmod(0o755)
    users: tuple[dict[str, Any], ...] = (
        {"tokenFile": "token"},
        {"exec": {"apiVersion": "v1", "command": "./plugin"}},
        {"exec": {"apiVersion": "v1", "command": "plugin", "env": [{"name": "PATH", "value": str(tmp_path)}]}},
    )
    for user in users:
        cluster = {"server": "https://127.0.0.1:1", "certificate-authority": "gone", "certificate-authority-data": "eA=="}
        check(f"kubeconfig:{write(tmp_path / 'config', cluster, user)}", {})
    assert not (tmp_path / "ran").exists()


def test_check_of_a_pods_account(tmp_path: Path) -> None:
    """A CA that is not mounted is named."""
    (tmp_path / "token").write_text("abc")
    with pytest.raises(NoCredentials, match="ca.crt.*does the pod mount its service account"):
        check("in-cluster", {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}, tmp_path)
