"""Reviews of tokens by an API server."""

from __future__ import annotations

import http.server
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from telegen.api.client import Client
from telegen.api.cluster import Cluster
from telegen.process.reviews import Question, Review
from workers.review import review

USER = {"username": "system:serviceaccount:mon:prometheus", "uid": "7", "groups": ["a"], "extra": {"k": ["v"]}}
log = logging.getLogger("telegen.review")


class Server(http.server.ThreadingHTTPServer):
    """An API server that answers reviews from `answers`, by kind, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {}
        self.received: list[Any] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self) -> None:
        """Answer a review."""
        assert isinstance(self.server, Server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, body))
        status, answer = self.server.answers[body["kind"]]
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: Server) -> Review:
    """Review a token for GET /metrics."""
    client = Client(lambda again: Cluster(f"http://127.0.0.1:{server.server_address[1]}"))
    try:
        return review(client, Question("token-of-a-client", "/metrics", "get"), log)
    finally:
        client.close()


def test_allowed(server: Server) -> None:
    """The user of the TokenReview, with uid, groups and extra, is authorized for path and verb."""
    server.answers = {
        "TokenReview": (201, {"status": {"authenticated": True, "user": USER}}),
        "SubjectAccessReview": (201, {"status": {"allowed": True}}),
    }
    assert ask(server) == Review(200)
    (first, token), (second, access) = server.received
    assert (first, second) == ("/apis/authentication.k8s.io/v1/tokenreviews", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    assert token["spec"] == {"token": "token-of-a-client"}
    spec = {"user": USER["username"], "uid": "7", "groups": ["a"], "extra": {"k": ["v"]}}
    assert access["spec"] == {**spec, "nonResourceAttributes": {"path": "/metrics", "verb": "get"}}


@pytest.mark.parametrize(
    ("token", "access", "expected"),
    [
        ({"authenticated": False, "error": "expired"}, {}, Review(401, "the token is not valid")),
        ({}, {}, Review(401, "the token is not valid")),
        ({"authenticated": True, "user": None}, {}, Review(401, "the token is not valid")),
        ({"authenticated": True, "user": USER}, {}, Review(403, f"{USER['username']} may not get /metrics")),
        ({"authenticated": True, "user": USER}, {"allowed": True, "denied": True}, Review(403, f"{USER['username']} may not get /metrics")),
    ],
)
def test_refused(server: Server, token: Any, access: Any, expected: Review) -> None:
    """Only `authenticated: true` with a user, and `allowed: true` without `denied: true`, let a client pass."""
    server.answers = {"TokenReview": (201, {"status": token}), "SubjectAccessReview": (201, {"status": access})}
    assert ask(server) == expected


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (403, "403 Forbidden: no; apply k8s/components/auth, which lets the agent create tokenreviews and subjectaccessreviews"),
        (500, "a token cannot be reviewed: 500: no"),
    ],
)
def test_agent_without_the_right(server: Server, status: int, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """An error of the agent's own request is 503 for the client; the log has cause and cure, and no token."""
    reason = "Forbidden" if status == 403 else ""
    server.answers = {"TokenReview": (status, {"kind": "Status", "reason": reason, "message": "no"})}
    assert ask(server).status == 503
    assert [record.getMessage() for record in caplog.records] == [line]
