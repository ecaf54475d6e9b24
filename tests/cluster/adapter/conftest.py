"""One cluster for all tests of this folder: the whole of it starts in a quarter of a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.adapter.cluster import Cluster, scaled_cluster


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster; tests leave it as it was."""
    with scaled_cluster(tmp_path_factory.mktemp("adapter")) as running:
        yield running
