"""An agent that the adapter of the metrics APIs polls: with certificates and cgroups of a test's own, and a simulated API server."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telegen.demo.server import SimulatedServer
from tests.cadvisor.page import v2_tree, write
from tests.certificates import self_signed, signed
from tests.harness import Agent, free_port, replace_file, start_agent
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  node_name: node-1
  kube_state: {{apiserver: '{url}', resources: [namespaces, deployments]}}
  cadvisor: {{enabled: {containers}, collect_interval: 1s, cgroup_root: {root}/cgroup, root: {root}/host}}
adapter: {{agent_address: 127.0.0.1:{second}, agent_tls_dir: {root}/tls}}
api: {{backoff_initial: 50ms, backoff_max: 500ms, read_timeout: 10s}}
supervisor: {{backoff_initial: 100ms, backoff_max: 1s}}
"""
SERVER, CLIENT = "telegen-agents.monitoring.svc", "telegen-adapter"


@dataclass(frozen=True)
class Reply:
    """An answer of the agent."""

    status: int
    etag: str
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Site:
    """An agent on a node whose cgroups the test writes, and the adapter's requests to it."""

    def __init__(self, root: Path, agent: Agent, port: int, pod: dict[str, Any]) -> None:
        self.root, self.agent, self.port, self.pod = root, agent, port, pod

    def context(self, client: str) -> ssl.SSLContext:
        """Return the context of a client that trusts the CA."""
        context = ssl.create_default_context(cafile=str(self.root / "ca.crt"))
        # The CA of the tests lacks extensions that Python 3.13 demands.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if client:
            context.load_cert_chain(self.root / f"{client}.crt", self.root / f"{client}.key")
        return context

    def get(self, path: str, client: str = "client", headers: Mapping[str, str] = {}) -> Reply:
        """Send a request as the adapter does, with the client certificate of this name; "" for none."""
        context = self.context(client)
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=10)
        try:
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            return Reply(response.status, response.headers.get("ETag", ""), response.read())
        finally:
            connection.close()

    def status(self, client: str) -> int:
        """Return the status of a request for usage, 0 if the connection is refused."""
        try:
            return self.get("/adapter/v1/usage", client).status
        except (OSError, http.client.HTTPException):
            return 0

    def usage(self) -> Any:
        """Return the first document, and wait for it."""
        wait_for("usage", lambda: self.status("client") == 200, 20)
        return self.get("/adapter/v1/usage").document

    @property
    def folders(self) -> list[Path]:
        """Cgroups of the pod's two containers."""
        folder = self.root / "cgroup" / "kubepods.slice" / f"kubepods-pod{self.pod['metadata']['uid'].replace('-', '_')}.slice"
        ids = [status["containerID"].partition("://")[2] for status in self.pod["status"]["containerStatuses"]]
        return [folder / f"cri-containerd-{id}.scope" for id in ids]


@contextmanager
def started(root: Path, server: SimulatedServer, containers: bool = True) -> Iterator[Site]:
    """Run an agent on the node of a pod, with its containers or with kube_* alone."""
    pod = next(one for one in map(lambda stored: stored.load(), server.state.collections["pods"].objects.values())
               if one["spec"]["nodeName"] == "node-1")  # fmt: skip
    v2_tree(root / "cgroup")
    port = free_port()
    with start_agent(CONFIG, url=server.url, root=root, second=port, containers=str(containers).lower()) as agent:
        site = Site(root, agent, port, pod)
        for folder in (site.folders[0].parent, *site.folders):
            write(folder, cpu_stat="usage_usec 0\n", memory_stat="inactive_file 100\n", memory_current="1100\n")
        yield site


def make_certificates(root: Path) -> None:
    """The adapter's CA, the agent's Secret, and the certificates of clients."""
    authority = self_signed(root, "ca", "DNS:ca")
    (root / "tls").mkdir()
    for name, sans in {"client": f"DNS:{CLIENT}", "other": "DNS:other", "server": f"DNS:{SERVER}"}.items():
        signed(root, name, sans, authority)
    self_signed(root, "foreign", f"DNS:{CLIENT}")
    install(root)


def install(root: Path) -> None:
    """Put the files of the Secret into its folder."""
    for name, source in {"tls.crt": "server.crt", "tls.key": "server.key", "ca.crt": "ca.crt"}.items():
        replace_file(root / "tls" / name, (root / source).read_text())
