"""The adapter as a whole, behind a scripted API server: identities, rights, rotation, reload, drain."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.adapter.api_server import ApiServer, serving
from tests.adapter.cluster import HERE
from tests.adapter.pki import Pki, authority, issued
from tests.adapter.replay import Recording, replayed
from tests.harness import Agent, clean_environ, free_port, replace_file, running
from tests.process_tree import wait_for

INFLIGHT = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/web-1/http_inflight"
CASES = json.loads((HERE / "identities.json").read_text())
Headers = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """Status, 0 for a refused handshake, and the document of an answer; `closes` if the connection ends with it."""

    status: int
    document: Any = None
    closes: bool = False


class Site:
    """An adapter and what it depends on."""

    def __init__(self, agent: Agent, api: ApiServer, pki: Pki, plain: int, rules: Path) -> None:
        self.agent, self.api, self.pki, self.plain, self.rules = agent, api, pki, plain, rules

    def connection(self, certificate: str | tuple[Path, Path] = "") -> http.client.HTTPSConnection:
        """Return a connection with a client certificate, "" for none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(*(self.pki.pairs[certificate] if isinstance(certificate, str) else certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.agent.port, context=context, timeout=20)

    def get(self, path: str, certificate: str | tuple[Path, Path] = "", headers: Headers = (), method: str = "GET") -> Answer:
        """Return the answer to a request."""
        connection = self.connection(certificate)
        try:
            return ask(connection, path, headers, method)
        except (ssl.SSLError, ConnectionError):
            return Answer(0)
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Return True if /readyz is 200."""
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False


def ask(connection: http.client.HTTPSConnection, path: str, headers: Headers = (), method: str = "GET") -> Answer:
    """Send a request with headers as they are, repeated ones too; return the answer."""
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value.encode("utf-8", "surrogateescape"))
    connection.endheaders()
    response = connection.getresponse()
    data = response.read()
    is_json = response.headers.get_content_type() == "application/json"
    return Answer(response.status, json.loads(data) if is_json and data else data.decode(), response.getheader("Connection") == "close")


def as_user(name: str, *groups: str) -> Headers:
    return [("X-Remote-User", name), *(("X-Remote-Group", group) for group in groups)]


@contextmanager
def site(folder: Path, pki: Pki, settings: str = "") -> Iterator[Site]:
    """Run an adapter on the rules and the Prometheus of a recorded case."""
    recording = Recording(json.loads((HERE / "cases/plain-gauge.json").read_text()))
    port, plain, rules = free_port(), free_port(), folder / "rules.yaml"
    shutil.copy(HERE / "cases/plain-gauge.yaml", rules)
    with replayed(recording) as prometheus, serving(ApiServer(pki.trust())) as api:
        config = folder / "config.yaml"
        cluster = f"kube_metrics: {{kube_state: {{apiserver: '{api.url}'}}}}\n"
        config.write_text(f"{cluster}adapter:\n  agents_service: ''\n  telemetry_address: '127.0.0.1:{plain}'\n{settings}")
        certificate, key = pki.server
        command = [sys.executable, "-m", "telegen", "adapter", "--config", str(config), "--config", str(rules)]
        command += ["--prometheus-url", prometheus, "--bind-address", "127.0.0.1", "--secure-port", str(port)]
        command += ["--tls-cert-file", str(certificate), "--tls-private-key-file", str(key), "--metrics-relist-interval=1m"]
        with running(command, clean_environ(), port, config) as agent:
            found = Site(agent, api, pki, plain, rules)
            wait_for("the adapter", found.is_ready, 20, 0.1)
            yield found


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def adapter(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("adapter"), pki) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_identities(case: dict[str, Any], adapter: Site) -> None:
    """Each recorded identity gets in, or does not, as with the peer."""
    answer = adapter.get(case["get"], case["certificate"], [tuple(header) for header in case["headers"]])
    assert answer.status in case.get("right_any", [case["status"]]), answer
    if answer.status == case["status"] and case["reason"]:
        status = answer.document
        assert (status["kind"], status["reason"], status["message"]) == ("Status", case["reason"], case["message"])


HOSTILE: list[tuple[str, str, Headers, int]] = [
    ("underscores", "proxy", [("X_Remote_User", "alice")], 401),
    ("underscores beside the user", "proxy", [*as_user("bob"), ("X_Remote_Group", "system:masters")], 403),
    ("any case", "proxy", [("x-REMOTE-user", "alice")], 200),
    ("a user twice", "proxy", [*as_user("bob"), *as_user("alice")], 403),
    ("an empty user", "proxy", as_user(""), 401),
    ("an empty user and a token", "proxy", [*as_user(""), ("Authorization", "Bearer alice-token")], 200),
    ("a token beside the user", "proxy", [*as_user("bob"), ("Authorization", "Bearer alice-token")], 403),
    ("groups in one line", "proxy", as_user("eve", "a, system:masters"), 403),
    ("groups in several lines", "proxy", as_user("eve", "a", "system:masters"), 200),
    ("a prefix of the header", "proxy", [*as_user("eve"), ("X-Remote-Groups", "system:masters")], 403),
    ("the group in an extra", "proxy", [*as_user("eve"), ("X-Remote-Extra-Groups", "system:masters")], 403),
    ("a user that is no UTF-8", "proxy", [("X-Remote-User", "ali\udcff")], 401),
    ("50 KiB of groups", "proxy", as_user("alice", *["g" * 500] * 100), 200),
    ("headers beyond 64 KiB", "proxy", as_user("alice", *["g" * 1000] * 70), 431),
    ("masters without a certificate", "", as_user("eve", "system:masters"), 403),
    ("masters with a token", "", [*as_user("eve", "system:masters"), ("Authorization", "Bearer bob-token")], 403),
    ("a token that is not valid", "", [("Authorization", "Bearer x")], 401),
    ("a token of 40 KiB", "", [("Authorization", f"Bearer {'x' * 40_000}")], 401),
    ("a scheme in capitals", "", [("Authorization", "BEARER alice-token")], 200),
    ("another scheme", "", [("Authorization", "Basic YWxpY2U6eA==")], 403),
    ("a certificate and a token", "bobcert", [("Authorization", "Bearer alice-token")], 403),
    ("an extra of twisted encoding", "proxy", [*as_user("alice"), ("X-Remote-Extra-%zz%2", "v"), ("X-Remote-Extra-", "v")], 200),
    ("a header that ends with the user", "proxy", [("Y-X-Remote-User", "alice")], 401),
    ("two schemes in one line", "", [("Authorization", "Basic x, Bearer alice-token")], 403),
    ("a certificate of another authority", "fakeproxy", as_user("alice"), 0),
]


@pytest.mark.parametrize(("certificate", "headers", "status"), [one[1:] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_hostile_headers(certificate: str, headers: Headers, status: int, adapter: Site) -> None:
    """No header makes another user of a client."""
    assert adapter.get(INFLIGHT, certificate, [(name, value) for name, value in headers]).status == status


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_is_no_request(method: str, is_chunked: bool, adapter: Site) -> None:
    """A request that a client hides in the body of its own, which the API server passes on, is not answered."""

    def request(user: str, method: str, headers: str) -> bytes:
        return f"{method} {INFLIGHT} HTTP/1.1\r\nHost: a\r\nX-Remote-User: {user}\r\n{headers}\r\n".encode()

    hidden = request("alice", "GET", "")
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden) if is_chunked else hidden
    framing = "Transfer-Encoding: chunked\r\n" if is_chunked else f"Content-Length: {len(hidden)}\r\n"
    connection = adapter.connection("proxy")
    connection.connect()
    connection.sock.sendall(request("bob", method, framing) + body + request("bob", "GET", "Connection: close\r\n"))
    answers = b"".join(iter(lambda: connection.sock.recv(1 << 16), b""))
    connection.close()
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"403", b"403"]


def test_certificates(adapter: Site, tmp_path: Path) -> None:
    """A certificate counts through intermediate authorities, and not without a name, for servers only, or out of its time."""
    pki = adapter.pki
    middle = issued(tmp_path, "middle", "/CN=middle", pki.clients, "basicConstraints=critical,CA:TRUE")
    leaf = issued(tmp_path, "leaf", "/O=devs/CN=alice", middle)
    chain = tmp_path / "chain.crt"
    chain.write_text(leaf[0].read_text() + middle[0].read_text())
    assert adapter.get(INFLIGHT, (chain, leaf[1])).status == 200
    assert adapter.get(INFLIGHT, issued(tmp_path, "unnamed", "/O=system:masters", pki.clients)).status == 403
    assert adapter.get(INFLIGHT, issued(tmp_path, "for-servers", "/CN=alice", pki.clients, "extendedKeyUsage=serverAuth")).status == 0
    comma = issued(tmp_path, "comma", "/O=x,system:masters/CN=eve", pki.clients)
    assert adapter.get(INFLIGHT, comma).status == 403
    twin = authority(tmp_path, "twin", "/CN=front-proxy-ca")
    assert adapter.get(INFLIGHT, issued(tmp_path, "twin-proxy", "/CN=front-proxy-client", twin), as_user("alice")).status == 0


ODD = {
    "allowed name last": ("/CN=somebody/CN=front-proxy-client", "", 2, 200),
    "allowed name first": ("/CN=front-proxy-client/CN=somebody", "", 2, 401),
    "allowed name in another case": ("/CN=Front-Proxy-Client", "", 2, 401),
    "allowed name with a space": ("/CN=front-proxy-client ", "", 2, 401),
    "allowed name as an organization": ("/O=front-proxy-client/CN=x", "", 2, 401),
    "no name": ("/O=x", "", 2, 401),
    "another name in the alternatives": ("/CN=x", "subjectAltName=DNS:front-proxy-client", 2, 401),
    "any purpose": ("/CN=front-proxy-client", "basicConstraints=CA:FALSE", 2, 200),
    "both purposes": ("/CN=front-proxy-client", "extendedKeyUsage=serverAuth,clientAuth", 2, 200),
    "another purpose": ("/CN=front-proxy-client", "extendedKeyUsage=emailProtection", 2, 0),
    "key for signing certificates": ("/CN=front-proxy-client", "keyUsage=critical,keyCertSign", 2, 0),
    "out of its time": ("/CN=front-proxy-client", "", -1, 0),
}


@pytest.mark.parametrize(("subject", "extensions", "days", "status"), ODD.values(), ids=ODD)
def test_odd_certificates_of_front_proxies(
    subject: str, extensions: str, days: int, status: int, adapter: Site, tmp_path: Path
) -> None:
    """The last common name must be allowed, letter for letter, and the certificate be valid for clients now."""
    pair = issued(tmp_path, "odd", subject, adapter.pki.proxies, extensions or "extendedKeyUsage=clientAuth", days)
    assert adapter.get(INFLIGHT, pair, as_user("alice")).status == status


def test_sessions_are_not_resumed(adapter: Site) -> None:
    """The certificate of each connection is verified anew: neither tickets nor session numbers bring back an old check."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        first = adapter.connection("proxy")
        context = first._context  # type: ignore[attr-defined]
        context.maximum_version = version
        assert ask(first, INFLIGHT, as_user("alice")).status == 200
        session = first.sock.session
        first.close()
        with socket.create_connection(("127.0.0.1", adapter.agent.port), 20) as plain:
            try:
                with context.wrap_socket(plain, session=session) as again:
                    again.sendall(b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert not again.session_reused or again.recv(100) == b""
            except (ConnectionError, ssl.SSLError):
                # A connection that resumes a session is reset.
                pass


def test_strangers_do_not_delay_the_api_server(adapter: Site) -> None:
    """Requests with tokens wait for each other; beyond a number they are refused, and those of the API server are answered meanwhile."""
    adapter.api.answers.clear()
    try:
        with ThreadPoolExecutor(80) as pool:
            waiting = [pool.submit(adapter.get, INFLIGHT, "", [("Authorization", f"Bearer t{number}")]) for number in range(80)]
            wait_for("refused requests", lambda: any(one.done() and one.result().status == 429 for one in waiting), 20)
            assert adapter.get(INFLIGHT, "proxy", as_user("eve", "system:masters")).status == 200
            adapter.api.answers.set()
            statuses = {one.result(60).status for one in waiting}
    finally:
        adapter.api.answers.set()
    assert statuses == {401, 429}


def test_questions_to_the_api_server(adapter: Site) -> None:
    """Through the API server, a user with the right to the whole group costs one question a minute; others one for each request in 10 s."""
    adapter.api.reviews.clear()
    connection = adapter.connection("proxy")
    for number in range(20):
        path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/n{number}/pods/p/m{number}"
        assert ask(connection, path, as_user("alice", f"unique-{adapter.agent.port}")).status == 404
    asked = [spec["resourceAttributes"] for _, spec in adapter.api.reviews]
    assert asked == [{"verb": "get", "group": "custom.metrics.k8s.io", "version": "*", "resource": "*"}]
    adapter.api.reviews.clear()
    for _ in range(5):
        assert ask(connection, INFLIGHT, as_user("carol", "unique")).status == 200
    asked = [spec["resourceAttributes"] for _, spec in adapter.api.reviews]
    assert [one.get("namespace") for one in asked] == [None, None, "shop"]
    assert asked[-1] == {
        "verb": "get", "group": "custom.metrics.k8s.io", "version": "v1beta2", "resource": "pods", "subresource": "http_inflight",
        "namespace": "shop", "name": "web-1",
    }  # fmt: skip
    connection.close()


def test_namespace_that_an_authorizer_denies(adapter: Site) -> None:
    """A direct client gets nothing of a denied namespace, although it may read the whole group and has asked for that before."""
    api, token = adapter.api, [("Authorization", "Bearer alice-token")]
    # Objects of this test's own: answers about others are known for some seconds.
    denied, other = (INFLIGHT.replace("shop/pods/web-1", f"{namespace}/pods/p{time.monotonic_ns()}") for namespace in ("shop", "data"))
    assert adapter.get(INFLIGHT, "proxy", as_user("alice")).status == 200
    api.denied = "shop"
    try:
        api.reviews.clear()
        found = [adapter.get(path, *client).status for path in (denied, other) for client in (("", token), ("alicecert",))]
    finally:
        api.denied = ""
    assert found == [403, 403, 404, 404]
    assert {spec["resourceAttributes"].get("namespace") for kind, spec in api.reviews if kind == "subjectaccessreviews"} == {"shop", "data"}


def test_user_of_a_review(adapter: Site) -> None:
    """The API server is asked about the user with its uid, groups and extras, and the group of all authenticated users."""
    adapter.api.reviews.clear()
    credential = ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "JTI=1")
    extras = [("X-Remote-Uid", "u7"), credential, ("X-Remote-Extra-Scopes", "a"), ("X-Remote-Extra-Scopes", "b,c")]
    assert adapter.get(INFLIGHT, "proxy", [*as_user("dan", "a,b", "c"), *extras]).status == 403
    spec = adapter.api.reviews[-1][1]
    assert (spec["user"], spec["uid"], spec["groups"]) == ("dan", "u7", ["a,b", "c", "system:authenticated"])
    assert spec["extra"] == {"authentication.kubernetes.io/credential-id": ["JTI=1"], "scopes": ["a", "b,c"]}
    adapter.api.reviews.clear()
    assert adapter.get("/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics/depth", "proxy", as_user("erin")).status == 403
    wanted = adapter.api.reviews[-1][1]["resourceAttributes"]
    assert (wanted["resource"], wanted["name"], wanted.get("subresource")) == ("metrics", "depth", None)


def test_api_server_away(adapter: Site) -> None:
    """Answers that are known count on; all others are refused with 503, those about probes and masters apart."""
    assert adapter.get(INFLIGHT, "proxy", as_user("alice", "away")).status == 200
    adapter.api.is_away = True
    try:
        assert adapter.get(INFLIGHT, "proxy", as_user("alice", "away")).status == 200
        refused = adapter.get(INFLIGHT, "proxy", as_user("frank"))
        assert (refused.status, refused.document["reason"]) == (503, "ServiceUnavailable")
        assert adapter.get(INFLIGHT, "", [("Authorization", "Bearer unseen")]).status == 503
        assert adapter.get(INFLIGHT, "proxy", as_user("eve", "system:masters")).status == 200
        assert adapter.get("/readyz").status == 200
    finally:
        adapter.api.is_away = False
    assert adapter.get(INFLIGHT, "proxy", as_user("frank")).status == 403


def test_own_metrics(adapter: Site) -> None:
    """Requests, their rights and values are counted; the page needs a right on the main address and none on the plain one."""
    adapter.get(INFLIGHT, "proxy", as_user("alice"))
    assert adapter.get("/metrics", "bobcert").status == 403
    page = adapter.get("/metrics", "admin").document
    for line in (
        'telegen_adapter_requests_total{code="200",group="custom.metrics.k8s.io"}',
        'telegen_adapter_freshness_seconds_count{group="custom.metrics.k8s.io",source="rule"}',
        'telegen_adapter_reviews_total{kind="SubjectAccessReview",result="allowed"}',
        'telegen_adapter_relists_total{result="success"}',
    ):
        assert line in page
    plain = http.client.HTTPConnection("127.0.0.1", adapter.plain, timeout=20)
    for path, status in (("/metrics", 200), ("/readyz?verbose", 200), ("/apis", 404)):
        plain.request("GET", path)
        response = plain.getresponse()
        text = response.read().decode()
        assert response.status == status
        assert "[+]clients ok" in text or "verbose" not in path
    plain.close()


def test_rotation_of_authorities(adapter: Site, tmp_path: Path) -> None:
    """A new authority counts without a restart, and an old one that is taken away loses its open connections too."""
    pki, api = adapter.pki, adapter.api
    old, new = pki.proxies[0].read_text(), authority(tmp_path, "front-proxy-ca")
    fresh = issued(tmp_path, "fresh", "/CN=front-proxy-client", new)
    connection = adapter.connection("proxy")
    assert ask(connection, INFLIGHT, as_user("alice")).status == 200
    assert adapter.get(INFLIGHT, fresh, as_user("alice")).status == 0
    api.publish(**{"requestheader-client-ca-file": old + new[0].read_text()})
    wait_for("the new authority", lambda: adapter.get(INFLIGHT, fresh, as_user("alice")).status == 200, 10, 0.05)
    assert ask(connection, INFLIGHT, as_user("alice")).status == 200
    api.publish(**{"requestheader-client-ca-file": new[0].read_text()})
    wait_for("the end of the old authority", lambda: ask(connection, INFLIGHT, as_user("alice")).status == 401, 10, 0.05)
    connection.close()
    assert adapter.get(INFLIGHT, "proxy", as_user("alice")).status == 0
    api.publish(**{"requestheader-client-ca-file": "no certificate", "requestheader-allowed-names": "{}"})
    time.sleep(0.3)
    assert adapter.get(INFLIGHT, fresh, as_user("alice")).status == 200
    api.publish(**pki.trust())
    wait_for("the first authority", lambda: adapter.get(INFLIGHT, "proxy", as_user("alice")).status == 200, 10, 0.05)


def test_changed_rules(adapter: Site) -> None:
    """A changed rules file is applied without a restart; one that cannot be read leaves the old rules in force."""
    before = adapter.rules.read_text()
    replace_file(adapter.rules, "rules: [")
    wait_for("the complaint", lambda: "reload of the rules failed" in adapter.agent.log.read_text(), 10, 0.1)
    assert adapter.get(INFLIGHT, "proxy", as_user("alice")).status == 200
    replace_file(adapter.rules, before.replace("http_inflight", "other"))
    wait_for("the new rules", lambda: adapter.get(INFLIGHT, "proxy", as_user("alice")).status == 404, 10, 0.1)
    replace_file(adapter.rules, before)
    wait_for("the old rules", lambda: adapter.get(INFLIGHT, "proxy", as_user("alice")).status == 200, 10, 0.1)


def test_new_process_knows_its_clients(adapter: Site) -> None:
    """After the end of the serving process, the next one answers no request before it can: none is refused, some wait."""

    def serving_pids() -> set[int]:
        parents = dict[int, int]()
        for one in adapter.agent.named("telegen-adapter"):
            with suppress(psutil.NoSuchProcess):
                parents[one.pid] = one.ppid()
        return {pid for pid, parent in parents.items() if parent in parents}

    adapter.api.delay = 1.0
    [before] = serving_pids()
    os.kill(before, signal.SIGKILL)
    wait_for("its successor", lambda: bool(serving_pids() - {before}), 20)
    assert {adapter.get(INFLIGHT, "proxy", as_user("alice")).status for _ in range(20)} == {200}
    adapter.api.delay = 0.0


def test_changed_settings(adapter: Site) -> None:
    """A changed file of settings is applied under load, and no request is refused; one that is invalid changes nothing."""
    config, log = adapter.agent.config, adapter.agent.log
    before, statuses, stop = config.read_text(), set[int](), threading.Event()

    def load() -> None:
        while not stop.is_set():
            statuses.add(adapter.get(INFLIGHT, "proxy", as_user("alice")).status)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        adapter.agent.configure(f"{before}  drain: 1h\n")
        wait_for("the complaint", lambda: "adapter.drain: must be at least 2 s less" in log.read_text(), 10, 0.1)
        adapter.agent.configure(f"{before}  groups: [custom.metrics.k8s.io, external.metrics.k8s.io]\n  max_age: 1h\n")
        wait_for("the reload", lambda: "configuration reloaded" in log.read_text(), 10, 0.1)
        time.sleep(2)
        adapter.agent.configure(before)
        wait_for("the reload back", lambda: log.read_text().count("configuration reloaded") == 2, 10, 0.1)
    finally:
        stop.set()
        thread.join()
    assert statuses == {200}


def test_drain(pki: Pki, tmp_path: Path) -> None:
    """SIGTERM under load fails no request: /readyz fails first, requests are answered until their connections are closed politely."""
    results, stop = list[object](), threading.Event()

    def load(site: Site) -> None:
        connection = site.connection("proxy")
        while not stop.is_set():
            answer = ask(connection, INFLIGHT, as_user("alice"))
            results.append(answer.status)
            if answer.closes:
                results.append("closed")
                break
        connection.close()

    with site(tmp_path, pki, "  drain: 8s\n") as draining:
        threads = [threading.Thread(target=load, args=(draining,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for("load", lambda: len(results) > 20, 10)
        draining.agent.process.terminate()
        wait_for("not ready", lambda: draining.get("/readyz").status == 503, 10, 0.005)
        for thread in threads:
            thread.join(60)
        late = [draining.get(INFLIGHT, "proxy", as_user("alice")) for _ in range(5)]
        assert draining.agent.process.wait(60) == 0
    stop.set()
    assert set(results) == {200, "closed"} and results.count("closed") == 4
    assert {(answer.status, answer.closes) for answer in late} == {(200, True)}
