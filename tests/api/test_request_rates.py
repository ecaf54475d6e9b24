"""Numbers of requests in ten minutes of each way to fail: the server is spared, and the reflector goes on trying.

The server is real and answers at once; time is simulated.
"""

from __future__ import annotations

import socket
import threading

import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.protocols import Settings
from telegen.api.reflector import Reflector
from tests.api.wire import (
    Clock,
    Connection,
    Noted,
    Recorder,
    Request,
    ScriptedServer,
    Step,
    answer,
    bookmark,
    expired,
    page,
    raw,
    refusal,
    stream,
    whole,
)

PERIOD = 600.0
MOST = 2000
"""Requests after which a reflector counts as one that never waits."""


def attempts(url: str, draw: float, server: ScriptedServer | None, lifetime: float) -> tuple[int, Noted]:
    """Run a reflector for `PERIOD`; return the number of its requests, or of its attempts without a server.

    Args:
        draw: what each random draw gives.
        lifetime: simulated seconds for which a watch stays open.
    """
    clock, noted = Clock(), Noted()
    client = Client(credentials(url, {}), Timeouts(20.0, 20.0))
    reflector = Reflector(client, Collection("/api/v1/pods"), Recorder(), noted, threading.Event(), Settings(), lambda: draw, clock)
    tried = 0
    while clock.now < PERIOD and tried < MOST:
        delay = reflector.connect()
        tried = len(server.requests) if server else tried + 1
        clock.now += lifetime if delay is None else 0.0
        while delay is None and reflector.watch:
            reflector.watch.stream.wait()
            delay = reflector.follow()
        clock.now += delay or 0.0
    reflector.close()
    return tried, noted


def after_state(watch: Step) -> Step:
    """A server that gives the state, and ends each later watch as told."""

    def step(request: Request, connection: Connection) -> None:
        if "sendInitialEvents" in request.params:
            stream(*whole("a"), stay=False)(request, connection)
        elif "watch" in request.params:
            watch(request, connection)
        else:
            answer(page("a"))(request, connection)

    return step


def without_streams(failure: Step) -> Step:
    """A server whose streamed lists fail; lists in pages and watches work."""

    def step(request: Request, connection: Connection) -> None:
        works = after_state(raw(b"", stay=False))
        (failure if "sendInitialEvents" in request.params else works)(request, connection)

    return step


def no_http(request: Request, connection: Connection) -> None:
    """Send bytes that are no HTTP."""
    connection.send(bytes(range(256)))


GONE = refusal(410, "Expired", "too old resource version")
ENDED = raw(b"", stay=False)
MODES: dict[str, tuple[Step, float, int, int]] = {
    "401": (refusal(401, "Unauthorized", "no"), 0.0, 38, 84),
    "403": (refusal(403, "Forbidden", "no"), 0.0, 17, 39),
    "404": (refusal(404, "NotFound", "no"), 0.0, 17, 39),
    "410 at every request": (GONE, 0.0, 18, 42),
    "410 after each list": (after_state(GONE), 0.0, 20, 48),
    "410 as an event after each list": (after_state(stream(expired(), stay=False)), 0.0, 20, 48),
    "429": (refusal(429, "TooManyRequests", "later"), 0.0, 18, 42),
    "429 with Retry-After": (refusal(429, "TooManyRequests", "later", "Retry-After: 20"), 0.0, 12, 26),
    "429 with a Retry-After of years": (refusal(429, "TooManyRequests", "later", "Retry-After: 99999999999"), 0.0, 9, 11),
    "500": (refusal(500, "InternalError", "no"), 0.0, 38, 84),
    "503 with Retry-After": (refusal(503, "ServiceUnavailable", "no", "Retry-After: 20"), 0.0, 24, 50),
    "watch that ends at once": (after_state(ENDED), 0.0, 20, 46),
    "watch that ends at once with an event": (after_state(stream(bookmark(20), stay=False)), 0.0, 20, 48),
    "watch that is closed after a second": (after_state(ENDED), 1.0, 590, 610),
    "watch that breaks after a second": (after_state(raw(b'{"type"', stay=False)), 1.0, 590, 610),
    "watch that ends after its time": (after_state(ENDED), 300.0, 2, 4),
    "streamed list that fails with 500": (without_streams(refusal(500, "InternalError", "no")), 200.0, 5, 7),
    "streamed list that ends before its bookmark": (without_streams(stream(*whole("a")[:-1], stay=False)), 200.0, 5, 7),
    "streamed list without an answer": (without_streams(no_http), 200.0, 5, 7),
    "streamed list of garbage": (without_streams(raw(b"garbage\n", stay=False)), 200.0, 5, 7),
    "garbage": (raw(b"\x00garbage\n", stay=False), 0.0, 38, 84),
    "no HTTP": (no_http, 0.0, 38, 84),
    "empty answers": (ENDED, 0.0, 38, 84),
}
"""Way to fail: (answer to every request, seconds of a watch, least and most requests in ten minutes)."""


@pytest.mark.parametrize("draw", [0.0, 1.0])
@pytest.mark.parametrize("mode", MODES)
def test_requests_in_ten_minutes(mode: str, draw: float) -> None:
    """The number of requests stays between its bounds, with the shortest and with the longest random delays."""
    step, lifetime, least, most = MODES[mode]
    server = ScriptedServer([step] * MOST).start()
    try:
        tried, noted = attempts(server.url, draw, server, lifetime)
    finally:
        server.stop()
    assert least <= tried <= most, noted.failures[-5:]


@pytest.mark.parametrize("draw", [0.0, 1.0])
def test_refused_connections_in_ten_minutes(draw: float) -> None:
    """Without a server the number of attempts stays between its bounds, too."""
    # A port that is bound and does not listen refuses connections, and no other process gets it.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        tried, noted = attempts(f"http://127.0.0.1:{taken.getsockname()[1]}", draw, None, 0.0)
    assert 18 <= tried <= 42
    assert set(noted.reasons) == {"unreachable"}
