"""Headers that never end: no request waits for them longer than the read timeout, or takes more than their bound in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from telegen.api.bounded import MAX_HEADERS
from telegen.api.client import Client, Timeouts
from telegen.api.credentials import credentials
from telegen.api.errors import ApiError, Unreachable
from tests.api.wire import (
    PATIENCE,
    Connection,
    Request,
    ScriptedServer,
    Step,
    answer,
    page,
    raw,
    reflecting,
    stream,
    whole,
)

OK = b"HTTP/1.1 200 OK\r\n"


def endless(start: bytes, piece: bytes, pause: float = 0.0) -> Step:
    """Send `start`, then `piece` for ever."""

    def step(request: Request, connection: Connection) -> None:
        connection.send(start)
        while True:
            connection.send(piece)
            time.sleep(pause)

    return step


NEVER_ENDING = {
    "headers": endless(OK, b"X-Header: value\r\n"),
    "one header": endless(OK + b"X-Header: ", b"x" * 4096),
    "large headers": endless(OK, b"X-Header: " + b"x" * 60_000 + b"\r\n"),
    "status line": endless(b"HTTP/1.1 200 ", b"x" * 4096),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\nX-Header: value\r\n\r\n"),
    "slow headers": endless(OK, b"X: y\r\n", 0.1),
    "a slow header": endless(OK + b"X-Header: ", b"x", 0.1),
    "a slow status line": endless(b"HTTP/1.1 ", b"2", 0.1),
    "slow interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.1),
}


@pytest.fixture
def request_to() -> Iterator[Callable[[Step], object]]:
    """A function that sends a request to a server with this one answer."""
    servers = []

    def send(step: Step) -> object:
        servers.append(ScriptedServer([step]).start())
        return Client(credentials(servers[-1].url, {}), Timeouts(10.0, PATIENCE)).get("/a", {}, "application/json")

    yield send
    for server in servers:
        server.stop()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", NEVER_ENDING)
def test_headers_without_an_end(request_to: Callable[[Step], object], kind: str) -> None:
    """A server that sends headers for ever, fast or a byte at a time, is an error like one that does not answer."""
    with pytest.raises(Unreachable):
        request_to(NEVER_ENDING[kind])


@pytest.mark.timeout(60)
def test_error_without_an_end(request_to: Callable[[Step], object]) -> None:
    """The body of an error is given up as well, and its status is reported."""
    with pytest.raises(ApiError) as failure:
        request_to(endless(b"HTTP/1.1 500 X\r\n\r\n", b"x", 0.1))
    assert failure.value.status == 500


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("kind", "state", "lists"), [("headers", stream(*whole("a")), "watch"), ("a slow header", answer(page("a")), "list")]
)
def test_watch_after_headers_without_an_end(kind: str, state: Step, lists: str) -> None:
    """A reflector whose requests meet them requests pages instead, tries again, and gets its state."""
    with reflecting(NEVER_ENDING[kind], NEVER_ENDING[kind], state, read=PATIENCE) as running:
        running.wait_held("a")
        assert running.noted.lists == ["watch", "list", lists]


def test_large_headers_of_a_proxy(request_to: Callable[[Step], object]) -> None:
    """Headers within the bounds are no error, also behind interim answers and with a body that comes slowly."""
    headers = [f"X-Header-{number}: {'x' * 8000}" for number in range(80)]
    assert sum(map(len, headers)) < MAX_HEADERS
    assert request_to(raw(b'{"a":  1}', stay=False, piece=1, pause=0.25, headers=headers)) == {"a": 1}
