"""Agents of many nodes in one process: `python -m tests.bench.simulated_agents --agents 5000 --pods 30 --tls FOLDER`.

One listener answers on all addresses of 127.0.0.0/8; an agent is known by the address that is connected to. It prints its port.
"""

from __future__ import annotations

import argparse
import re
import resource
import selectors
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from telegen.cadvisor.usage.document import numbers

PASS = 10.0
"""Seconds between two passes of an agent's sampler."""
CONTAINERS = ("app", "istio-proxy")
CONTAINER_METRICS = ("cpu", "memory", "swap", "cpu_throttled_ratio", "oom_kills", "fs_read_bytes", "fs_write_bytes", "fs_reads",
                     "fs_writes", "restarts")  # fmt: skip
POD_METRICS = ("cpu_pressure", "memory_pressure", "io_pressure", "receive_bytes", "transmit_bytes")
NODE_METRICS = ("cpu", "memory", "swap", *POD_METRICS)
BIG, BIG_PODS = "big", 2
"""A namespace that has so many pods of each agent: 10,000 of 5,000."""
SMALL_PODS = 100
"""Pods of each of the other namespaces."""
NAME = "telegen-agents.telegen.svc"
_GENERATION, _ETAG = re.compile(rb"generation=(\S+?)[& ]"), re.compile(rb"If-None-Match: (\S+)")


def address(number: int) -> str:
    """Return the address of an agent."""
    return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def node(number: int) -> str:
    """Return the name of an agent's node."""
    return f"node-{number}"


def pod_name(number: int) -> str:
    """Return the name of a pod, by its number in the cluster."""
    return f"deployment-{number // 100}-5d8f7c9b4-{number:06d}"


def namespace_of(agent: int, number: int, agents: int, pods: int) -> str:
    """Return the namespace of a pod of an agent."""
    if number < BIG_PODS:
        return BIG
    return f"ns-{(agent + agents * (number - BIG_PODS)) * 7919 % max(1, agents * (pods - BIG_PODS) // SMALL_PODS)}"


class SimulatedAgent:
    """One agent."""

    def __init__(self, number: int, agents: int, pods: int) -> None:
        self._number, self._pods = number, pods
        self._generation = f"{number:024x}"
        self._objects = orjson.dumps([self._object(one, agents) for one in range(pods)])
        self._phase = number * 0.618 % 1.0 * PASS

    def _object(self, number: int, agents: int) -> Mapping[str, Any]:
        count = self._number * self._pods + number
        labels = {
            "app.kubernetes.io/name": f"app-{count // 100}",
            "app.kubernetes.io/instance": "production",
            "pod-template-hash": "5d8f7c9b4",
            "version": "v1.2.3",
        }
        namespace = namespace_of(self._number, number, agents, self._pods)
        return {"namespace": namespace, "name": pod_name(count), "uid": f"{count:036d}", "labels": labels, "containers": CONTAINERS}

    def answer(self, request: bytes) -> bytes:
        """Answer as an agent does: objects only for another generation, nothing for a known document."""
        now = time.time()
        at = now - (now - self._phase) % PASS
        etag = b'"%d"' % (at * 1000)
        known = _ETAG.search(request)
        if known and known[1] == etag:
            return b"HTTP/1.1 304 Not Modified\r\nETag: %b\r\n\r\n" % etag
        generation = _GENERATION.search(request)
        objects = {} if generation and generation[1].decode() == self._generation else {"objects": orjson.Fragment(self._objects)}
        body = orjson.dumps({"version": 1, "node": node(self._number), "sent": now, "generation": self._generation, **objects,
                             "container_metrics": CONTAINER_METRICS, "pod_metrics": POD_METRICS, "node_metrics": NODE_METRICS,
                             "pods": self._rows(at), "node_usage": [at, PASS, [2.5, 8 << 30, 0, 0.01, 0.02, 0.03, 123456, 234567]],
                             "shards": [0] if self._number == 0 else []})  # fmt: skip
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nETag: %b\r\n\r\n%b" % (len(body), etag, body)

    def _rows(self, at: float) -> list[Any]:
        # As on most nodes: disks and throttling concern few containers, swap none.
        share = (at * 7.3 + self._phase) % 1.0
        app = numbers([0.05 + share / 10, 104857600 + int(share * 1000) * 4096, 0, share / 100, 0, 0, share * 12345, 0, share, 1])
        proxy = numbers([0.002 + share / 500, 41943040 + int(share * 500) * 4096, 0, 0, 0, 0, 0, 0, 0, 0])
        pod = numbers([share / 30, 0, 0, share * 123456, share * 98765])
        return [[round(at + number / 1000, 3), 10.001, [app, proxy], pod] for number in range(self._pods)]


class Server:
    """All agents."""

    def __init__(self, agents: list[SimulatedAgent], context: ssl.SSLContext) -> None:
        self._agents = {address(number): agent for number, agent in enumerate(agents)}
        self._context, self._selector = context, selectors.DefaultSelector()
        self._listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._shaking = set[int]()

    def run(self) -> None:
        """Print the port, and answer for ever."""
        print(self._listener.getsockname()[1], flush=True)
        while True:
            for key, _ in self._selector.select():
                try:
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._serve(key.fileobj, key.data)
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    self._drop(key.fileobj)

    def _accept(self) -> None:
        accepted, _ = self._listener.accept()
        accepted.setblocking(False)
        agent = self._agents[accepted.getsockname()[0]]
        connection = self._context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self._shaking.add(connection.fileno())
        self._selector.register(connection, selectors.EVENT_READ, agent)

    def _serve(self, connection: Any, agent: SimulatedAgent) -> None:
        if connection.fileno() in self._shaking:
            connection.do_handshake()
            self._shaking.discard(connection.fileno())
        request = connection.recv(4096)
        if not request:
            raise ConnectionResetError
        connection.send(agent.answer(request))

    def _drop(self, connection: Any) -> None:
        if connection is not self._listener:
            self._shaking.discard(connection.fileno())
            self._selector.unregister(connection)
            connection.close()


def main() -> None:
    """Run the agents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, required=True)
    parser.add_argument("--pods", type=int, default=30)
    parser.add_argument("--tls", type=Path, required=True, help="folder with tls.crt, tls.key and ca.crt")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.tls / "tls.crt", arguments.tls / "tls.key")
    # Clients are not verified: a context with the CA would send it too, which an agent does not.
    # As an agent does: a connection is kept, so a ticket to resume it is only memory of the client.
    context.num_tickets = 0
    Server([SimulatedAgent(number, arguments.agents, arguments.pods) for number in range(arguments.agents)], context).run()


if __name__ == "__main__":
    main()
