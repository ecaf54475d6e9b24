"""Processes that a configuration asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.config import ConfigError
from telegen.supervisor.plan import Plan, make_plan, watched_resources
from tests.config.test_scope import POD, read


def plan(folder: Path, state: str) -> Plan:
    """The plan of an agent of node-1 with these settings of kube_state."""
    text = f"scope: node, cadvisor: {{enabled: false}}, kube_state: {{apiserver: 'http://x', {state}}}"
    return make_plan(read(folder, text), POD)


def test_processes_of_node_scope(tmp_path: Path) -> None:
    """All resources, pods too, belong to the holder of the only shard."""
    made = plan(tmp_path, "resources: [pods, nodes, deployments]")
    shown = [(one.name, one.stores, one.agent_shard, one.lease_shard) for one in made.assignments]
    assert shown == [
        ("watch-pods", ("pods",), (0, 1), 0),
        ("watch-cluster", ("nodes", "deployments"), (0, 1), 0),
        ("elect", (), (0, 1), None),
        ("web", (), (0, 1), None),
    ]
    assert made.group and (made.group.namespace, made.group.names, made.group.member) == ("telegen", ("telegen-shard-0",), "telegen-x")


def test_processes_of_several_shards(tmp_path: Path) -> None:
    """Each shard has processes of its own; those of pods divide the pods of the shard."""
    made = plan(tmp_path, "resources: [pods, nodes], total_shards: 2, pod_processes: 2, namespaces: [a, b]")
    shown = {one.name: (one.stores, one.agent_shard, one.process_shard, one.lease_shard) for one in made.assignments if one.kind == "watch"}
    assert shown == {
        "watch-pods-shard-0-0": (("pods/a", "pods/b"), (0, 2), (0, 2), 0),
        "watch-pods-shard-0-1": (("pods/a", "pods/b"), (0, 2), (1, 2), 0),
        "watch-cluster-shard-0": (("nodes",), (0, 2), (0, 1), 0),
        "watch-pods-shard-1-0": (("pods/a", "pods/b"), (1, 2), (0, 2), 1),
        "watch-pods-shard-1-1": (("pods/a", "pods/b"), (1, 2), (1, 2), 1),
        "watch-cluster-shard-1": (("nodes",), (1, 2), (0, 1), 1),
    }


def test_no_candidate(tmp_path: Path) -> None:
    """An agent that is no candidate has the node part alone; without it nothing is left."""
    text = "scope: node, election: {candidate: false}, kube_state: {apiserver: 'http://x'}"
    made = make_plan(read(tmp_path, text), POD)
    assert [one.name for one in made.assignments] == ["sample", "web"]
    assert made.group is None and made.cluster == "http://x"
    with pytest.raises(ConfigError, match="candidate is false; kube_metrics.cadvisor.enabled is false"):
        make_plan(read(tmp_path, f"{text}, cadvisor: {{enabled: false}}"), POD)


def test_cluster_scope(tmp_path: Path) -> None:
    """The configured share is watched without a Lease, and divided between the processes of pods."""
    text = "scope: cluster, cadvisor: {enabled: false}, kube_state: {apiserver: 'http://x', resources: [pods, nodes], "
    made = make_plan(read(tmp_path, f"{text} pod_processes: 2, shard: 1, total_shards: 3}}"), {})
    shown = {one.name: (one.agent_shard, one.process_shard, one.lease_shard) for one in made.assignments if one.kind == "watch"}
    assert shown == {
        "watch-pods-0": ((1, 3), (0, 2), None),
        "watch-pods-1": ((1, 3), (1, 2), None),
        "watch-cluster": ((1, 3), (0, 1), None),
    }
    assert made.group is None and made.shard == (1, 3)


def test_dynamic_shard(tmp_path: Path) -> None:
    """Before the StatefulSet is read an agent takes no objects; then its watch workers get the shard."""
    text = "cadvisor: {enabled: false}, kube_state: {apiserver: 'http://x', resources: [nodes], pod: telegen-2, pod_namespace: telegen}"
    made = make_plan(read(tmp_path, text), {})
    assert made.has_dynamic_shard and made.shard == (0, 0)
    assert made.with_shard((2, 5)).shard == (2, 5) and made.with_shard(None) is made


def test_excluded_resources(tmp_path: Path) -> None:
    """resources_exclude wins over resources and over the default."""
    assert watched_resources(plan(tmp_path, "resources: [pods, nodes], resources_exclude: [pods, jobs]")) == ["nodes"]
    everything = watched_resources(plan(tmp_path, ""))
    assert set(watched_resources(plan(tmp_path, "resources_exclude: [secrets]"))) == set(everything) - {"secrets"}
