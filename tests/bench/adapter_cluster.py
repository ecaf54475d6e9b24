"""API server at the wire for the benchmark of the adapter: Secrets, EndpointSlices and nodes besides users and rights."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

from tests.adapter.api_server import ApiServer, Handler
from tests.bench.simulated_agents import address, node

SECRETS, NODES = "/api/v1/namespaces/telegen/secrets", "/api/v1/nodes"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/telegen/endpointslices"
ENDPOINTS = 100
"""Endpoints of a slice, as the controller makes them."""


class BenchServer(ApiServer):
    """State of the server.

    Attributes:
        secrets: by name.
        objects_of: objects by path of their collection.
    """

    def __init__(self, trust: dict[str, str]) -> None:
        super().__init__(trust)
        self.secrets: dict[str, Any] = {}
        self.objects_of: dict[str, list[dict[str, Any]]] = {SLICES: [], NODES: []}

    def fill(self, agents: int, port: int) -> None:
        """Create the nodes, then the endpoints of their agents."""
        self.objects_of[NODES] = [_object("Node", node(number), labels=_labels(number)) for number in range(agents)]
        found = []
        for start in range(0, agents, ENDPOINTS):
            endpoints = [
                {"addresses": [address(one)], "nodeName": node(one), "conditions": {"ready": True}}
                for one in range(start, min(agents, start + ENDPOINTS))
            ]
            head = {**_object("EndpointSlice", f"telegen-agents-{start}"), "addressType": "IPv4"}
            found.append({**head, "endpoints": endpoints, "ports": [{"name": "adapter", "port": port}]})
        self.objects_of[SLICES] = found

    def mount(self, name: str, folder: Path) -> bool:
        """Write the files of a Secret; return False if it does not exist yet."""
        if name not in self.secrets:
            return False
        folder.mkdir(exist_ok=True)
        for key, value in self.secrets[name]["data"].items():
            (folder / key).write_bytes(base64.b64decode(value))
        return True


def _object(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "uid": f"{kind}-{name}", "resourceVersion": "1", **metadata}}


def _labels(number: int) -> dict[str, str]:
    names = {f"beta.kubernetes.io/label-{one}": "some-value" for one in range(10)}
    return {**names, "kubernetes.io/hostname": node(number), "topology.kubernetes.io/zone": f"zone-{number % 3}"}


class BenchHandler(Handler):
    """Requests to a `BenchServer`."""

    state: BenchServer

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        form = dict(urllib.parse.parse_qsl(url.query))
        if url.path in self.state.objects_of:
            self._collection(url.path, form)
        elif url.path.startswith(f"{SECRETS}/"):
            found = self.state.secrets.get(url.path.rpartition("/")[2])
            self.send_json(200 if found else 404, found or {"kind": "Status", "reason": "NotFound", "code": 404})
        else:
            super().do_GET()

    def do_POST(self) -> None:
        if urllib.parse.urlsplit(self.path).path == SECRETS:
            self._store(201)
        else:
            super().do_POST()

    def do_PUT(self) -> None:
        self._store(200)

    def _store(self, status: int) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.version += 1
        body["metadata"]["resourceVersion"] = str(self.state.version)
        self.state.secrets[body["metadata"]["name"]] = body
        self.send_json(status, body)

    def _collection(self, path: str, form: dict[str, str]) -> None:
        """Send a list, or a watch that sends all objects once they are there."""
        if not form.get("watch"):
            self.send_json(200, {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": self.state.objects_of[path]})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        sent = list[dict[str, Any]]()
        if form.get("sendInitialEvents") == "true":
            sent = self.state.objects_of[path]
            self._events(sent)
            self.send_event("BOOKMARK", {"metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}})
        while not self.state.is_stopped:
            if self.state.objects_of[path] is not sent:
                sent = self.state.objects_of[path]
                self._events(sent)
            time.sleep(0.2)

    def _events(self, objects: list[dict[str, Any]]) -> None:
        for one in objects:
            self.send_event("ADDED", one)
