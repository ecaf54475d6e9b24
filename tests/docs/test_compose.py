"""docs/compose.yaml: what it runs is valid, and reads the paths that it mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from telegen.config import load, not_effective
from telegen.config.model import Config

COMPOSE = Path(__file__).parents[2] / "docs" / "compose.yaml"


@pytest.fixture
def compose() -> Any:
    """The parsed document."""
    return msgspec.yaml.decode(COMPOSE.read_bytes())


@pytest.fixture
def config(compose: Any) -> Config:
    """The configuration that its variables give."""
    return load("", compose["services"]["telegen"]["environment"])


def test_configuration(config: Config) -> None:
    """The configuration is valid, has no setting without effect, and collects containers alone, with the labels of their projects."""
    kube = config.kube_metrics
    assert not_effective(config) == [] and kube.enabled and not kube.kube_state.enabled and kube.cadvisor.enabled
    assert kube.cadvisor.linger > 60 and "com.docker.compose.service" in kube.cadvisor.container_labels


def test_mounts(compose: Any, config: Config) -> None:
    """The host's folders are mounted where the agent looks for them."""
    service = compose["services"]["telegen"]
    mounts = [one if isinstance(one, str) else f"{one['source']}:{one['target']}:ro" for one in service["volumes"]]
    cadvisor = config.kube_metrics.cadvisor
    assert mounts == [f"/sys/fs/cgroup:{cadvisor.cgroup_root}:ro", f"/:{cadvisor.root}:ro"]
    assert service["pid"] == "host" and cadvisor.proc_root == "/proc"
    assert service["ports"][0].endswith(str(config.kube_metrics.listen_address).rpartition(":")[2])
