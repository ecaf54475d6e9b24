"""The recipes of docs/migration.md in a real cluster: the operator's configuration, live discovery, scrapes, rules and queries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.monitored import Monitored, monitored, wait_targets
from tests.k8s.documents import MIGRATION, render_shown

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    manifests = render_shown(Kubectl.found(), MIGRATION, "kube-prometheus")
    with monitored(manifests, tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_x(cluster: Monitored) -> None:
    config = cluster.operators_configuration(("monitoring", "prometheus-k8s"))
    with cluster.observed(config) as server:
        for t in wait_targets(server, 9):
            print(t["labels"], t["scrapeUrl"])
        print(len(server.query('{__name__=~".+"}')))
