"""Names of real containers, which a real containerd and runc run on this machine's kernel, beside no API at all."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator

import pytest

from telegen.cadvisor.names import make_names
from telegen.cadvisor.source import Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.runtime.containerd import IMAGE, Containerd

_LABEL = re.compile(r'(\w+)="([^"]*)"')


@pytest.fixture
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """A daemon of the test's own, gone afterwards with all that it has started."""
    daemon = Containerd(tmp_path_factory.mktemp("ctr"))
    try:
        yield daemon
    finally:
        daemon.end()


def samples(page: str, family: str, cgroup: str) -> dict[str, tuple[dict[str, str], float]]:
    """Labels without the empty ones, and number, of a family's samples in a cgroup and all below it, by the cgroup's id
    from there on."""
    found = {}
    for line in page.splitlines():
        if line.startswith(f"{family}{{"):
            text, _, number = line.rpartition(" ")
            labels = {name: value for name, value in _LABEL.findall(text) if value}
            id = labels.pop("id")
            if id.startswith(cgroup):
                found[id[len(cgroup) :].lstrip("/")] = (labels, float(number))
    return found


def test_pod_of_containerd(containerd: Containerd) -> None:
    """A pod of a sandbox and a container: names, image and start time of both; the next container of the same name is
    another series, and nothing is left of the first."""
    uid = str(uuid.uuid4())
    pod = {"sandbox-id": "x", "sandbox-name": "web-1", "sandbox-namespace": "shop", "sandbox-uid": uid, "image-name": IMAGE}
    web = {**pod, "container-type": "container", "container-name": "web"}
    started = time.time()
    sandbox_id = containerd.run(uid, {**pod, "container-type": "sandbox"})
    first = containerd.run(uid, web)
    names = make_names(Cadvisor(root=str(containerd.host)))
    pages = Pages(Node(Roots(), is_sandbox=names.is_sandbox), labels=names)
    cgroup = containerd.pod_cgroup(uid)
    shop = {"namespace": "shop", "pod": "web-1"}

    def wanted(id: str) -> dict[str, dict[str, str]]:
        return {
            "": shop,
            sandbox_id: {**shop, "image": IMAGE, "name": sandbox_id},
            id: {**shop, "image": IMAGE, "name": id, "container": "web"},
        }

    page = pages.page()
    begun = samples(page, "container_start_time_seconds", cgroup)
    assert {id: labels for id, (labels, _) in begun.items()} == wanted(first)
    assert all(started - 2 <= begun[id][1] <= time.time() + 1 for id in (first, sandbox_id))
    usage = samples(page, "container_memory_usage_bytes", cgroup)
    assert {id: labels for id, (labels, _) in usage.items()} == wanted(first)
    assert usage[first][1] > 0
    containerd.stop(first)
    second = containerd.run(uid, web)
    usage = samples(pages.page(), "container_memory_usage_bytes", cgroup)
    assert {id: labels for id, (labels, _) in usage.items()} == wanted(second)
    assert not names.errors
    pages.sampler.close()
