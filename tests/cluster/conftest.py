"""One real control plane for all tests here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.agents import LEASES, fleet
from tests.cluster.binaries import Unavailable, folder, missing
from tests.cluster.control_plane import ControlPlane
from tests.cluster.large_cluster import AGENTS, Make, populated


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
    with ControlPlane.running(programs, tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def agent_token(control_plane: ControlPlane) -> str:
    """The token of an account with exactly the rights of k8s/account/rbac.yaml."""
    return control_plane.agent_token()


@pytest.fixture(scope="module")
def world(control_plane: ControlPlane) -> Iterator[None]:
    """300 nodes with their pods, and more; gone at the end."""
    with populated(control_plane):
        yield


@pytest.fixture(scope="module")
def small_world(control_plane: ControlPlane) -> Iterator[None]:
    """The same with no more nodes than have agents."""
    with populated(control_plane, len(AGENTS)):
        yield


@pytest.fixture
def some(control_plane: ControlPlane, agent_token: str, world: None, tmp_path: Path) -> Iterator[Make]:
    """Starts agents for the first nodes of many; their Leases are gone at the end."""
    yield _maker(control_plane, agent_token, tmp_path)
    control_plane.request("DELETE", LEASES)


@pytest.fixture
def all_of_few(control_plane: ControlPlane, agent_token: str, small_world: None, tmp_path: Path) -> Iterator[Make]:
    """Starts agents for all nodes of a small cluster; their Leases are gone at the end."""
    yield _maker(control_plane, agent_token, tmp_path)
    control_plane.request("DELETE", LEASES)


def _maker(plane: ControlPlane, token: str, folder: Path) -> Make:
    return lambda **options: fleet(plane, folder, token, **{"nodes": AGENTS, **options})
