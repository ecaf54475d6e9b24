"""A real etcd and a real kube-apiserver on loopback, with RBAC, an administrator for writing and the agent's own
account."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import functools
import json
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.cluster.binaries import Programs
from tests.harness import free_port
from tests.process_tree import wait_for

ADMIN = "admin-token-of-a-test"
ACCOUNT = Path(__file__).parents[2] / "k8s" / "account"
RBAC = ACCOUNT / "rbac.yaml"
LEASES = ACCOUNT.parent / "base" / "leases.yaml"
SECRETS = ACCOUNT.parent / "components" / "secrets" / "right.yaml"
NAMESPACE = ACCOUNT.parent / "components" / "namespace-restricted" / "namespace.yaml"
START = 60.0
"""Seconds that the pair may take to start; it takes 6 to 8."""
SINCE = {
    "mutatingadmissionpolicies": 36,
    "mutatingadmissionpolicybindings": 36,
    "validatingadmissionpolicies": 30,
    "validatingadmissionpolicybindings": 30,
}
"""Minor version of Kubernetes that began to serve a resource by default; all others are in every version that is tested."""
PLURALS = {"Endpoints": "endpoints", "Ingress": "ingresses", "StorageClass": "storageclasses", "NetworkPolicy": "networkpolicies"}

Object = dict[str, Any]
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(1, int(signal.SIGKILL), 0, 0, 0)


class Refused(Exception):
    """The API server refused a request; the message is its own."""


class ControlPlane:
    """The pair, and what tests do with it."""

    def __init__(self, programs: Programs, folder: Path, *settings: str, users: Iterable[str] = ()) -> None:
        """Prepare.

        Args:
            settings: further arguments of kube-apiserver.
            users: further lines of its --token-auth-file.
        """
        self._programs, self._folder, self._settings, self._users = programs, folder, settings, users
        self._ports = {name: free_port() for name in ("client", "peer", "secure")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._certificate = folder / "certs" / "apiserver.crt"
        """The server's certificate with the CA that it has made itself."""
        self._http: urllib3.PoolManager | None = None
        self.url = f"https://127.0.0.1:{self._ports['secure']}"

    def start(self) -> None:
        """Start both and wait until the API is served."""
        key = self._folder / "account.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True, timeout=200)
        users = (f"{ADMIN},admin,admin,system:masters", *self._users)
        (self._folder / "tokens.csv").write_text("".join(f"{line}\n" for line in users))
        client = f"http://127.0.0.1:{self._ports['client']}"
        peer = f"http://127.0.0.1:{self._ports['peer']}"
        self._run(
            self._programs.etcd,
            f"--data-dir={self._folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )
        self.start_apiserver()

    @classmethod
    @contextlib.contextmanager
    def running(cls, programs: Programs, folder: Path, *settings: str, users: Iterable[str] = ()) -> Iterator[ControlPlane]:
        """One that has started; it is stopped at the end of the context."""
        plane = cls(programs, folder, *settings, users=users)
        try:
            plane.start()
            yield plane
        finally:
            plane.stop()

    def start_apiserver(self) -> None:
        """Start the API server, on its port, and wait until it is ready."""
        key = self._folder / "account.key"
        self._run(
            self._programs.apiserver,
            f"--etcd-servers=http://127.0.0.1:{self._ports['client']}",
            f"--cert-dir={self._folder}/certs",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            # No Endpoints of the service `kubernetes`: from 1.37 on a server whose address there is loopback does not start.
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._ports['secure']}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._folder}/tokens.csv",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
            "--anonymous-auth=false",
            "--allow-privileged=true",
            "--shutdown-delay-duration=0s",
            *self._settings,
        )
        wait_for("the API server", self._is_ready, START, 0.1)

    def stop_apiserver(self) -> None:
        """Kill the API server: every connection ends, as when its machine does."""
        self._end("kube-apiserver", signal.SIGKILL)

    def stop(self) -> None:
        """End both."""
        if self._http:
            self._http.clear()
        self._end("kube-apiserver", signal.SIGKILL)
        self._end("etcd", signal.SIGTERM)

    def _run(self, program: Path, *arguments: str) -> None:
        with (self._folder / f"{program.name}.log").open("ab") as log:
            command = [str(program), *arguments]
            self._processes[program.name] = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent)

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self._processes.pop(name, None)
        if process:
            process.send_signal(how)
            process.wait(120)

    def _is_ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, (self._folder / f"{name}.log").read_text()[-2000:]
        if not self._certificate.exists():
            return False
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self._send("GET", "/readyz").status == 200
        return False

    def _send(self, method: str, path: str, body: bytes | None = None, kind: str = "", accept: str = "*/*") -> urllib3.BaseHTTPResponse:
        self._http = self._http or urllib3.PoolManager(ca_certs=str(self._certificate), timeout=30.0, maxsize=16)
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind, "Accept": accept}
        return self._http.request(method, self.url + path, body=body, headers=headers, retries=False)

    @functools.cached_property
    def minor(self) -> int:
        """Minor version of Kubernetes."""
        return self._programs.minor

    def lacks(self, resource: str) -> bool:
        """Return True if the API server is older than a resource."""
        return self.minor < SINCE.get(resource, 0)

    @property
    def certificate(self) -> bytes:
        """CA certificate of the API server, PEM."""
        return self._certificate.read_bytes()

    # --- writing, as the administrator

    def request(self, method: str, path: str, body: Object | None = None, kind: str = "application/json", accept: str = "*/*") -> Any:
        """Send one request as administrator; return the decoded JSON.

        Raises:
            Refused: the status was 300 or higher.
        """
        answer = self._send(method, path, json.dumps(body).encode() if body else None, kind, accept)
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {answer.data.decode()[:500]}")
        return json.loads(answer.data)

    def request_raw(self, method: str, path: str, body: bytes) -> None:
        """Send one request of the administrator, whose body is JSON that Python need not be able to decode.

        Raises:
            Refused: the answer was no success.
        """
        answer = self._send(method, path, body, "application/json")
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {answer.data.decode()[:500]}")

    def create(self, obj: Object) -> Object:
        """Create an object, then set its status through the subresource."""
        path = _collection(obj)
        made: Object = self.request("POST", path, obj)
        if "status" in obj:
            made = self.patch(made, {"status": obj["status"]}, "status")
        return made

    def apply(self, objs: Iterable[Object]) -> list[Object]:
        """Create objects, in order."""
        return [self.create(obj) for obj in objs]

    def patch(self, obj: Object, change: Object, subresource: str = "") -> Object:
        """Merge a change into an object."""
        path = _path(obj) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, change, "application/merge-patch+json")  # type: ignore[no-any-return]

    def delete(self, obj: Object) -> None:
        """Delete an object at once."""
        self.request("DELETE", f"{_path(obj)}?gracePeriodSeconds=0")

    def objects(self, path: str) -> list[Object]:
        """All objects of a collection, as they are now, with their kind."""
        listed = self.request("GET", path)
        kind = {"kind": listed["kind"][: -len("List")], "apiVersion": listed["apiVersion"]}
        return [{**kind, **item} for item in listed["items"]]

    # --- the agent's account

    def agent_token(self) -> str:
        """A token with exactly the rights of k8s/account/rbac.yaml and components/secrets and, on Leases, of k8s/base/leases.yaml."""
        (secrets,) = [step["value"] for step in yaml.safe_load(SECRETS.read_text())]
        for path in (NAMESPACE, RBAC, LEASES):
            for obj in yaml.safe_load_all(path.read_text()):
                with contextlib.suppress(Refused):
                    self.create(obj)
                if obj["kind"] == "ClusterRole":
                    self.patch(obj, {"rules": [*obj["rules"], secrets]})
        return self.token("telegen", "telegen")

    def forget_agent(self) -> None:
        """Delete what agent_token has made, but the namespace; tests of manifests make these objects themselves."""
        for path in (RBAC, LEASES):
            for obj in yaml.safe_load_all(path.read_text()):
                with contextlib.suppress(Refused):
                    self.delete(obj)

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.request("POST", path, body)["status"]["token"])

    def kubeconfig(self, path: Path, token: str, url: str = "") -> Path:
        """A kubeconfig for this token, written to `path`; `url` may lead to the server by another way."""
        ca = base64.b64encode(self._certificate.read_bytes()).decode()
        cluster = {"server": url or self.url, "certificate-authority-data": ca}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "agent", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "agent"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path


def _collection(obj: Object) -> str:
    """The path of an object's collection."""
    version = obj["apiVersion"]
    plural = PLURALS.get(obj["kind"], obj["kind"].lower() + "s")
    namespace = obj["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"/{'apis' if '/' in version else 'api'}/{version}{inside}/{plural}"


def _path(obj: Object) -> str:
    return f"{_collection(obj)}/{obj['metadata']['name']}"


def pod(name: str, namespace: str = "default", **status: Any) -> Object:
    """A pod that the API server takes, with a status."""
    spec = {
        "nodeName": "node-1",
        "containers": [{"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}],
    }
    base = {"phase": "Running", "podIP": "10.0.0.7", "startTime": "2026-01-05T08:00:00Z"}
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "shop"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {**base, **status}}


def node(name: str) -> Object:
    """A node with a status."""
    status = {
        "capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T08:00:00Z"}],
        "addresses": [{"type": "InternalIP", "address": "192.168.0.1"}],
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}


def deployment(name: str, replicas: int = 2) -> Object:
    """A deployment with a status."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "shop:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": "default"}
    status = {"replicas": replicas, "readyReplicas": 1, "observedGeneration": 1}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec, "status": status}
