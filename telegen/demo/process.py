"""The simulated API server as a process of its own."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

import urllib3

from telegen.demo.churn import Churn
from telegen.demo.objects import SyntheticCluster
from telegen.demo.server import SimulatedServer
from telegen.demo.state import State
from telegen.kubestate.registry import RESOURCES
from telegen.process.os_process import die_with_parent, set_name

READY_INTERVAL = 0.2
"""Seconds between two looks at the agent's /readyz."""
READY_CHECKS = 300


def make_state(cluster: SyntheticCluster) -> State:
    """Create a state with the objects of a cluster; resources without objects are defined as well."""
    state = State()
    for resource in RESOURCES.values():
        state.define(resource.name, resource.kind, resource.api_version)
    state.fill(cluster.objects())
    return state


def serve(
    pods: int, rate: float, listener: socket.socket | None, stop: threading.Event, port: int = 0, ready: bool = False
) -> None:
    """Serve a changing cluster until `stop` is set.

    Args:
        rate: changes per second.
        listener: a bound socket, or None to listen on `port`.
        ready: print the URL on standard output when the server is ready.
    """
    cluster = SyntheticCluster(pods)
    server = SimulatedServer(make_state(cluster), listener, port)
    server.levers.rate = rate
    # Thousands of objects that never die would cost the garbage collector a full pass again and again.
    gc.freeze()
    churn = Churn(cluster, server.state, server.levers).start()
    server.start()
    if ready:
        print(server.url, flush=True)
    stop.wait()
    churn.stop()
    server.stop()


class DemoProcess:
    """A forked process that serves a simulated cluster.

    Attributes:
        url: URL of the API server.
    """

    def __init__(self, pid: int, url: str) -> None:
        self._pid, self.url = pid, url

    @classmethod
    def start(cls, pods: int, rate: float, page: str = "") -> DemoProcess:
        """Fork the process. Requests wait in the queue of the socket until the cluster is created.

        Args:
            rate: changes per second.
            page: URL of the agent, printed when the agent is ready.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                die_with_parent(parent, signal.SIGKILL)
                set_name("telegen-demo")
                if page:
                    threading.Thread(target=_print_when_ready, args=(page,), daemon=True).start()
                serve_until_term(pods, rate, listener)
                status = 0
            finally:
                os._exit(status)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        return cls(pid, url)

    def stop(self) -> None:
        """Kill the process."""
        try:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            # The process ended by itself, and the supervisor has reaped it already.
            return


def _print_when_ready(page: str) -> None:
    """Print the URL of the agent as soon as the agent has read the whole cluster."""
    with urllib3.PoolManager(timeout=1.0, retries=False, headers={"Connection": "close"}) as http:
        for _ in range(READY_CHECKS):
            time.sleep(READY_INTERVAL)
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if http.request("GET", f"{page}readyz").status == 200:
                    break
        else:
            return
    print(f"\nOpen {page} in a browser, or: curl --compressed {page}metrics\nCtrl-C ends the demo.", file=sys.stderr, flush=True)


def serve_until_term(
    pods: int, rate: float, listener: socket.socket | None, port: int = 0, ready: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    serve(pods, rate, listener, stop, port, ready)
