"""The client of a receiver by gRPC, against answers at the wire."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from telegen.otlp.grpc import GrpcClient
from telegen.otlp.outcome import Accepted, Outcome, Refused, Retry, retry_delay
from telegen.otlp.settings import GRPC, METHODS, Receiver
from telegen.otlp.wire import message
from tests.otlp.grpc_receiver import GrpcAnswer, GrpcReceiver, grpc_receiver
from tests.otlp.test_http import make_certificates, partial
from tests.proxy import Proxy

CODE = grpc.StatusCode


def client(address: str, timeout: float = 30.0, scheme: str = "http", **settings: object) -> GrpcClient:
    """Make a client."""
    url = f"{scheme}://{address}{METHODS['metrics']}"
    return GrpcClient(Receiver(url, GRPC, timeout=timeout, **{"gzip": False, **settings}))  # type: ignore[arg-type]


@contextlib.contextmanager
def impatient(one: GrpcClient) -> Iterator[None]:
    """Let a client wait half a second for each answer; all others have as long as a busy machine needs."""
    receiver = one._receiver
    one._receiver = replace(receiver, timeout=0.5)
    yield
    one._receiver = receiver


def retry_info(seconds: int, nanos: int = 0) -> bytes:
    """Return a google.rpc.Status with a RetryInfo among its details."""
    delay = Duration(seconds=seconds, nanos=nanos).SerializeToString()
    info = Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=message(1, delay))
    other = Any(type_url="type.googleapis.com/google.rpc.DebugInfo", value=b"\xff")
    return b"\x08\x0e" + message(2, b"busy") + message(3, other.SerializeToString()) + message(3, info.SerializeToString())


@pytest.fixture(scope="module")
def receiver() -> Iterator[GrpcReceiver]:
    """A receiver that all tests share."""
    with grpc_receiver() as one:
        yield one


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (GrpcAnswer(), Accepted()),
        (GrpcAnswer(body=b"\x0a\x00"), Accepted()),
        (GrpcAnswer(body=partial(3, "too old")), Accepted(3, "too old")),
        (GrpcAnswer(body=b"<html>"), Refused("answer", "OK with an answer that is not OTLP; is this the address of an OTLP receiver?")),
        (GrpcAnswer(CODE.UNAVAILABLE, "go\n away"), Retry("UNAVAILABLE", "UNAVAILABLE: go away")),
        (GrpcAnswer(CODE.UNAVAILABLE, "wait", retry_info(4, 500_000_000)), Retry("UNAVAILABLE", "UNAVAILABLE: wait", 4.5)),
        (GrpcAnswer(CODE.RESOURCE_EXHAUSTED, "busy", retry_info(0)), Retry("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED: busy", 0.0)),
        (GrpcAnswer(CODE.RESOURCE_EXHAUSTED, "quota"), Refused("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED: quota")),
        (GrpcAnswer(CODE.RESOURCE_EXHAUSTED, "quota", b"\xff\xff"), Refused("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED: quota")),
        (GrpcAnswer(CODE.CANCELLED, "x"), Retry("CANCELLED", "CANCELLED: x")),
        (GrpcAnswer(CODE.DEADLINE_EXCEEDED, "x"), Retry("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED: x")),
        (GrpcAnswer(CODE.ABORTED, "x"), Retry("ABORTED", "ABORTED: x")),
        (GrpcAnswer(CODE.OUT_OF_RANGE, "x"), Retry("OUT_OF_RANGE", "OUT_OF_RANGE: x")),
        (GrpcAnswer(CODE.DATA_LOSS, "x"), Retry("DATA_LOSS", "DATA_LOSS: x")),
        (GrpcAnswer(CODE.INVALID_ARGUMENT, "bad"), Refused("INVALID_ARGUMENT", "INVALID_ARGUMENT: bad")),
        (GrpcAnswer(CODE.UNAUTHENTICATED, "no"), Refused("UNAUTHENTICATED", "UNAUTHENTICATED: no")),
        (GrpcAnswer(CODE.UNIMPLEMENTED, ""), Refused("UNIMPLEMENTED", "UNIMPLEMENTED")),
        (GrpcAnswer(CODE.INTERNAL, "x", retry_info(1)), Refused("INTERNAL", "INTERNAL: x")),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_outcomes(receiver: GrpcReceiver, answer: GrpcAnswer, outcome: Outcome) -> None:
    """Each code is read as the specification of OTLP/gRPC says; RESOURCE_EXHAUSTED is retried only with a RetryInfo."""
    receiver.script = [answer]
    with contextlib.closing(client(receiver.address)) as one:
        assert one.send(b"body") == outcome


@pytest.mark.parametrize(("seconds", "delay"), [(7200, 3600.0), (-5, 0.0), (2, 2.0)])
def test_bounds_of_retry_info(seconds: int, delay: float) -> None:
    """No delay is longer than an hour or shorter than none."""
    assert retry_delay(retry_info(seconds)) == delay


@given(st.binary(max_size=60))
def test_retry_info_from_garbage(garbage: bytes) -> None:
    """Details of any content give a delay within the bounds, or none."""
    for status in (garbage, message(3, garbage), message(3, message(1, b"google.rpc.RetryInfo"), message(2, garbage))):
        delay = retry_delay(status)
        assert delay is None or 0 <= delay <= 3600


def test_request_on_the_wire(receiver: GrpcReceiver) -> None:
    """Method, metadata and body of a request; all requests use one connection, and gzip makes them small."""
    receiver.received.clear()
    receiver.peers.clear()
    with contextlib.closing(client(receiver.address, headers={"authorization": "Bearer x"})) as one:
        for _ in range(3):
            assert one.send(one.pack(b"body")) == Accepted()
    method, metadata, body = receiver.received[0]
    assert method == "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    assert (metadata["authorization"], body) == ("Bearer x", b"body") and metadata["user-agent"].startswith("telegen/")
    assert len(set(receiver.peers)) == 1
    for gzip in (False, True):
        with contextlib.closing(Proxy(f"http://{receiver.address}")) as proxy:
            with contextlib.closing(client(proxy.url.removeprefix("http://"), gzip=gzip)) as one:
                assert one.send(bytes(1 << 20)) == Accepted()
                assert (proxy.sent < 100_000) == gzip
    assert receiver.received[-1][2] == bytes(1 << 20)


def test_limits_of_messages(receiver: GrpcReceiver) -> None:
    """A request above the receiver's 4 MiB is refused by a message with both sizes, and an answer above them is not read."""
    with contextlib.closing(client(receiver.address)) as one:
        assert one.send(bytes(3 << 20)) == Accepted()
        outcome = one.send(bytes(5 << 20))
        assert isinstance(outcome, Refused) and "larger than max (5242880 vs. 4194304)" in outcome.message
        receiver.script = [GrpcAnswer(body=bytes(5 << 20))]
        outcome = one.send(b"")
        assert isinstance(outcome, Refused) and outcome.reason == "RESOURCE_EXHAUSTED"
        assert one.send(b"") == Accepted()


def test_silence(receiver: GrpcReceiver) -> None:
    """A receiver that accepts and never answers holds the client for the timeout; the next request has a connection of its own."""
    receiver.peers.clear()
    with contextlib.closing(client(receiver.address)) as one:
        assert one.send(b"") == Accepted()
        receiver.script = [GrpcAnswer(hang=True)]
        with impatient(one):
            assert isinstance(outcome := one.send(b""), Retry) and outcome.reason == "DEADLINE_EXCEEDED"
        # A call that is cancelled before it is read takes no answer from the script.
        receiver.script.clear()
        assert one.send(b"") == Accepted()
    receiver.release()
    assert len(set(receiver.peers)) == 2


def test_network_that_drops_a_connection(receiver: GrpcReceiver) -> None:
    """A connection whose data the network drops, and one that it resets, cost one try each."""
    with contextlib.closing(Proxy(f"http://{receiver.address}")) as proxy:
        with contextlib.closing(client(proxy.url.removeprefix("http://"))) as one:
            for break_connection in (proxy.mute, proxy.reset):
                assert one.send(b"") == Accepted()
                break_connection()
                with impatient(one):
                    assert isinstance(one.send(b""), (Retry, Accepted))
                assert one.send(b"") == Accepted()


def test_receiver_that_goes_away() -> None:
    """A receiver that ends its connections by GOAWAY and returns gets the next requests; while it is away they are retried."""
    with grpc_receiver() as one, contextlib.closing(client(one.address)) as sender:
        assert sender.send(b"") == Accepted()
        one.stop()
        outcome = sender.send(b"")
        assert isinstance(outcome, Retry) and outcome.reason == "UNAVAILABLE"
        one.start()
        assert sender.send(b"") == Accepted()


def _close(connection: socket.socket) -> None:
    """Close after the first bytes."""


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _garbage(connection: socket.socket) -> None:
    connection.sendall(os.urandom(4096))


def _http1(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "text"),
    [(_close, "closed"), (_reset, ""), (_garbage, "HTTP/2"), (_http1, "http1.x server")],
    ids=["close", "reset", "garbage", "HTTP/1.1"],
)
def test_no_grpc(answer: Callable[[socket.socket], None], text: str) -> None:
    """A listener that is no gRPC server is retried, with the cause in the message."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1 << 16)
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with contextlib.closing(client(f"127.0.0.1:{server.getsockname()[1]}")) as one:
            outcome = one.send(b"")
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert isinstance(outcome, Retry) and outcome.reason == "UNAVAILABLE" and text in outcome.message


def test_no_listener() -> None:
    """An address without a listener and a name that does not exist are retried, with the address in the message."""
    for address, text in (("127.0.0.1:1", "ipv4:127.0.0.1:1: Failed to connect"), ("name.invalid:4317", "name.invalid")):
        with contextlib.closing(client(address)) as one:
            outcome = one.send(b"")
            assert isinstance(outcome, Retry) and text in outcome.message


def test_mutual_tls_and_rotation(tmp_path: Path) -> None:
    """Without a certificate and with a wrong CA nothing is sent; a certificate that is replaced is used for the next request."""
    make_certificates(tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in ("ca.pem", "server.pem", "server.key")}
    tls = grpc.ssl_server_credentials([(files["server.key"], files["server.pem"])], files["ca.pem"], require_client_auth=True)
    shown = {"ca": str(tmp_path / "ca.pem"), "certificate": str(tmp_path / "shown.pem"), "key": str(tmp_path / "shown.key")}
    with grpc_receiver(tls) as receiver:
        with contextlib.closing(client(receiver.address, scheme="https", **shown)) as one:
            for name in ("client", "renewed"):
                for suffix in ("pem", "key"):
                    shutil.copy(tmp_path / f"{name}.{suffix}", tmp_path / f"shown.{suffix}")
                assert one.send(b"") == Accepted()
                assert one.send(b"") == Accepted()
            assert [len(set(receiver.peers[number : number + 2])) for number in (0, 1, 2)] == [1, 2, 1]
            (tmp_path / "shown.key").write_text("no key")
            outcome = one.send(b"")
            assert isinstance(outcome, Retry) and outcome.reason == "tls" and "shown.key" in outcome.message
            (tmp_path / "shown.key").unlink()
            assert isinstance(outcome := one.send(b""), Retry) and "shown.key" in outcome.message
        own = {name: shown[name].replace("shown", "client") for name in ("certificate", "key")}
        for settings in ({"ca": shown["ca"]}, own):
            with contextlib.closing(client(receiver.address, scheme="https", **settings)) as one:
                assert isinstance(outcome := one.send(b""), Retry) and outcome.reason == "UNAVAILABLE"
        assert len(receiver.received) == 4
