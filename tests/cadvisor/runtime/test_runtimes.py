"""A pod of each real runtime: what its containers are called, when they started, what they have."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from telegen.cadvisor.identity.label_resolver import make_label_resolver
from telegen.cadvisor.node import Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cadvisor.runtime.runtimes import NAMES, Runtime, make

IMAGES = {"sandbox": "registry.example/pause:3.9", "container": "registry.example/shop/web:1.2"}


@pytest.fixture(params=NAMES)
def runtime(request: pytest.FixtureRequest, cgroup: OwnCgroup, tmp_path: Path) -> Iterator[Runtime]:
    """Each runtime that this kernel can have; it ends before the cgroup does."""
    runtime = make(request.param, tmp_path)
    try:
        yield runtime
    finally:
        runtime.stop()


def annotations(kind: str, uid: str, sandbox: str) -> dict[str, str]:
    """Annotations that containerd's CRI plugin writes for a container."""
    notes = {"container-type": kind, "sandbox-id": sandbox, "sandbox-name": "web-1", "sandbox-namespace": "shop"}
    notes |= {"sandbox-uid": uid, "image-name": IMAGES[kind]}
    if kind == "container":
        notes["container-name"] = "web"
    return {f"io.kubernetes.cri.{key}": value for key, value in notes.items()}


def samples(text: str, family: str) -> dict[str, tuple[dict[str, str], float]]:
    """A family's labels and value by cgroup."""
    found = {}
    for labels, value in re.findall(rf"^{family}{{(.*)}} (\S+)$", text, re.MULTILINE):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        found[named.pop("id")] = (named, float(value))
    return found


def test_pod_of_a_real_runtime(runtime: Runtime, cgroup: OwnCgroup, tmp_path: Path) -> None:
    """Sandbox and container have the kubelet's labels, their start times and processes; the network is the sandbox's."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    pages = Pages(Node(Roots(), facts=names), labels=names)
    sandbox, web = os.urandom(32).hex(), cgroup.container_id
    pids = {
        id: runtime.run(id, f"{cgroup.pod}/{id}", annotations(kind, cgroup.pod_uid, sandbox))
        for id, kind in ((sandbox, "sandbox"), (web, "container"))
    }
    link = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth1"]
    for pid in pids.values():
        subprocess.run(["nsenter", "-t", str(pid), "-n", *link], check=True, timeout=60)
    text = pages.page()
    assert not pages.failures
    pod = {"container": "", "image": "", "name": "", "namespace": "shop", "pod": "web-1"}
    wanted = {
        cgroup.pod: pod,
        f"{cgroup.pod}/{sandbox}": {**pod, "image": IMAGES["sandbox"], "name": sandbox},
        f"{cgroup.pod}/{web}": {**pod, "image": IMAGES["container"], "name": web, "container": "web"},
    }
    memory = samples(text, "container_memory_working_set_bytes")
    assert {id: memory[id][0] for id in wanted} == wanted
    started = samples(text, "container_start_time_seconds")
    for id, pid in pids.items():
        process = psutil.Process(pid)
        assert started[f"{cgroup.pod}/{id}"][1] == pytest.approx(process.create_time(), abs=2)
        assert samples(text, "container_processes")[f"{cgroup.pod}/{id}"][1] == 1
        rss = samples(text, "container_memory_rss")[f"{cgroup.pod}/{id}"][1]
        assert 0 < rss < 32 << 20
    received = samples(text, "container_network_receive_bytes_total")
    assert [id for id in received if id.startswith(cgroup.pod)] == [f"{cgroup.pod}/{sandbox}"]
    assert received[f"{cgroup.pod}/{sandbox}"][0]["interface"] == "eth0"
    pages.sampler.close()
