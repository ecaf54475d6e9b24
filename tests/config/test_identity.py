"""Where the label `cluster` may come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.config import Config, ConfigError, load
from telegen.supervisor.plan import make_plan

URL = "kube_state: {apiserver: 'http://x'}"


def read(folder: Path, kubernetes: str, kube_metrics: str) -> Config:
    """A configuration with these settings."""
    path = folder / "config.yaml"
    path.write_text(f"kubernetes: {{{kubernetes}}}\nkube_metrics: {{{kube_metrics}}}")
    return load(str(path), {})


@pytest.mark.parametrize(
    ("kubernetes", "identifies"),
    [("", False), ("cluster_uid: true", True), ("cluster_uid: true, cluster_name: a", False), ("cluster_name: a", False)],
)
def test_who_asks(tmp_path: Path, kubernetes: str, identifies: bool) -> None:
    """The UID is asked for where it is wanted and no name says it better; before anything else."""
    plan = make_plan(read(tmp_path, kubernetes, URL), {})
    assert plan.needs_cluster_uid == identifies
    assert ("identify" in [one.name for one in plan.assignments]) == identifies


@pytest.mark.parametrize(
    ("kube_metrics", "message"),
    [
        ("", "there is no API server to ask: no cluster found"),
        ("kube_state: {enabled: false, apiserver: 'http://x'}", "there is no API server to ask: kube_metrics.kube_state.enabled is false"),
        ("kube_state: {clusters: [{name: a, kubeconfig: /k}]}", "cannot be used with kube_metrics.kube_state.clusters"),
    ],
)
def test_nobody_to_ask(tmp_path: Path, kube_metrics: str, message: str) -> None:
    """Without an API server, or with several, the setting is an error that says why."""
    with pytest.raises(ConfigError) as raised:
        make_plan(read(tmp_path, "cluster_uid: true", kube_metrics), {})
    assert str(raised.value).startswith(f"kubernetes.cluster_uid: {message}")
