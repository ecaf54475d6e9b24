"""The Procfile, by a program that runs such files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.harness import Agent, clean_environ, free_port

ROOT = Path(__file__).parents[2]


def test_honcho_runs_every_entry(tmp_path: Path) -> None:
    """`honcho start` starts what the Procfile names, the agent serves, and SIGTERM ends all of it."""
    port = free_port()
    environ = clean_environ() | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TELEGEN_KUBE_METRICS__LISTEN_ADDRESS": f"127.0.0.1:{port}",
    }
    log = tmp_path / "log"
    command = [sys.executable, "-m", "honcho", "-d", str(ROOT), "-f", str(ROOT / "Procfile"), "-e", os.devnull, "start"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    agent = Agent(process, port, Path(), log)
    everybody = []
    try:
        agent.wait_ready(30)
        assert "container_cpu_usage_seconds_total" in agent.page()
        everybody = agent.tree.processes()
        process.terminate()
        process.wait(60)
        assert psutil.wait_procs(everybody, 60)[1] == [], log.read_text()
    finally:
        for left in everybody:
            if left.is_running():
                left.kill()
        process.kill()
        process.wait(60)
