"""A running agent with metrics with expressions: a folder of files, the setting, and their changes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from telegen.demo.server import SimulatedServer
from telegen.kubestate.sharding import shard_of
from tests.bench.custom_cluster import DEFINITIONS, make_state
from tests.harness import replace_file, start_agent
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
            replace_file(folder / "more.yaml", PORTS.replace("ports, value: size(status.ports)", "number, value: spec.numbers.n1"))
            seen = []

            def has_both(page: str) -> bool:
                seen.append(families(page).get("kube_thing0_ports"))
                return families(page) == {**of_setting, "kube_thing0_ports": 4, "kube_thing0_number": 4}

            agent.wait_page("the metrics of a new file", has_both)
            assert set(seen) == {4}
            replace_file(folder / "broken.yaml", PHASE)
            message = "broken.yaml:1: metrics[0].metrics[0].name: the name of type Info ends in _info; write name: phase_info"
            wait_for("the refusal", lambda: message in agent.log.read_text(), 20)
            assert families(agent.page("/metrics")) == {**of_setting, "kube_thing0_ports": 4, "kube_thing0_number": 4}
    finally:
        server.stop()


AGGREGATES = """
metrics:
- resource: {group: bench.example, kind: Thing0}
  prefix: all
  metrics:
  - {name: things, aggregate: count, by: {namespace: metadata.namespace}}
  - {name: largest, aggregate: max, value: spec.numbers.n1}
- resource: {group: bench.example, kind: Thing0}
  prefix: few
  limits: {series: 1}
  metrics: [{name: generation, value: metadata.generation}]
"""


def aggregates(page: str) -> dict[str, float]:
    """Return the samples of aggregates."""
    return {name: float(value) for name, value in re.findall(r"^(all_\S+) (\S+)$", page, re.MULTILINE)}


def test_aggregates(tmp_path: Path) -> None:
    """Aggregates follow single objects, survive the death of their worker, and go with their kind and their file; those of one shard
    name it. An entry has no more series than its limit."""
    file = tmp_path / "custom.d" / "aggregates.yaml"
    file.parent.mkdir()
    file.write_text(AGGREGATES)
    server = SimulatedServer(make_state(2, 4)).start()
    config = CONFIG.replace("  kube_state:\n", "  kube_state:\n    shard: 1\n    total_shards: 2\n")
    things = server.state.collections["things0"]
    mine = [one.load() for one in things.objects.values() if shard_of(one.load()["metadata"]["uid"], 2) == 1]

    def wanted() -> dict[str, float]:
        counts = Counter(one["metadata"]["namespace"] for one in mine)
        largest = {'all_largest{shard="1"}': max(one["spec"]["numbers"]["n1"] for one in mine)}
        return {**{f'all_things{{shard="1",namespace="{name}"}}': count for name, count in counts.items()}, **largest}

    try:
        with start_agent(config, api=server.url, folder=file.parent) as agent:
            agent.wait_ready(40)
            assert aggregates(agent.page("/metrics")) == wanted()
            assert agent.page("/metrics").count("\nfew_generation{") == 1
            assert f"limits.series of the entry of few_generation has no room: {len(mine) - 1} series are withheld" in agent.page("/readyz")
            assert 'telegen_withheld_series{family="few_generation"}' in agent.page("/telemetry")
            mine[0]["spec"]["numbers"]["n1"] = 10**6
            server.state.put("things0", mine[0])
            agent.wait_page("a changed object", lambda page: aggregates(page) == wanted())
            gone = mine.pop(0)["metadata"]
            server.state.delete("things0", gone["namespace"], gone["name"])
            agent.wait_page("the end of the extreme", lambda page: aggregates(page) == wanted())
            (killed,) = agent.named("telegen-watch-custom")
            killed.kill()
            wait_for("another process", lambda: not killed.is_running() and bool(agent.named("telegen-watch-custom")), 10)
            agent.wait_ready(20)
            assert aggregates(agent.page("/metrics")) == wanted()
            ((key, definition),) = [item for item in server.state.collections[DEFINITIONS].objects.items() if "things0" in item[0][1]]
            server.state.delete(DEFINITIONS, *key)
            del server.state.collections["things0"]
            agent.wait_page("the end of the kind", lambda page: not aggregates(page))
            server.state.define("things0", "Thing0", "bench.example/v1")
            server.state.fill(("things0", one) for one in mine)
            server.state.put(DEFINITIONS, definition.load())
            agent.wait_page("the kind again", lambda page: aggregates(page) == wanted())
            replace_file(file, "metrics: []")
            agent.wait_page("a page without aggregates", lambda page: not aggregates(page))
    finally:
        server.stop()


OF_TEAMS = """
metrics:
- resource: {group: bench.example, kind: Thing0}
  prefix: all
  selector: {namespaces: [team-0, team-1]}
  namespaceLabels: [owner]
  metrics:
  - {name: phase_info, type: Info, labels: {tier: metadata.labels.tier}}
  - {name: things, aggregate: count, by: {owner: namespaceLabels.owner}}
"""


def test_namespaces(tmp_path: Path) -> None:
    """Objects of some namespaces are shown, with the labels of their namespaces, which may change; another kind is not listed again for a
    change of the entries of this one."""
    file = tmp_path / "custom.d" / "teams.yaml"
    file.parent.mkdir()
    file.write_text(OF_TEAMS)
    state = make_state(2, 4)
    state.define("namespaces", "Namespace", "v1")
    for number, owner in enumerate("aab"):
        state.put("namespaces", {"metadata": {"name": f"team-{number}", "uid": f"ns-{number}", "labels": {"owner": owner}}})
    server = SimulatedServer(state).start()

    def wanted(first: str, second: str) -> dict[str, float]:
        info = {
            f'all_phase_info{{namespace="team-{n}",name="thing-{n}",namespace_label_owner="{owner}",tier="{tier}"}}': 1.0
            for n, owner, tier in ((0, first, "web"), (1, second, "data"))
        }
        return {**info, **{f'all_things{{owner="{owner}"}}': count for owner, count in Counter((first, second)).items()}}

    try:
        with start_agent(CONFIG, api=server.url, folder=file.parent) as agent:
            agent.wait_ready(40)
            assert aggregates(agent.page("/metrics")) == wanted("a", "a")
            state.put("namespaces", {"metadata": {"name": "team-1", "uid": "ns-1", "labels": {"owner": "c"}}})
            agent.wait_page("a changed label", lambda page: aggregates(page) == wanted("a", "c"))
            lists = agent.log.read_text().count("things1/+selector: synced")
            assert lists == 1
            replace_file(file, OF_TEAMS.replace("team-0, ", ""))
            agent.wait_page("one namespace", lambda page: len(aggregates(page)) == 2)
            assert agent.log.read_text().count("things1/+selector: synced") == lists
    finally:
        server.stop()
