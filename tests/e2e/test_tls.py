"""TLS, passwords and tokens of a whole agent."""

from __future__ import annotations

import base64
import http.client
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from telegen.demo.server import SimulatedServer
from tests.certificates import self_signed, signed
from tests.harness import Agent, free_port, get, replace_file, start_agent
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  telemetry_address: 127.0.0.1:{second}
  kube_state: {{apiserver: {url}, resources: [pods]}}
  cadvisor: {{enabled: false}}
web: {{workers: 2, web_config_file: {file}}}
"""
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(10)).decode()
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"ann:secret").decode()}


class Site:
    """An agent with a web configuration, and requests to it."""

    def __init__(self, folder: Path, agent: Agent, second: int) -> None:
        self.folder, self.agent, self.second = folder, agent, second

    def get(self, path: str = "/metrics", client: tuple[Path, Path] | None = None, headers: dict[str, str] | None = None) -> int:
        """Return the status of a request; trust the server's certificate."""
        context = trusting(self.folder / "server.crt")
        if client:
            context.load_cert_chain(*client)
        connection = http.client.HTTPSConnection("127.0.0.1", self.agent.port, context=context, timeout=20)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def configure(self, text: str) -> None:
        """Replace the web configuration file."""
        replace_file(self.folder / "web.yml", text)


def trusting(certificates: Path) -> ssl.SSLContext:
    """A client's context that trusts these certificates, which lack extensions that Python 3.13 demands."""
    context = ssl.create_default_context(cafile=str(certificates))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


@pytest.fixture
def site(server: SimulatedServer, tmp_path: Path) -> Iterator[Site]:
    """An agent that serves TLS."""
    self_signed(tmp_path)
    (tmp_path / "web.yml").write_text(TLS)
    second = free_port()
    with start_agent(CONFIG, url=server.url, second=second, file=tmp_path / "web.yml") as agent:
        wait_for("/readyz", lambda: ready(second), 20)
        yield Site(tmp_path, agent, second)


def ready(port: int) -> bool:
    """Return True if the probe of the second address succeeds, in plain HTTP."""
    try:
        return get(f"http://127.0.0.1:{port}/readyz", timeout=2).status == 200
    except (OSError, http.client.HTTPException):
        return False


def test_rotation_under_scrapes(site: Site) -> None:
    """Certificate and key are replaced while clients scrape: no scrape fails, no process is replaced, and the new certificate is
    served; a broken file before that is one line in the log."""
    wait_for("both web processes", lambda: all(site.agent.named(f"telegen-web-{number}") for number in (0, 1)), 10)
    before = {process.pid for process in site.agent.tree.processes()}
    failures, count, stop = list[str](), [0], threading.Event()
    old = (site.folder / "server.crt").read_text()
    (site.folder / "all.crt").write_text(old)

    def scrape() -> None:
        while not stop.is_set():
            context = trusting(site.folder / "all.crt")
            connection = http.client.HTTPSConnection("127.0.0.1", site.agent.port, context=context, timeout=20)
            try:
                connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
                if connection.getresponse().read()[:2] != b"\x1f\x8b":
                    failures.append("no gzip")
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            finally:
                connection.close()
            count[0] += 1

    thread = threading.Thread(target=scrape)
    thread.start()
    wait_for("scrapes", lambda: count[0] > 3, 10)
    replace_file(site.folder / "web.yml", "tls_server_config: {cert_file: none}")
    wait_for("the line", lambda: b"web configuration failed" in site.agent.log.read_bytes(), 10)
    fresh, key = self_signed(site.folder, "fresh")
    replace_file(site.folder / "all.crt", old + fresh.read_text())
    shutil.copy(key, site.folder / "server.key")
    shutil.copy(fresh, site.folder / "server.crt")
    site.configure(TLS)
    wait_for("the new certificate", lambda: served(site) == ssl.PEM_cert_to_DER_cert(fresh.read_text()), 10)
    seen = count[0]
    wait_for("more scrapes", lambda: count[0] > seen + 3, 10)
    stop.set()
    thread.join()
    assert failures == []
    assert {process.pid for process in site.agent.tree.processes()} == before


def served(site: Site) -> bytes:
    """The certificate that the agent serves."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", site.agent.port)))


def test_client_certificates(site: Site, tmp_path: Path) -> None:
    """A client needs a certificate of the CA with an allowed name, also after a change of the CA; probes stay open."""
    authority = self_signed(tmp_path, "ca", "DNS:ca")
    good, other = signed(tmp_path, "good", "DNS:prometheus", authority), signed(tmp_path, "other", "DNS:other", authority)
    site.configure(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, "
        "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prometheus]}"
    )
    wait_for("the demand for a certificate", lambda: not answered(site), 10)
    assert site.get(client=good) == 200
    assert not answered(site, other)
    assert ready(site.second)
    assert get(f"http://127.0.0.1:{site.second}/metrics").status == 403
    foreign = self_signed(tmp_path, "foreign", "DNS:prometheus")
    assert not answered(site, foreign)
    replace_file(tmp_path / "ca.crt", foreign[0].read_bytes())
    wait_for("the new CA", lambda: answered(site, foreign), 10)
    assert not answered(site, good)


def answered(site: Site, client: tuple[Path, Path] | None = None) -> bool:
    """Return True if a request is answered by 200."""
    try:
        return site.get(client=client) == 200
    except (OSError, http.client.HTTPException):
        return False


def test_passwords(site: Site) -> None:
    """A password that comes into the file is needed from then on; the second scrape with it takes no bcrypt."""
    site.configure(TLS + f"basic_auth_users: {{ann: {HASH}}}")
    wait_for("the demand for a password", lambda: site.get() == 401, 10)
    assert site.get(headers=PASSWORD) == 200
    started = time.perf_counter()
    for _ in range(20):
        assert site.get(headers=PASSWORD) == 200
    print(f"{(time.perf_counter() - started) / 20 * 1000:.1f} ms a scrape")
    assert (ready(site.second), get(f"http://127.0.0.1:{site.second}/metrics").status) == (True, 401)


def test_wrong_protocols(site: Site) -> None:
    """Plain HTTP to the address with TLS gets a line of text; TLS to the plain address fails at once."""
    with socket.create_connection(("127.0.0.1", site.agent.port), 10) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"This address speaks TLS: use https://.\n")
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", site.second), 10) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    assert ready(site.second)
