"""Names of gunicorn that begin with an underscore and that the connection relies on."""

from __future__ import annotations

import asyncio
import inspect
import math
import ssl
import time
from asyncio.sslproto import SSLProtocol

import pytest
from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver
from gunicorn.workers.gasgi import ASGIWorker

from telegen.kubemetrics.clients import Limits
from telegen.kubemetrics.connection import NEVER, Connection, _scrape_timeout
from telegen.kubemetrics.web_process import WebProcess

OVERRIDDEN = ("_feed_callback_parser", "_on_headers_complete", "_is_websocket_upgrade", "connection_made", "connection_lost")
CALLED = ("_send_error_response", "_close_transport", "pause_writing", "resume_writing")
ATTRIBUTES = ("_callback_parser", "_current_request", "_body_receiver", "_max_buffer_size", "_closed", "_is_ssl", "app")


def test_names_exist_in_gunicorn() -> None:
    """A release of gunicorn that renames one of them would leave a limit without effect."""
    for name in OVERRIDDEN:
        assert name in vars(Connection) and callable(getattr(ASGIProtocol, name, None)), name
    for name in CALLED:
        assert callable(getattr(ASGIProtocol, name, None)), name
    source = inspect.getsource(ASGIProtocol.__init__)
    for name in ATTRIBUTES:
        assert f"self.{name} =" in source, name
    for name in ("_serve", "notify", "handle_exit_signal", "handle_quit_signal", "init_signals"):
        assert name in vars(WebProcess) and callable(getattr(ASGIWorker, name, None)), name


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"9.5", 9.5), (b" 10", 10.0), (b"", math.inf), (b"0", math.inf), (b"nan", math.inf), (b"-1", math.inf), (b"\xff", math.inf)]
)
def test_scrape_timeout(value: bytes, seconds: float) -> None:
    """A positive number is a time; anything else is as no header."""
    assert _scrape_timeout([(b"host", b"x"), (b"x-prometheus-scrape-timeout-seconds", value)]) == seconds
    assert _scrape_timeout([]) == math.inf


def test_transport_closed_twice() -> None:
    """A connection with TLS that was closed twice, by itself and by gunicorn, has nothing unsent: other clients look at it."""

    async def is_answering() -> bool:
        tls = SSLProtocol(asyncio.get_running_loop(), asyncio.Protocol(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), None, server_side=True)
        connection = Connection.__new__(Connection)
        connection._answers, connection._current_request = 0, None
        connection.transport = tls._get_app_transport()
        connection.transport.close()
        connection.transport.close()
        return connection.is_answering

    assert not asyncio.run(is_answering())


def test_request_without_its_body() -> None:
    """A client that keeps the rest of its request back does not keep pace, and has the time of a request, not that of an answer."""
    connection = Connection.__new__(Connection)
    connection._limits = Limits(read_timeout=5.0, answer_timeout=60.0)
    connection._answers, connection._given, connection._may_be_sent = 1, 0, None
    connection._full_since = connection._deadline = NEVER
    connection._current_request, connection._body_receiver = object(), BodyReceiver(None, connection)
    began = connection._request_since = time.monotonic()
    assert connection.blocked_since == began
    assert [connection.check(began + seconds) for seconds in (4.9, 5.1)] == ["", "silent"]
    connection._body_receiver.set_complete()
    assert connection.blocked_since == NEVER
    assert [connection.check(began + seconds) for seconds in (5.1, 59.0, 60.1)] == ["", "", "silent"]
