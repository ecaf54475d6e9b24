"""kube-state-metrics itself, and what it takes of objects that no real API server would let in."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from telegen.demo.server import SimulatedServer
from telegen.demo.state import State
from telegen.kubestate.registry import RESOURCES
from tests.cluster.binaries import PEER, need
from tests.harness import free_port, get

Object = dict[str, Any]

BODIES = {"ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods", "Resource": "resource"}
"""Field of each type of metric of a HorizontalPodAutoscaler."""
TWINS = ("example.com/a.b-c_d", "example.com/a-b-c-d")
"""Two resources that have one name as a label: the peer prints a series twice, in the order of a Go map."""


@contextlib.contextmanager
def serving(objects: Iterable[tuple[str, Object]]) -> Iterator[SimulatedServer]:
    """A simulated API server that has objects, each given with its resource."""
    state = State()
    for name, table in RESOURCES.items():
        state.define(name, table.kind, table.api_version)
    state.fill(objects)
    server = SimulatedServer(state).start()
    try:
        yield server
    finally:
        server.stop()


class Peer:
    """A running kube-state-metrics."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.url, self._log = process, f"http://127.0.0.1:{port}/metrics", log

    def page(self) -> str:
        """Its page; "" as long as it does not listen.

        Raises:
            RuntimeError: it has ended, or cannot read an object.
        """
        log = self._log.read_text("utf-8", "replace")
        if self.process.poll() is not None or "Failed to watch" in log:
            raise RuntimeError(f"kube-state-metrics: {log[-4000:]}")
        try:
            return get(self.url, timeout=30).body.decode()
        except OSError:
            return ""


@contextlib.contextmanager
def peer(log: Path, *flags: str) -> Iterator[Peer]:
    """kube-state-metrics; its flags name the API server.

    Raises:
        Unavailable: it has not been built.
    """
    (program,) = need([PEER], os.environ)
    port, telemetry = free_port(), free_port()
    where = ["--host=127.0.0.1", f"--port={port}", "--telemetry-host=127.0.0.1", f"--telemetry-port={telemetry}"]
    command = [str(program), *where, *flags]
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, stdout=output, env={"HOME": "/nowhere"}) as process:
        try:
            yield Peer(process, port, log)
        finally:
            process.kill()


def palatable(obj: Object) -> Object:
    """A drawn object without what the peer ends at, or prints twice; changed in place."""
    kind, spec = obj["kind"], obj.get("spec") or {}
    if kind == "Ingress":
        for rule in spec.get("rules") or ():
            http = rule.get("http") or {}
            http["paths"] = [path for path in http.get("paths") or () if _leads_somewhere(path.get("backend") or {})]
    if kind == "HorizontalPodAutoscaler":
        for block, field in ((spec, "metrics"), (obj.get("status") or {}, "currentMetrics")):
            block[field] = [one for one in block.get(field) or () if one.get(BODIES.get(one["type"], "type"))]
    if kind == "Lease":
        for field in ("acquireTime", "renewTime"):
            # A MicroTime has six digits; the API server writes no others.
            spec.pop(field, None) if spec.get(field) is None else spec.update({field: "2026-01-05T08:00:00.123456Z"})
    _without_twins(obj)
    return obj


def _leads_somewhere(backend: Object) -> bool:
    return bool(backend.get("service") or backend.get("resource"))


def _without_twins(value: Any) -> None:
    if isinstance(value, dict):
        if TWINS[0] in value:
            value.pop(TWINS[1], None)
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        _without_twins(inner)
