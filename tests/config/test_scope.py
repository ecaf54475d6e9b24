"""Invalid settings of scope and election."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.config import Config, ConfigError, load
from telegen.supervisor.plan import make_plan

POD = {"NODE_NAME": "node-1", "POD_NAME": "telegen-x", "POD_NAMESPACE": "telegen"}


def read(folder: Path, text: str) -> Config:
    """A configuration with this kube_metrics section."""
    path = folder / "config.yaml"
    path.write_text(f"kube_metrics: {{{text}}}")
    return load(str(path), {})


BAD = [
    ("scope: pod", "scope: expected auto, node or cluster, got 'pod'"),
    ("scope: node, kube_state: {node: a}", "scope: node cannot be used with kube_state.node"),
    ("scope: node, kube_state: {track_unscheduled_pods: true}", "scope: node cannot be used with kube_state.track_unscheduled"),
    ("scope: node, kube_state: {shard: 1, total_shards: 2}", "scope: node cannot be used with kube_state.shard"),
    ("scope: node, kube_state: {pod: telegen-0, pod_namespace: telegen}", "scope: node cannot be used with kube_state.pod"),
    ("scope: node, kube_state: {total_shards: 65}", "kube_state.total_shards: at most 64 with scope node"),
    ("node_name: 'a b'", "node_name: 'a b' is not a valid name of a node"),
    ("election: {namespace: 'a/b'}", "election.namespace: 'a/b' is not a valid name of a namespace"),
    ("election: {name: 'a/b'}", "election.name: "),
    ("election: {lease_duration: 1s, renew_deadline: 500ms, retry_period: 100ms}", "election.lease_duration: must be at least 2s"),
    ("election: {lease_duration: 10500ms, renew_deadline: 5s}", "election.lease_duration: must be whole seconds"),
    ("election: {renew_deadline: 15s}", "election.renew_deadline: must be less than lease_duration (15s)"),
    ("election: {retry_period: 9s}", "election.renew_deadline: must be at least 1.2 times retry_period (9s)"),
    ("election: {retry_period: 0s}", "election.retry_period: must be at least 100ms"),
    ("election: {waiting_period: 0s}", "election.waiting_period: must be at least 1s"),
    ("election: {standby: warm}", "election.standby: expected hot or cold, got 'warm'"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text for text, _ in BAD])
def test_bad_scope(tmp_path: Path, text: str, message: str) -> None:
    """One line with the path of the key."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(f"kube_metrics.{message}")
    assert "\n" not in str(raised.value)


def test_nothing_is_left(tmp_path: Path) -> None:
    """If nothing is left to collect, the error names the settings that cause it."""
    config = read(tmp_path, "kube_state: {enabled: false}, cadvisor: {enabled: false}")
    with pytest.raises(ConfigError) as raised:
        make_plan(config, {})
    wanted = "kube_metrics.kube_state.enabled is false; kube_metrics.cadvisor.enabled is false"
    assert str(raised.value) == f"kube_metrics: nothing to collect: {wanted}"
