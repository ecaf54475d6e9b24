"""Wrong paths of the node's file systems: the agent is not ready, and says which setting to correct."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import get, start_agent
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{enabled: false}}
  cadvisor: {{collect_interval: 1s, {setting}: {path}}}
"""


@pytest.mark.parametrize("setting", ["cgroup_root", "root"])
def test_wrong_path_is_named(tmp_path: Path, setting: str) -> None:
    """/readyz is 503 with the path and the setting until the path is right."""
    path = tmp_path / "wrong"
    with start_agent(CONFIG, setting=setting, path=path) as agent:
        line = f"kube_metrics.cadvisor.{setting}: {path}: no such file or directory; set it to the mount of the host's /"
        wait_for("a pass", lambda: "telegen_sample_duration_seconds" in agent.page_if_up("/telemetry"), 20)
        wait_for("the line", lambda: get(f"{agent.url}/readyz").body.decode().startswith(line), 10)
        assert get(f"{agent.url}/readyz").status == 503
        path.symlink_to("/sys/fs/cgroup" if setting == "cgroup_root" else "/")
        agent.wait_ready()


def test_path_that_a_reload_corrects(tmp_path: Path) -> None:
    """The web processes check the paths of the configuration in force."""
    with start_agent(CONFIG, setting="root", path=tmp_path / "wrong") as agent:
        wait_for("a pass", lambda: "telegen_sample_duration_seconds" in agent.page_if_up("/telemetry"), 20)
        wait_for("the line", lambda: b"kube_metrics.cadvisor.root" in get(f"{agent.url}/readyz").body, 20)
        agent.configure(agent.config.read_text().replace(str(tmp_path / "wrong"), "/"))
        agent.wait_ready()
