"""The agent as process 1 of a container that is killed and started again: what is in memory-backed folders outlives it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.harness import Agent, clean_environ, free_port, running
from tests.tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  cadvisor: {{enabled: true}}
"""
CONTAINER = 'mount --bind "$1" /dev/shm; shift; exec "$@"'


@contextlib.contextmanager
def contained(shm: Path) -> Iterator[Agent]:
    """The agent with pids of its own and this folder as /dev/shm."""
    port = free_port()
    config = shm.parent / f"config-{port}.yaml"
    config.write_text(CONFIG.format(port=port))
    agent = [sys.executable, "-m", "telegen.supervisor", "--config", str(config)]
    space = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*space, "sh", "-ec", CONTAINER, "sh", str(shm), *agent]
    with running(command, clean_environ(), port, config) as started:
        try:
            yield started
        finally:
            # unshare itself is deaf to SIGTERM.
            for first in psutil.Process(started.process.pid).children():
                first.terminate()


def test_nothing_piles_up(tmp_path: Path) -> None:
    """Killed again and again, as for want of memory, it leaves one folder of its own metrics, not one for each life."""
    shm = tmp_path / "shm"
    shm.mkdir()
    for _ in range(3):
        with contained(shm) as agent:
            agent.wait_ready()
            (folder,) = shm.iterdir()
            assert folder.name.startswith("telegen-telemetry-1-")
            (first,) = psutil.Process(agent.process.pid).children()
            first.kill()
            wait_for("its end", lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE, 20)
    assert [path.name for path in shm.iterdir()] == [folder.name]


def test_agents_side_by_side(tmp_path: Path) -> None:
    """Two that are both process 1 and share the folder leave each other's metrics alone."""
    shm = tmp_path / "shm"
    shm.mkdir()
    with contained(shm) as one:
        one.wait_ready()
        with contained(shm) as other:
            other.wait_ready()
            assert len(list(shm.iterdir())) == 2
            assert "telegen_sample_duration_seconds" in one.page("/telemetry")
