"""A small simulated cluster within the test, and an agent that watches it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer
from tests.harness import FAST, Agent, start_agent


def small_cluster() -> SimulatedServer:
    """An API server with 60 pods and 6 of each other resource."""
    server = SimulatedServer(make_state(SyntheticCluster(60, 6))).start()
    server.levers.bookmark_interval = 0.5
    return server


def kubeconfig(path: Path, **contexts: str) -> Path:
    """A file with these contexts and the URLs behind them; the first is current."""
    config = {
        "current-context": next(iter(contexts)),
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in contexts.items()],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "nobody"}} for name in contexts],
    }
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
    return path


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    """An API server of this test's own, whose state it may change."""
    server = small_cluster()
    yield server
    server.stop()


@pytest.fixture
def agent(server: SimulatedServer) -> Iterator[Agent]:
    """An agent that has synced all of it."""
    with start_agent(FAST, url=server.url) as running:
        running.wait_ready()
        yield running


@pytest.fixture(scope="module")
def calm() -> Iterator[Agent]:
    """An agent that the tests of a module share: they only look at it."""
    server = small_cluster()
    try:
        with start_agent(FAST, url=server.url) as running:
            running.wait_ready()
            yield running
    finally:
        server.stop()
