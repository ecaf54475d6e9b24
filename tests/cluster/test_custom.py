"""Custom resources of a real API server: the agent beside kube-state-metrics, with the same files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.custom_resources import installed_case
from tests.cluster.peer import Peer, peer
from tests.harness import Agent, start_agent
from tests.kubestate.custom.pages import difference, parse
from tests.kubestate.parity import repeated
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
CASES = sorted(path for path in (Path(__file__).parents[1] / "kubestate" / "custom" / "cases").iterdir())
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    kubeconfig: {kubeconfig}
    custom_resource_state: {{config_file: {file}, only: true}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


def become_alike(agent: Agent, other: Peer, timeout: float = 30) -> None:
    """Wait until both pages have the same content, each series once on the agent's."""
    left: list[str] = ["no page"]

    def alike() -> bool:
        page = agent.page_if_up()
        left[:] = difference(parse(other.page()), parse(page)) + repeated(page) if page else ["no page"]
        return not left

    try:
        wait_for("the same page", alike, timeout, 0.5)
    except TimeoutError:
        pytest.fail("\n".join([f"{len(left)} differences", *left[:40]]))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_same_page_as_kube_state_metrics(case: Path, control_plane: ControlPlane, tmp_path: Path) -> None:
    """For the definitions, the objects and the configuration of each case, both programs serve the same families and series."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    file = case / "config.yaml"
    flags = [f"--kubeconfig={kubeconfig}", "--custom-resource-state-only", f"--custom-resource-state-config-file={file}"]
    with installed_case(control_plane, case), peer(tmp_path / "log", *flags) as other:
        with start_agent(CONFIG, kubeconfig=kubeconfig, file=file) as agent:
            agent.wait_ready(30)
            wait_for("the page of kube-state-metrics", lambda: "# TYPE" in other.page(), 30, 0.2)
            become_alike(agent, other)
