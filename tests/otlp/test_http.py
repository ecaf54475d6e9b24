"""The client of a receiver, against answers at the wire."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from telegen.otlp.http import HttpClient
from telegen.otlp.outcome import Accepted, Outcome, Refused, Retry
from telegen.otlp.settings import Receiver
from tests.otlp.receiver import Answer, scripted

STATUS = b"\x08\x03\x12\x0fbad wire format"
"""google.rpc.Status: code 3, a message."""


def partial(rejected: int = 0, message: str = "") -> bytes:
    """Return an answer with a partial success."""
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


def client(url: str, timeout: float = 30.0, **settings: object) -> HttpClient:
    """Make a client."""
    return HttpClient(Receiver(f"{url}/v1/metrics", timeout=timeout, **settings))  # type: ignore[arg-type]


def send(answer: Answer, timeout: float = 30.0) -> Outcome:
    """Send one request and return its outcome."""
    with scripted() as receiver:
        receiver.script = [answer]
        one = client(receiver.url, timeout)
        return one.send(one.pack(b"body"))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(), Accepted()),
        (Answer(body=b"\x0a\x00"), Accepted()),
        (Answer(body=partial(3, "too old")), Accepted(3, "too old")),
        (Answer(body=partial(0, "slow down")), Accepted(0, "slow down")),
        (Answer(429, headers={"Retry-After": "7"}), Retry("429", "429 Too Many Requests", 7.0)),
        (Answer(503), Retry("503", "503 Service Unavailable")),
        (Answer(502, headers={"Retry-After": "soon"}), Retry("502", "502 Bad Gateway")),
        (Answer(504), Retry("504", "504 Gateway Timeout")),
        (Answer(400, STATUS), Refused("400", "400 Bad Request: bad wire format")),
        (Answer(400, b"out of order\n sample"), Refused("400", "400 Bad Request: out of order sample")),
        (Answer(401), Refused("401", "401 Unauthorized")),
        (Answer(500), Refused("500", "500 Internal Server Error")),
        (Answer(307, headers={"Location": "/elsewhere"}), Refused("307", "307 Temporary Redirect: /elsewhere")),
        (
            Answer(200, b"abc", headers={"Content-Encoding": "gzip"}),
            Refused("answer", "200 with an answer that cannot be read: Error -3 while decompressing data: incorrect header check"),
        ),
        (Answer(200, b"<html></html>"), Refused("answer", "200 with an answer that is not OTLP; is this the URL of an OTLP receiver?")),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_outcomes(answer: Answer, outcome: Outcome) -> None:
    """Each answer is read as the specification of OTLP/HTTP says; an empty partial success is a success."""
    assert send(answer) == outcome


def test_broken_connections() -> None:
    """A reset, no answer and no listener are retried, each with its reason; an answer that is too large counts by its status."""
    assert isinstance(found := send(Answer(reset=True)), Retry) and found.reason == "connection"
    assert send(Answer(hang=60), 0.3) == Retry("timeout", "no answer within 0.3 s")
    for status, outcome in ((503, Retry), (400, Refused)):
        found = send(Answer(status, bytes(5 << 20)))
        assert isinstance(found, outcome) and found.reason == str(status) and "of the answer have more than" in found.message
    assert send(Answer(200, bytes(5 << 20))) == Refused("answer", "200 with an answer that cannot be read: the answer has more than 4 MiB")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert client(url).send(b"") == Retry("connection", "[Errno 111] Connection refused")


@pytest.mark.parametrize(
    ("beginning", "piece", "outcome"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            b"\n",
            Refused("answer", "200 with an answer that cannot be read: the answer does not end"),
        ),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", Retry("timeout", "no answer within 2 s")),
    ],
    ids=["body", "headers"],
)
def test_answer_that_never_ends(beginning: bytes, piece: bytes, outcome: Outcome) -> None:
    """A receiver that sends its answer in small pieces holds the client for the timeout only."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(beginning)
                for _ in range(90):
                    connection.sendall(piece)
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        one = client(f"http://127.0.0.1:{server.getsockname()[1]}", 2.0)
        found = one.send(b"")
        one.close()
        thread.join()
    assert found == outcome


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"\0\0\6\4\0\0\0\0\0", r"the answer is not HTTP/1.1: '\x00\x00\x06\x04"),
        (b"", "Remote end closed connection without response"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200, "got more than 100 headers"),
    ],
    ids=["HTTP/2", "close", "headers"],
)
def test_answers_that_are_not_http(answer: bytes, message: str) -> None:
    """An answer that breaks the protocol is retried, with its cause in the message: that of a receiver of gRPC, for example."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with contextlib.closing(client(f"http://127.0.0.1:{server.getsockname()[1]}")) as one:
            outcome = one.send(b"")
        thread.join()
    assert isinstance(outcome, Retry) and outcome.reason == "connection" and outcome.message.startswith(message)


def test_request_on_the_wire() -> None:
    """Path, headers and body of a request, with gzip and without; each client keeps its connection."""
    with scripted() as receiver:
        for gzip in (True, False):
            one = client(receiver.url, gzip=gzip, headers={"authorization": "Bearer x"})
            for _ in range(2):
                assert one.send(one.pack(b"body" * 100)) == Accepted()
        assert {request.content for request in receiver.received} == {b"body" * 100}
        assert receiver.connections == 2
        packed, plain = receiver.received[0].headers, receiver.received[2].headers
    assert receiver.received[0].path == "/v1/metrics"
    assert (packed["content-type"], packed["content-encoding"], packed["authorization"]) == ("application/x-protobuf", "gzip", "Bearer x")
    assert packed["user-agent"].startswith("telegen/") and "content-encoding" not in plain


def make_certificates(folder: Path) -> None:
    """Make a CA, and certificates of a server and of two clients."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client", "renewed"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions")
        openssl("x509", "-req", "-in", f"{name}.csr", *sign, "-out", f"{name}.pem")


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A CA that is no certificate, a key of another certificate, an encrypted one and a missing one are named in the message."""
    make_certificates(tmp_path)
    subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "client.key", "-aes256", "-passout", "pass:x", "-out", tmp_path / "locked.key"], check=True
    )
    (tmp_path / "text.pem").write_text("text")
    for ca, key, message in (
        ("text.pem", "client.key", "text.pem: "),
        ("ca.pem", "server.key", "client.pem and "),
        ("ca.pem", "locked.key", "expected a certificate and its key in PEM, not encrypted"),
        ("ca.pem", "none.key", "none.key"),
    ):
        shown = {"ca": str(tmp_path / ca), "certificate": str(tmp_path / "client.pem"), "key": str(tmp_path / key)}
        outcome = client("https://127.0.0.1:1", **shown).send(b"")
        assert isinstance(outcome, Retry) and outcome.reason == "tls" and message in outcome.message


def test_mutual_tls_and_rotation(tmp_path: Path) -> None:
    """Without a certificate and with a wrong CA nothing is sent; a certificate that is replaced is used for the next request."""
    make_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    # The certificates of this test have no key identifiers, which Python 3.13 demands by default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    shown = {"ca": str(tmp_path / "ca.pem"), "certificate": str(tmp_path / "shown.pem"), "key": str(tmp_path / "shown.key")}
    with scripted(context) as receiver:
        for name in ("client", "renewed"):
            for suffix in ("pem", "key"):
                (tmp_path / f"shown.{suffix}").write_bytes((tmp_path / f"{name}.{suffix}").read_bytes())
            one = one if name == "renewed" else client(receiver.url, **shown)  # noqa: F821
            before = one._pool
            assert one.send(one.pack(b"body")) == Accepted()
            assert one._pool is not before
        for settings in ({"ca": shown["ca"]}, {"certificate": shown["certificate"], "key": shown["key"]}):
            outcome = client(receiver.url, **settings).send(b"")
            assert isinstance(outcome, Retry) and outcome.reason in ("tls", "connection"), outcome
        assert client(receiver.url, verify=False, certificate=shown["certificate"], key=shown["key"]).send(b"") == Accepted()
        (tmp_path / "shown.key").unlink()
        assert isinstance(one.send(b""), Retry)
        assert len(receiver.received) == 3
