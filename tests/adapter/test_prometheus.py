"""The client of Prometheus at the wire: errors, bounds, several servers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from telegen.adapter.prometheus import Prometheus, PrometheusOptions, Refused, SeriesShape, Servers, Unanswered
from tests.adapter.replay import served_json

Answer = Callable[[str, dict[str, str]], tuple[int, Any]]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(served_json(answer))


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {"pod": str(place)}, "value": [1.5, value]} for place, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def error(kind: str) -> dict[str, Any]:
    return {"status": "error", "errorType": kind, "error": "as it is written"}


def test_query_and_series(serve: Callable[[Answer], str]) -> None:
    """A query sends time and time-out; long ones are sent by POST. Series are shapes, in the order of the last ones."""
    asked = list[tuple[str, dict[str, str]]]()

    def answer(path: str, form: dict[str, str]) -> tuple[int, Any]:
        asked.append((path, form))
        if path.endswith("series"):
            return 200, {"status": "success", "data": [{"__name__": "a", "pod": "x"}, {"__name__": "b"}, {"__name__": "a", "pod": "y"}]}
        return 200, vector("NaN", "1")

    server = Prometheus(serve(answer) + "/prefix/")
    assert [tuple(sample) for sample in server.query("q", 7)] == [({"pod": "0"}, 1.5, "NaN"), ({"pod": "1"}, 1.5, "1")]
    long = "x" * 100_000
    server.query(long, 7)
    assert server.series("a", 3) == [SeriesShape("b", frozenset()), SeriesShape("a", frozenset({"pod"}))]
    assert asked == [
        ("/prefix/api/v1/query", {"query": "q", "time": "7.000", "timeout": "10s"}),
        ("/prefix/api/v1/query", {"query": long, "time": "7.000", "timeout": "10s"}),
        ("/prefix/api/v1/series", {"match[]": "a", "start": "3.000"}),
    ]


@pytest.mark.parametrize(
    ("status", "document", "kind", "message"),
    [
        (400, error("bad_data"), Refused, "bad_data: as it is written"),
        (422, error("execution"), Refused, "execution: as it is written"),
        (503, error("timeout"), Unanswered, "timeout: as it is written"),
        (502, b"<html>bad\n gateway</html>", Unanswered, "502: <html>bad gateway</html>"),
        (301, b"", Unanswered, "301: "),
        (200, b"{", Unanswered, "not an answer of Prometheus"),
        (200, b"[" * 100_000, Unanswered, "not an answer of Prometheus"),
        (200, {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": 1}}]}}, Unanswered, "not an answer"),
        (200, {"status": "success", "data": {"resultType": "matrix", "result": []}}, Refused, "the query gives a matrix"),
        (200, b" " * 2000, Unanswered, "the answer is larger than 1000 bytes"),
    ],
)
def test_no_usable_answer(serve: Callable[[Answer], str], status: int, document: Any, kind: type[Exception], message: str) -> None:
    """Each kind of failure is one line with the server's address."""
    most = 1000 if document == b" " * 2000 else 1 << 20
    server = Prometheus(serve(lambda path, form: (status, document)), PrometheusOptions(max_size=most))
    with pytest.raises(kind) as raised:
        server.query("q", 0)
    assert str(raised.value).startswith(f"{server.url}: {message}") and "\n" not in str(raised.value)


def test_server_that_says_nothing() -> None:
    """A server that accepts and does not answer costs no more than the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Prometheus(f"http://127.0.0.1:{listener.getsockname()[1]}", PrometheusOptions(connect=0.2, total=0.2))
        with pytest.raises(Unanswered, match="timed out"):
            server.query("q", 0)


def test_native_histograms_are_left_out(serve: Callable[[Answer], str]) -> None:
    """A sample without a value is no sample."""
    document = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {"count": "1"}]}]}}
    assert Prometheus(serve(lambda path, form: (200, document))).query("q", 0) == []


def test_several_servers(serve: Callable[[Answer], str]) -> None:
    """A metric is asked of the servers that have its series: the next one if one does not answer, none if the query is refused."""
    states = {"a": (200, vector("1")), "b": (200, vector("2"))}
    series = {"a": ["x", "both"], "b": ["y", "both"]}

    def answer(name: str) -> Answer:
        def one(path: str, form: dict[str, str]) -> tuple[int, Any]:
            if path.endswith("series"):
                return 200, {"status": "success", "data": [{"__name__": metric} for metric in series[name]]}
            return states[name]

        return one

    servers = Servers([Prometheus(serve(answer(name))) for name in states] + [Prometheus("http://127.0.0.1:1")], lambda: 1000)
    found = servers.series("m", 600)
    assert {shape.name: places for shape, places in found.servers.items()} == {"x": (0,), "y": (1,), "both": (0, 1)}
    assert list(found.errors) == [2]
    assert [servers.query("q", places)[0].value for places in ((0,), (1,), (0, 1))] == ["1", "2", "1"]
    states["a"] = (503, error("unavailable"))
    assert servers.query("q", (0, 1))[0].value == "2"
    states["a"] = (400, error("bad_data"))
    with pytest.raises(Refused):
        servers.query("q", (0, 1))


def test_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    """A token that was renewed counts at once; a file that is gone is one clear line."""
    token = tmp_path / "token"
    server = Prometheus("http://127.0.0.1:1", PrometheusOptions(token_file=str(token)))
    with pytest.raises(Unanswered, match="No such file"):
        server.query("q", 0)
    seen = list[str]()
    for text in ("one", "two"):
        token.write_text(f"{text}\n")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            seen.append(_authorization(server, listener))
    assert seen == ["Bearer one", "Bearer two"]


def test_secrets_are_not_repeated(tmp_path: Path) -> None:
    """Neither the password of a URL nor a token that is none is part of a message."""
    server = Prometheus("http://user:secret%21@127.0.0.1:1/x/")
    with pytest.raises(Unanswered, match="http://127.0.0.1:1/x: ") as raised:
        server.query("q", 0)
    assert "secret" not in str(raised.value)
    token = tmp_path / "token"
    for text in ("two\nsecrets", "", "a secret"):
        token.write_text(text)
        with pytest.raises(Unanswered) as raised:
            Prometheus("http://127.0.0.1:1", PrometheusOptions(token_file=str(token))).query("q", 0)
        assert str(raised.value) == f"{token}: not a bearer token"


def test_password_of_the_url() -> None:
    """A user and a password in the URL are sent by basic authentication."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Prometheus(f"http://user:p%40ss@127.0.0.1:{listener.getsockname()[1]}")
        assert _authorization(server, listener) == "Basic dXNlcjpwQHNz"


def _authorization(server: Prometheus, listener: socket.socket) -> str:
    """Return the Authorization header of a request."""
    asking = threading.Thread(target=server.query, args=("q", 0))
    asking.start()
    connection, _ = listener.accept()
    with connection:
        request = connection.recv(65536).decode()
        body = json.dumps(vector()).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
    asking.join()
    return next(line.partition(": ")[2] for line in request.split("\r\n") if line.startswith("Authorization"))
