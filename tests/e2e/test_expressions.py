"""A running agent with metrics with expressions: a folder of files, the setting, and their changes."""

from __future__ import annotations

import re
from pathlib import Path

from telegen.demo.server import SimulatedServer
from tests.bench.custom_cluster import make_state
from tests.harness import start_agent
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    apiserver: {api}
    custom_resource_state:
      only: true
      files: ["{folder}"]
      metrics:
      - resource: {{group: bench.example, kind: Thing1}}
        selector: {{labels: tier=web}}
        metrics:
        - {{name: labels_info, type: Info, labels: {{tier: metadata.labels.tier}}}}
        - {{name: generation_total, type: Counter, value: metadata.generation}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 50ms, backoff_max: 500ms}}
"""
PORTS = "metrics: [{resource: {group: bench.example, kind: Thing0}, metrics: [{name: ports, value: size(status.ports)}]}]"
PHASE = "metrics: [{resource: {group: bench.example, kind: Thing0}, metrics: [{name: phase, type: Info, value: 1}]}]"


def families(page: str) -> dict[str, int]:
    """Return the number of series of each family."""
    names = re.findall(r"^(kube_thing\w+)\{", page, re.MULTILINE)
    return {name: names.count(name) for name in names}


def test_files_and_settings(tmp_path: Path) -> None:
    """Metrics of the setting and of the files of a folder are served; the API server selects the objects. A new file is applied without a
    gap of the others, and a broken one changes nothing."""
    folder = tmp_path / "custom.d"
    folder.mkdir()
    (folder / "ports.yaml").write_text(PORTS)
    server = SimulatedServer(make_state(2, 4)).start()
    of_setting = {"kube_thing1_labels_info": 2, "kube_thing1_generation_total": 2}
    try:
        with start_agent(CONFIG, api=server.url, folder=folder) as agent:
            agent.wait_ready(40)
            agent.wait_page("all metrics", lambda page: families(page) == {**of_setting, "kube_thing0_ports": 4})
            (folder / "more.yaml").write_text(PORTS.replace("ports, value: size(status.ports)", "number, value: spec.numbers.n1"))
            seen = []

            def has_both(page: str) -> bool:
                seen.append(families(page).get("kube_thing0_ports"))
                return families(page) == {**of_setting, "kube_thing0_ports": 4, "kube_thing0_number": 4}

            agent.wait_page("the metrics of a new file", has_both)
            assert set(seen) == {4}
            (folder / "broken.yaml").write_text(PHASE)
            message = "broken.yaml:1: metrics[0].metrics[0].name: the name of type Info ends in _info: kube_thing0_phase_info"
            wait_for("the refusal", lambda: message in agent.log.read_text(), 20)
            assert families(agent.page("/metrics")) == {**of_setting, "kube_thing0_ports": 4, "kube_thing0_number": 4}
    finally:
        server.stop()
