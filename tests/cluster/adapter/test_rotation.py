"""Certificate authorities of both sides change while requests go on: none fails, and no process restarts."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.cluster.adapter.authorities import Pair
from tests.cluster.adapter.cluster import ADAPTER_ADDRESSES, AGENTS_SECRET, PORT, SERVICE, Cluster
from tests.cluster.adapter.direct import ask
from tests.cluster.adapter.load import load
from tests.cluster.adapter.objects import OWN
from tests.cluster.adapter.test_disruption import oldest_time
from tests.cluster.adapter.test_identities import METRIC
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
USER = [("X-Remote-User", "alice"), ("X-Remote-Group", "devs")]
PUBLISHED, MERGE = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication", "application/merge-patch+json"
SECRETS = f"/api/v1/namespaces/{OWN}/secrets"


@pytest.fixture(autouse=True)
def same_processes(cluster: Cluster) -> Iterator[None]:
    """No process of adapters and agents ends in a test."""
    before = _processes(cluster)
    yield
    assert before <= _processes(cluster)


def _processes(cluster: Cluster) -> set[int]:
    """Return the processes but the passes of the certificates: each is a process that ends."""
    found = dict[int, tuple[str, int]]()
    for each in (*cluster.adapters.values(), *cluster.agents.values()):
        for process in each.tree.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                found[process.pid] = process.name(), process.ppid()
    keepers = {pid for pid, (name, _) in found.items() if name.startswith("telegen-certif")}
    return {pid for pid, (_, parent) in found.items() if parent not in keepers}


def test_front_proxy(cluster: Cluster) -> None:
    """The authority of front proxies is replaced: both are accepted meanwhile, the former one is refused in the end."""
    authorities = cluster.authorities
    former, latter = authorities.clients["proxy"], authorities.new_proxy_authority("front-proxy-2")

    def status(pair: Pair) -> set[int]:
        return {ask(cluster, METRIC, USER, pair, adapter).status for adapter in cluster.adapters}

    assert status(former) == {200} and 200 not in status(latter)
    with load(cluster) as made:
        authorities.trust("front-proxy", "front-proxy-2")
        wait_for("trust in both authorities", lambda: status(latter) == {200}, 40, 0.2)
        assert status(former) == {200}
        authorities.use_proxy(latter)
        # kube-apiserver reads its certificate anew, and does not tell when it has.
        time.sleep(5)
        authorities.trust("front-proxy-2")
        # kube-apiserver only adds authorities to those that it has published.
        cluster.plane.request("PATCH", PUBLISHED, {"data": {"requestheader-client-ca-file": authorities.trusted.read_text()}}, MERGE)
        wait_for("the end of trust in the former one", lambda: 200 not in status(former), 40, 0.2)
        assert status(latter) == {200}
    assert not made.failures and made.answered


def _served(cluster: Cluster) -> set[str]:
    """Return the certificates that the adapters serve with."""
    return {ssl.get_server_certificate((ADAPTER_ADDRESSES[name], PORT), timeout=20) for name in cluster.adapters}


def test_own_authority(cluster: Cluster) -> None:
    """The Secret of the adapter's own authority is deleted: a new authority takes over for serving and for the agents."""
    before = _served(cluster)
    agents = cluster.plane.request("GET", f"{SECRETS}/{AGENTS_SECRET}")["data"]
    with load(cluster) as made:
        cluster.plane.request("DELETE", f"{SECRETS}/{SERVICE}-ca")
        wait_for("certificates by the new authority", lambda: not before & _served(cluster), 40, 0.2)
        changed = time.time()

        def is_done() -> bool:
            now = cluster.plane.request("GET", f"{SECRETS}/{AGENTS_SECRET}")["data"]
            return now["tls.crt"] != agents["tls.crt"] and now["ca.crt"] != agents["ca.crt"]

        wait_for("the agents' Secret", is_done, 40, 0.2)
        wait_for("usage from all agents afterwards", lambda: oldest_time(cluster) > changed + 2, 20, 0.2)
    assert not made.failures and made.answered
