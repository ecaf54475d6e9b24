"""A running agent with metrics in ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telegen.demo.server import SimulatedServer
from tests.bench.custom_cluster import make_state
from tests.e2e.test_expressions import families
from tests.harness import get, start_agent
from tests.process_tree import wait_for

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    apiserver: {api}
    custom_resource_state:
      only: true
      files: ["{file}"]
      config_maps: {{namespace: telegen, selector: telegen/metrics=true}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 50ms, backoff_max: 500ms}}
"""
ENTRY = "metrics: [{resource: {group: bench.example, kind: Thing0}, metrics: [{%s}]}]"
PORTS, NUMBER = ENTRY % "name: ports, value: size(status.ports)", ENTRY % "name: number, value: spec.numbers.n1"
INFO = ENTRY % "name: phase_info, type: Info"


def config_map(name: str, content: str, created: int = 1, namespace: str = "telegen", label: str = "true") -> dict[str, Any]:
    """Return a ConfigMap with one file."""
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "labels": {"telegen/metrics": label}}
    metadata["creationTimestamp"] = f"2026-01-01T00:00:{created:02d}Z"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"metrics.yaml": content, "README": "- no file"}}


def test_config_maps(tmp_path: Path) -> None:
    """Metrics of ConfigMaps with a label are served, and follow their changes without a gap of the others. A bad version, and one with the
    name of another metric, leave the last good one; the log names ConfigMap, file, line, path, cause and cure, and so does the status
    page for authenticated clients."""
    file, state = tmp_path / "ports.yaml", make_state(1, 4)
    file.write_text(PORTS)
    state.define("configmaps", "ConfigMap", "v1")
    for one in (config_map("team", NUMBER), config_map("other", INFO, label="false"), config_map("far", INFO, namespace="shop")):
        state.put("configmaps", one)
    server = SimulatedServer(state).start()
    try:
        with start_agent(CONFIG, api=server.url, file=file) as agent:
            agent.wait_ready(40)
            seen: list[Any] = []

            def has(**wanted: int) -> Callable[[str], bool]:
                def compare(page: str) -> bool:
                    seen.append(families(page).get("kube_thing0_ports"))
                    return families(page) == {f"kube_thing0_{name}": count for name, count in wanted.items()}

                return compare

            agent.wait_page("the metrics of the ConfigMap", has(ports=4, number=4))
            seen.clear()
            state.put("configmaps", config_map("new", INFO, 2))
            agent.wait_page("the metrics of a new ConfigMap", has(ports=4, number=4, phase_info=4))
            state.put("configmaps", config_map("team", NUMBER.replace("spec.numbers", "spec.")))
            state.put("configmaps", config_map("twice", NUMBER, 3))
            bad = "ConfigMap telegen/team/metrics.yaml:1: metrics[0].metrics[0].value: 'spec..n1', column 6: expected the name of a field"
            twice = "ConfigMap telegen/twice/metrics.yaml:1: metrics[0].metrics[0]: kube_thing0_number: two metrics of bench.example/Thing0"
            for message in (bad, twice):
                wait_for("the log", lambda: message in agent.log.read_text(), 20)
                # Clients without authentication see no names of objects.
                public = re.sub("ConfigMap [^:]+", "ConfigMap hidden", message)
                wait_for("the status page", lambda: public in get(f"{agent.url}/status.json").body.decode(), 20)
            assert has(ports=4, number=4, phase_info=4)(agent.page("/metrics"))
            state.delete("configmaps", "telegen", "team")
            state.delete("configmaps", "telegen", "new")
            agent.wait_page("the metrics of the ConfigMap that was in conflict", has(ports=4, number=4))
            assert set(seen) == {4}
    finally:
        server.stop()
