"""A scripted receiver of OTLP by HTTP: it keeps what it is sent and answers as a test wants."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

Series = tuple[str, tuple[tuple[str, str], ...]]
"""(name, sorted attributes)."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        hang: seconds before it is sent, or until the receiver ends.
        reset: break the connection instead.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: float = 0.0
    reset: bool = False


@dataclass(frozen=True)
class Received:
    """One request, its body as sent, and the time of its arrival."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        return zlib.decompress(self.body, 31) if self.headers.get("content-encoding") == "gzip" else self.body

    @property
    def metrics(self) -> ExportMetricsServiceRequest:
        """The body as a message of metrics."""
        return ExportMetricsServiceRequest.FromString(self.content)

    @property
    def logs(self) -> ExportLogsServiceRequest:
        """The body as a message of logs."""
        return ExportLogsServiceRequest.FromString(self.content)


class ScriptedReceiver:
    """The receiver's state.

    Attributes:
        script: answers to the next requests; when it is empty, `usual` answers.
        received: requests that were answered with a success.
        tried: all requests.
        connections: number of connections so far.
        ended: set at the end, so that no answer outlasts it.
    """

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.usual = Answer()
        self.received: list[Received] = []
        self.tried: list[Received] = []
        self.url, self.connections, self.ended = "", 0, threading.Event()

    def take(self, request: Received) -> Answer:
        """Return the answer to a request."""
        self.tried.append(request)
        answer = self.script.pop(0) if self.script else self.usual
        if answer.status == 200 and not answer.reset and not answer.hang:
            self.received.append(request)
        return answer

    def points(self) -> list[tuple[Series, int, float | None]]:
        """Return (series, time, value) of all points that were accepted, None for the last point of a series."""
        return [point for request in self.received for point in points_of(request.metrics)]


def points_of(message: ExportMetricsServiceRequest) -> Iterator[tuple[Series, int, float | None]]:
    """Yield (series, time, value) of each point; the value is None for the last point of a series."""
    for resource in message.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in (*metric.gauge.data_points, *metric.sum.data_points):
                    labels = tuple(sorted((item.key, item.value.string_value) for item in point.attributes))
                    yield (metric.name, labels), point.time_unix_nano, None if point.flags & 1 else point.as_double


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: ScriptedReceiver

    def setup(self) -> None:
        """Count the connection."""
        self.receiver.connections += 1
        super().setup()

    def do_POST(self) -> None:
        """Keep the request and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {key.lower(): value for key, value in self.headers.items()}
        answer = self.receiver.take(Received(self.path, headers, body, time.monotonic()))
        if answer.reset:
            # Zero seconds of linger: close sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if answer.hang:
            self.receiver.ended.wait(answer.hang)
        with contextlib.suppress(OSError):
            self.send_response(answer.status)
            for key, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that break the connection."""


@contextlib.contextmanager
def scripted(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[ScriptedReceiver]:
    """Run a receiver on 127.0.0.1."""
    receiver = ScriptedReceiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    server = _Server(("127.0.0.1", port), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
