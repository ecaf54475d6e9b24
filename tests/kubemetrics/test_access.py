"""Authentication of requests in a web process."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import falcon
import falcon.asgi
import falcon.testing
import msgspec
import pytest

from telegen.config.web_file import WebFile
from telegen.kubemetrics import credential_checks
from telegen.kubemetrics.authentication import Passwords, Tokens
from telegen.kubemetrics.credential_checks import Checks
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubemetrics.web_security import AccessControl, WebSecurity, wrong_protocol
from telegen.process.reviews import Question, Review, ReviewQueue, answer
from telegen.shm.shared_document import SharedDocument

GOOD = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
SLOW = bcrypt.hashpw(b"secret", bcrypt.gensalt(10)).decode()


def basic(name: str, password: str) -> dict[str, str]:
    """Headers with a name and a password."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class Page:
    """A page behind the access control."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer."""
        resp.text = "content"


class Site:
    """An application whose web configuration a test changes."""

    def __init__(self, queue: ReviewQueue, auth: Any, is_plain: bool) -> None:
        self.shared, self.queue = SharedDocument("web-file", 1 << 20), queue
        self.configure(tokens=auth == "kubernetes")
        self.security = WebSecurity(self.shared, queue if auth == "kubernetes" else None)
        app: Any = falcon.asgi.App(middleware=[AccessControl(self.security, Telemetry("web-0"), is_plain)])
        for path in ("/metrics", "/livez"):
            app.add_route(path, Page())
        self._client = falcon.testing.TestClient(app)

    def configure(self, **values: Any) -> None:
        """Replace the web configuration, as the supervisor does."""
        self.shared.write(msgspec.msgpack.encode(WebFile(**values)))

    def get(self, path: str = "/metrics", headers: dict[str, str] | None = None) -> falcon.testing.Result:
        """Send a GET."""
        return self._client.simulate_get(path, headers=headers)


NewSite = Callable[..., Site]


@pytest.fixture
def queue() -> Iterator[ReviewQueue]:
    """A queue of questions."""
    made = ReviewQueue()
    yield made
    made.close()


@pytest.fixture
def new_site(queue: ReviewQueue) -> NewSite:
    """Function that makes a site."""
    return lambda auth="none", is_plain=False: Site(queue, auth, is_plain)


@pytest.fixture(autouse=True)
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the agent's own metrics in a folder of the test."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))


def test_passwords_follow_the_file(new_site: NewSite) -> None:
    """Without users every request passes; with users only those with a good password do, at once after the file has changed."""
    site = new_site()
    assert site.get().status_code == 200
    site.configure(users={"ann": GOOD})
    refused = site.get()
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="telegen"')
    assert site.get(headers=basic("ann", "secret")).status_code == 200
    others = ({"Authorization": "Basic %%"}, {"Authorization": "Bearer x"})
    for headers in (basic("ann", "wrong"), basic("bob", "secret"), basic("", ""), *others):
        assert site.get(headers=headers).status_code == 401
    site.configure(users={"bob": GOOD})
    assert site.get(headers=basic("ann", "secret")).status_code == 401
    site.configure()
    assert site.get().status_code == 200


def test_paths_that_do_not_exist_need_a_password(new_site: NewSite) -> None:
    """A client without credentials does not learn which paths exist."""
    site = new_site()
    site.configure(users={"ann": GOOD})
    assert site.get("/none").status_code == 401
    assert site.get("/none", basic("ann", "secret")).status_code == 404


def test_probes_of_the_second_address(new_site: NewSite) -> None:
    """On telemetry_address probes are open; other paths need the password, or are refused where clients need a certificate."""
    site = new_site(is_plain=True)
    site.configure(users={"ann": GOOD})
    assert (site.get("/livez").status_code, site.get().status_code) == (200, 401)
    assert site.get(headers=basic("ann", "secret")).status_code == 200
    site.configure(client_auth="required")
    assert (site.get("/livez").status_code, site.get().status_code) == (200, 403)


def test_headers_of_the_file(new_site: NewSite) -> None:
    """Headers are added to every answer, refusals included."""
    site = new_site()
    site.configure(headers={"X-Frame-Options": "deny"}, users={"ann": GOOD})
    assert [site.get(headers=headers).headers.get("x-frame-options") for headers in ({}, basic("ann", "secret"))] == ["deny", "deny"]


def test_long_passwords_and_nul() -> None:
    """bcrypt reads 72 bytes of a password; a NUL in one is a wrong password and no error."""
    passwords = Passwords({"ann": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()})
    for password, status in (("x" * 72, 200), ("x" * 90, 200), ("x" * 71, 401), ("\0", 401), ("", 401)):
        decision = passwords.decide(basic("ann", password)["Authorization"], "::1", "/", "get")
        assert not isinstance(decision, Review) and decision.result().status == status


def test_a_good_password_is_checked_once() -> None:
    """The second request takes no bcrypt, and what is remembered contains neither name nor password."""
    passwords = Passwords({"ann": SLOW})
    first = passwords.decide(basic("ann", "secret")["Authorization"], "::1", "/", "get")
    assert not isinstance(first, Review) and first.result().status == 200
    assert passwords.decide(basic("ann", "secret")["Authorization"], "::1", "/", "get") == Review(200)
    remembered = repr(passwords._checks._known)
    assert "secret" not in remembered and "ann" not in remembered


def test_wrong_passwords_do_not_take_the_cpu() -> None:
    """Clients that try wrong passwords without a pause cost a fraction of a CPU, and a client with a good one is served."""
    passwords, stop = Passwords({"ann": SLOW}), threading.Event()
    tries = iter(range(10**9))

    def attack(client: str) -> None:
        while not stop.is_set():
            decision = passwords.decide(basic("ann", f"wrong {next(tries)}")["Authorization"], client, "/", "get")
            if isinstance(decision, Review) or decision.result().reason.startswith("too many"):
                time.sleep(0.005)

    attackers = [threading.Thread(target=attack, args=(f"10.0.0.{number}",)) for number in range(5)]
    for thread in attackers:
        thread.start()
    wall, cpu = time.monotonic(), time.process_time()
    while True:
        decision = passwords.decide(basic("ann", "secret")["Authorization"], "10.9.9.9", "/", "get")
        assert not isinstance(decision, Review)
        if decision.result().status == 200:
            break
    time.sleep(1.5)
    used = (time.process_time() - cpu) / (time.monotonic() - wall)
    stop.set()
    for thread in attackers:
        thread.join()
    # A fifth of a CPU for bcrypt, and the loops of this test. Without the pauses it is one CPU.
    assert used < 0.6


def test_checks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal credentials share a check; one client has two at a time, all clients together a limit, and refusals come at once."""
    monkeypatch.setattr(credential_checks, "MOST_WAITING", 3)
    release = threading.Event()

    def work() -> Review:
        release.wait(60)
        return Review(200)

    checks = Checks(1, {})
    first = checks.start(b"1", "a", work)
    assert checks.start(b"1", "a", work) is first
    checks.start(b"2", "a", work)
    assert checks.start(b"3", "a", work).result(0).status == 503
    checks.start(b"3", "b", work)
    assert checks.start(b"4", "c", work).result(0).status == 503
    release.set()
    assert first.result().status == 200


def test_refusals_do_not_push_out_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of remembered results the oldest refusal is forgotten first."""
    monkeypatch.setattr(credential_checks, "MOST_KNOWN", 4)
    monkeypatch.setattr(credential_checks, "LEAST_REST", 0.0)
    checks = Checks(1, {200: 60.0, 401: 60.0})
    assert checks.start(b"good", "a", lambda: Review(200)).result().status == 200
    for number in range(20):
        checks.start(b"%d" % number, "a", lambda: Review(401)).result()
    assert checks.known(b"good") == Review(200)
    assert sum(checks.known(b"%d" % number) is not None for number in range(20)) == 3


@pytest.fixture
def reviewer(new_site: NewSite) -> Iterator[tuple[Site, list[Question], list[Review]]]:
    """A site with tokens, the questions that were asked, and the answers to give; the last one is repeated."""
    site, asked, answers = new_site("kubernetes"), list[Question](), [Review(200)]
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            taken = site.queue.take(0.05)
            if taken:
                asked.append(taken[0])
                answer(taken[1], answers.pop(0) if len(answers) > 1 else answers[0])

    thread = threading.Thread(target=run)
    thread.start()
    yield site, asked, answers
    stop.set()
    thread.join()


def test_tokens(reviewer: tuple[Site, list[Question], list[Review]]) -> None:
    """A token is reviewed for path and method once; 401, 403 and 503 come with the reason, and the latter is not remembered."""
    site, asked, answers = reviewer
    token = {"Authorization": "Bearer abc"}
    assert (site.get().status_code, site.get(headers=basic("a", "b")).status_code) == (401, 401)
    assert [site.get(headers=token).status_code for _ in range(3)] == [200] * 3
    assert asked == [Question("abc", "/metrics", "get")]
    answers[:] = [Review(403, "bob may not get /livez"), Review(503, "no API server"), Review(401, "not valid")]
    refused = site.get("/livez", token)
    assert (refused.status_code, refused.json["description"]) == (403, "bob may not get /livez")
    assert [site.get(headers={"Authorization": "bearer xyz"}).status_code for _ in range(3)] == [503, 401, 401]
    assert len(asked) == 4


def test_reload_that_changes_the_authentication(new_site: NewSite) -> None:
    """A process of before a reload follows it: never open when tokens replace passwords, and passwords when they replace tokens."""
    before = new_site()
    before.configure(users={"ann": GOOD})
    before.configure(tokens=True)
    token = {"Authorization": "Bearer abc"}
    assert (before.get().status_code, before.get(headers=basic("ann", "secret")).status_code) == (401, 401)
    assert before.get(headers=token).json["description"] == "the configuration is being replaced; retry"
    before = new_site("kubernetes")
    before.configure(users={"ann": GOOD})
    assert (before.get(headers=token).status_code, before.get(headers=basic("ann", "secret")).status_code) == (401, 200)


def test_permission_outlives_the_api_server() -> None:
    """While no review is possible an expired permission counts for ten minutes more; then the answer is 503."""
    now = [0.0]
    checks = Checks(1, {200: 60.0}, stale=600.0, clock=lambda: now[0])
    results = [Review(200), Review(503), Review(503)]
    for at, status in ((0.0, 200), (659.0, 200), (661.0, 503)):
        now[0] = at
        assert checks.known(b"key") is None
        assert checks.start(b"key", "a", lambda: results.pop(0)).result().status == status


def test_no_reviewer(queue: ReviewQueue) -> None:
    """A question whose reviewer ends is 503, at once."""
    tokens = Tokens(queue)
    taken = []

    def lose() -> None:
        taken.append(queue.take(60))
        assert taken[0]
        taken[0][1].close()

    thread = threading.Thread(target=lose)
    thread.start()
    decision = tokens.decide("Bearer abc", "::1", "/metrics", "get")
    assert not isinstance(decision, Review)
    assert decision.result().reason == "the token was not reviewed: the process that reviews tokens has ended"
    thread.join()


def test_a_broken_content_keeps_the_one_before(new_site: NewSite) -> None:
    """If a certificate that the supervisor accepted cannot be loaded here, the security before stays: never plain or open."""
    site = new_site()
    site.configure(users={"ann": GOOD})
    assert site.get().status_code == 401
    site.configure(certificate="x", key="y")
    assert site.get().status_code == 401


def test_wrong_protocols() -> None:
    """A request in plain HTTP to TLS gets a line of text, a handshake of TLS to plain HTTP an alert; right ones get nothing."""
    assert wrong_protocol(ord("G"), is_tls=True).endswith(b"This address speaks TLS: use https://.\n")
    assert wrong_protocol(0x16, is_tls=False)[:1] == b"\x15"
    assert (wrong_protocol(0x16, is_tls=True), wrong_protocol(ord("G"), is_tls=False)) == (b"", b"")


def test_queue_over_fork(queue: ReviewQueue) -> None:
    """A question of one process is answered by another."""
    pid = os.fork()
    if pid == 0:
        question, reply = queue.take(60) or (None, None)
        assert question and reply
        answer(reply, Review(403, question.token))
        os._exit(0)
    assert queue.ask(Question("abc", "/", "get"), 60) == Review(403, "abc")
    assert os.waitpid(pid, 0)[1] == 0


def test_what_is_no_question(queue: ReviewQueue) -> None:
    """A datagram without a socket, without a question or with another file is dropped, and the next question is answered."""
    question = msgspec.msgpack.encode(Question("abc", "/", "get"))
    here, there = socket.socketpair()
    with here, there, open(os.devnull) as null:
        queue._asking.send(question)
        socket.send_fds(queue._asking, [b"\xc1"], [there.fileno()])
        socket.send_fds(queue._asking, [question], [null.fileno()])
        socket.send_fds(queue._asking, [question], [there.fileno()])
        assert [queue.take(1) for _ in range(3)] == [None] * 3
        taken = queue.take(1)
        assert taken and taken[0].token == "abc"
        taken[1].close()
