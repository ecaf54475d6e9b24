"""An API server for single objects at the wire: GET, POST and PUT with resourceVersions, and levers for races and failures."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRETS = "/api/v1/namespaces/telegen/secrets/"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices/"


class ApiServer:
    """Objects by path.

    Attributes:
        refused: beginnings of paths that answer 403.
        before: called with method and path before a request is answered; a test blocks or changes objects in it.
        is_down: True to close connections without an answer.
        writes: method and path of every write that succeeded.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.refused: tuple[str, ...] = ()
        self.is_down = False
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.writes: list[tuple[str, str]] = []
        self._lock, self._version = threading.Lock(), 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, obj: dict[str, Any]) -> None:
        """Store an object as its next version."""
        with self._lock:
            self._store(path, obj)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and object of a request."""
        self.before(method, path)
        if path.startswith(self.refused) and self.refused:
            return _status(403, "Forbidden", "no right")
        with self._lock:
            if method == "POST":
                path = f"{path}/{body['metadata']['name']}"
                if path in self.objects:
                    return _status(409, "AlreadyExists", f"{path} already exists")
            elif path not in self.objects:
                return _status(404, "NotFound", f"{path} not found")
            if method == "GET":
                return 200, self.objects[path]
            known = self.objects.get(path)
            if known and body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                return _status(409, "Conflict", f"{path} has been modified")
            self.writes.append((method, path))
            return 200, self._store(path, body)

    def _store(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        metadata = {"uid": str(uuid.uuid4()), **obj["metadata"], "resourceVersion": str(self._version)}
        self.objects[path] = {**obj, "metadata": metadata}
        return self.objects[path]


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def _answer(self) -> None:
        if self.api.is_down:
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, obj = self.api.answer(self.command, self.path, body)
        data = json.dumps(obj).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        self.wfile.write(head.encode() + data)

    do_GET = do_POST = do_PUT = _answer


def _status(code: int, reason: str, message: str) -> tuple[int, Any]:
    return code, {"kind": "Status", "code": code, "reason": reason, "message": message}


def apiservice(name: str, service: str = "telegen/telegen-adapter", **spec: Any) -> dict[str, Any]:
    """An APIService of a Service NAMESPACE/NAME, "" for one that the API server itself serves."""
    namespace, _, short = service.partition("/")
    owner = {"service": {"namespace": namespace, "name": short, "port": 443}} if service else {}
    version, _, group = name.partition(".")
    return {"metadata": {"name": name, "annotations": {}}, "spec": {"group": group, "version": version, **owner, **spec}}


@contextlib.contextmanager
def serving_apiservice(name: str) -> Iterator[ApiServer]:
    """Run an API server with one APIService, of the adapter."""
    server = ApiServer()
    server.put(APISERVICES + name, apiservice(name))
    try:
        yield server
    finally:
        server.stop()
