"""Runs a real OpenTelemetry collector that writes what it receives to a file."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.cluster.binaries import COLLECTOR, need
from tests.harness import free_port
from tests.otlp.receiver import Series, points_of
from tests.process_tree import wait_for

CONFIG = """
receivers:
  otlp:
    protocols:
      http: {{endpoint: "127.0.0.1:{port}"{tls}}}
      grpc: {{endpoint: "127.0.0.1:{grpc_port}"{tls}}}
exporters:
  file: {{path: "{out}", append: true, flush_interval: 50ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [file]}}
    logs: {{receivers: [otlp], exporters: [file]}}
"""


class Collector:
    """A collector on ports of its own, which it keeps over restarts.

    Attributes:
        port, grpc_port: of OTLP by HTTP and by gRPC.
    """

    def __init__(self, folder: Path, program: Path, tls: str) -> None:
        self._folder, self._program = folder, program
        self.port, self.grpc_port, self._out = free_port(), free_port(), folder / "out.jsonl"
        (folder / "collector.yaml").write_text(CONFIG.format(port=self.port, grpc_port=self.grpc_port, out=self._out, tls=tls))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        log = self._folder / "collector.log"
        log.write_bytes(b"")
        with log.open("wb") as output:
            self._process = subprocess.Popen([self._program, "--config", self._folder / "collector.yaml"], stderr=output)
        wait_for("the collector", lambda: b"Everything is ready" in log.read_bytes(), 30)

    def stop(self) -> None:
        """Stop it; what it has received is in its file then."""
        if self._process:
            self._process.terminate()
            self._process.wait(120)
            self._process = None

    def _messages(self, key: str) -> list[dict[str, Any]]:
        # The last line may be incomplete.
        lines = self._out.read_text().split("\n")[:-1] if self._out.exists() else []
        return [message for message in map(json.loads, lines) if key in message]

    def metrics(self) -> list[ExportMetricsServiceRequest]:
        """Return all requests with metrics."""
        return [ParseDict(message, ExportMetricsServiceRequest()) for message in self._messages("resourceMetrics")]

    def points(self) -> list[tuple[Series, int, float | None]]:
        """Return (series, time, value) of all points, None for the last point of a series."""
        return [point for request in self.metrics() for point in points_of(request)]

    def logs(self) -> list[tuple[dict[str, str], LogRecord]]:
        """Return (resource attributes, record) of all logs."""
        requests = [ParseDict(message, ExportLogsServiceRequest()) for message in self._messages("resourceLogs")]
        return [
            ({item.key: item.value.string_value for item in resource.resource.attributes}, record)
            for request in requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def newest(self) -> dict[Series, float | None]:
        """Return the newest value of each series."""
        return {series: value for series, _, value in self.points()}


@contextlib.contextmanager
def collecting(folder: Path, tls: str = "") -> Iterator[Collector]:
    """Run a collector.

    Args:
        tls: more settings of its receivers, as `, tls: {...}`.
    """
    (program,) = need([COLLECTOR], os.environ)
    collector = Collector(folder, program, tls)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()
