"""The agent as process 1 of a container that is killed and started again: what is in memory-backed folders outlives it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness import Agent, clean_environ, free_port, running
from tests.process_tree import wait_for

ROOT = Path(__file__).parents[2]
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  cadvisor: {{enabled: true}}
web: {{workers: 1}}
"""
READ_ONLY = """
for folder in /dev/shm /tmp /var/tmp; do mount --bind $folder $folder; mount -o remount,bind,ro $folder; done
cd /tmp; exec "$@"
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


@pytest.mark.parametrize("size", ["size=100k", "size=6m", "nr_inodes=1"])
def test_memory_folder_is_full(size: str, tmp_path: Path) -> None:
    """A /dev/shm that is too small, or is filled later, ends no process; the log has the reason."""
    shm = tmp_path / "shm"
    shm.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(shm)], check=True)
    try:
        with contained(shm) as agent:
            agent.wait_ready()
            with contextlib.suppress(OSError), open(shm / "filler", "wb") as filler:
                filler.write(bytes(8 << 20))
            pids = sorted(process.pid for process in agent.tree.processes())
            for _ in range(5):
                assert "container_cpu_usage_seconds_total" in agent.page("/metrics")
                assert "telegen_build_info" in agent.page("/telemetry")
            assert sorted(process.pid for process in agent.tree.processes()) == pids
            log = agent.log.read_text()
            assert "No space left on device" in log and "SIGBUS" not in log
    finally:
        subprocess.run(["umount", "--lazy", str(shm)], check=True)


def test_nothing_can_be_written() -> None:
    """On a root file system that is read-only, without a folder in memory, it says what it needs."""
    agent = [sys.executable, "-m", "telegen.supervisor", "--host", "127.0.0.1", "--port", str(free_port())]
    command = ["unshare", "--mount", "sh", "-ec", READ_ONLY, "sh", *agent]
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    (line,) = done.stderr.splitlines()
    assert line.startswith("telegen: cannot create a folder for the agent's own metrics: No usable temporary directory found")
    assert line.endswith("make /dev/shm or /tmp writable") and done.returncode == 4
