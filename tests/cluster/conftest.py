"""One real control plane for all tests here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.binaries import Unavailable, folder, missing
from tests.cluster.control_plane import ControlPlane


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of etcd and kube-apiserver; without them these tests fail."""
    absent = missing(os.environ)
    if absent:
        reason = f"no {' and no '.join(tool.name for tool in absent)} in {folder(os.environ)}: run `make cluster-tools`"
        raise Unavailable(reason)
    return folder(os.environ)


@pytest.fixture(scope="session")
def control_plane(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver, running."""
    plane = ControlPlane(programs, tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def agent_token(control_plane: ControlPlane) -> str:
    """The token of an account with exactly the rights of k8s/account/rbac.yaml."""
    return control_plane.agent_token()
