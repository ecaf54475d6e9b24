"""The value of the label `cluster`: a name or the UID of kube-system."""

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
def test_uid_is_read_if_needed(tmp_path: Path, kubernetes: str, identifies: bool) -> None:
    """The UID is read if cluster_uid is set and cluster_name is empty."""
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
def test_uid_without_a_single_cluster(tmp_path: Path, kube_metrics: str, message: str) -> None:
    """cluster_uid without an API server, or with several clusters, is an error with a reason."""
    with pytest.raises(ConfigError) as raised:
        make_plan(read(tmp_path, "cluster_uid: true", kube_metrics), {})
    assert str(raised.value).startswith(f"kubernetes.cluster_uid: {message}")
