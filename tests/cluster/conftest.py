"""One real control plane at a time for all tests here: of the default version, or of each version for tests marked `every_version`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.agents import LEASES, fleet
from tests.cluster.binaries import KUBERNETES, VERSIONS, Programs
from tests.cluster.control_plane import ControlPlane
from tests.cluster.large_cluster import AGENTS, Make, populated


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each version of kube-apiserver, or on the default one. pytest runs all tests of a version in a row."""
    if "programs" in metafunc.fixturenames:
        versions = VERSIONS if metafunc.definition.get_closest_marker("every_version") else (KUBERNETES,)
        metafunc.parametrize("programs", versions, indirect=True, scope="session")


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Programs:
    """etcd and the kube-apiserver of a version; without them these tests fail."""
    return Programs.found(request.param)


@pytest.fixture(scope="session")
def control_plane(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver, running."""
    with ControlPlane.running(programs, tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture
def agent_token(control_plane: ControlPlane) -> str:
    """The token of an account with exactly the rights of k8s/account/rbac.yaml, which tests of the manifests delete."""
    return control_plane.agent_token()


@pytest.fixture(scope="module")
def world(control_plane: ControlPlane) -> Iterator[None]:
    """300 nodes with their pods and other objects; deleted at the end."""
    with populated(control_plane):
        yield


@pytest.fixture(scope="module")
def small_world(control_plane: ControlPlane) -> Iterator[None]:
    """A cluster with one node per agent; its objects are deleted at the end."""
    with populated(control_plane, len(AGENTS)):
        yield


@pytest.fixture
def some(control_plane: ControlPlane, agent_token: str, world: None, tmp_path: Path) -> Iterator[Make]:
    """Function that starts agents for the first of 300 nodes; their Leases are deleted at the end."""
    yield _maker(control_plane, agent_token, tmp_path)
    control_plane.request("DELETE", LEASES)


@pytest.fixture
def all_of_few(control_plane: ControlPlane, agent_token: str, small_world: None, tmp_path: Path) -> Iterator[Make]:
    """Function that starts agents for all nodes of a small cluster; their Leases are deleted at the end."""
    yield _maker(control_plane, agent_token, tmp_path)
    control_plane.request("DELETE", LEASES)


def _maker(plane: ControlPlane, token: str, folder: Path) -> Make:
    return lambda **options: fleet(plane, folder, token, **{"nodes": AGENTS, **options})
