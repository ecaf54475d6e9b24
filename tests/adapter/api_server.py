"""An API server at the wire with the users, rights and authorities that `identities.json` was recorded with."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.adapter.cluster import HERE, Objects

USERS = {"admin-token": ("admin", ["system:masters"]), "alice-token": ("alice", ["devs", "qa"]), "bob-token": ("bob", ["ops"])}
METRICS = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
DISCOVERY = ("/api", "/apis", "/healthz", "/livez", "/openapi", "/readyz", "/version")
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
NAME = "extension-apiserver-authentication"


class ApiServer:
    """State of the server; tests change it while it serves.

    Attributes:
        trust: data of the ConfigMap with the authorities.
        reviews: specs of all reviews, in their order.
        is_away: no review is answered.
        denied: namespace of which an authorizer denies everything, whatever else is allowed.
        answers: reviews wait for it.
        delay: seconds before the ConfigMap is read.
        is_stopped: watches end.
    """

    def __init__(self, trust: dict[str, str]) -> None:
        self.trust, self.version, self.is_away, self.is_stopped = trust, 1, False, False
        self.reviews = list[tuple[str, dict[str, Any]]]()
        self.answers, self.delay, self.denied = threading.Event(), 0.0, ""
        self.answers.set()
        self.objects = Objects(json.loads((HERE / "objects.json").read_text())["items"])
        self.url = ""

    def publish(self, **trust: str) -> None:
        """Change keys of the ConfigMap."""
        self.trust = {**self.trust, **trust}
        self.version += 1

    def config_map(self) -> dict[str, Any]:
        """Return the ConfigMap."""
        metadata = {"name": NAME, "namespace": "kube-system", "uid": "u1", "resourceVersion": str(self.version)}
        return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": self.trust}

    def reviewed(self, path: str, spec: dict[str, Any]) -> dict[str, Any] | None:
        """Return the status of a review, None for no answer."""
        kind = path.rsplit("/", 1)[-1]
        self.reviews.append((kind, spec))
        self.answers.wait(60)
        if self.is_away:
            return None
        if kind == "tokenreviews":
            name, groups = USERS.get(spec["token"], ("", []))
            user = {"username": name, "groups": [*groups, "system:authenticated"], "extra": {"k": ["v"]}}
            return {"authenticated": True, "user": user} if name else {"authenticated": False}
        namespace = (spec.get("resourceAttributes") or {}).get("namespace", "")
        return {"allowed": is_allowed(spec) and (not namespace or namespace != self.denied)}


State = TypeVar("State", bound=ApiServer)


def is_allowed(spec: dict[str, Any]) -> bool:
    """Decide as RBAC would with the rights of the recorded cluster."""
    wanted, path = spec.get("resourceAttributes") or {}, spec.get("nonResourceAttributes") or {}
    if "system:masters" in spec["groups"]:
        return True
    if path:
        is_known = "system:authenticated" in spec["groups"]
        discovered = any(path["path"] == root or path["path"].startswith(f"{root}/") for root in DISCOVERY)
        public = path["path"] in ("/healthz", "/livez", "/readyz", "/version")
        return path["verb"] == "get" and ((is_known and discovered) or public)
    if spec["user"] == "alice":
        return wanted.get("group", "") in ("", *METRICS) and wanted["verb"] in ("get", "list")
    carol = {"verb": "get", "group": METRICS[1], "resource": "pods", "subresource": "http_inflight", "namespace": "shop"}
    return spec["user"] == "carol" and all(wanted.get(key, "") == value for key, value in carol.items())


class Handler(http.server.BaseHTTPRequestHandler):
    """Requests to an `ApiServer`."""

    protocol_version = "HTTP/1.1"
    state: ApiServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.state.reviewed(self.path, body["spec"])
        if status is None:
            self.send_json(500, {"kind": "Status", "message": "no leader", "reason": "InternalError", "code": 500})
        else:
            self.send_json(201, {**body, "status": status})

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        form = dict(urllib.parse.parse_qsl(url.query))
        if url.path != CONFIG_MAPS:
            self.send_json(*self.state.objects.answer(url.path, form))
            return
        time.sleep(self.state.delay)
        if form.get("watch"):
            self._watch(form)
        else:
            state = self.state
            metadata = {"resourceVersion": str(state.version)}
            self.send_json(200, {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": [state.config_map()]})

    def _watch(self, form: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        seen = int(form.get("resourceVersion") or 0)
        if form.get("sendInitialEvents") == "true":
            seen = self.state.version
            self.send_event("ADDED", self.state.config_map())
            metadata = {"resourceVersion": str(seen), "annotations": {"k8s.io/initial-events-end": "true"}}
            self.send_event("BOOKMARK", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata})
        ends = time.monotonic() + int(form.get("timeoutSeconds") or 60)
        while time.monotonic() < ends and not self.state.is_stopped:
            if self.state.version > seen:
                seen = self.state.version
                self.send_event("MODIFIED", self.state.config_map())
            time.sleep(0.02)

    def send_event(self, kind: str, obj: dict[str, Any]) -> None:
        """Send an event of a watch."""
        self.wfile.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        self.wfile.flush()

    def send_json(self, status: int, document: Any) -> None:
        """Send an answer."""
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@contextmanager
def serving(state: State, handler: type[Handler] = Handler) -> Iterator[State]:
    """Serve a state on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        state.is_stopped = True
        server.shutdown()
        thread.join()
        server.server_close()
