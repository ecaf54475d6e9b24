"""A cluster of 300 nodes in a real API server, and the samples that its agents have to serve."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from telegen.cli.render import ObjectRenderer
from telegen.config import Config
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection
from tests.cluster.agents import Fleet
from tests.cluster.control_plane import ControlPlane, Object, deployment, node, pod
from tests.process_tree import wait_for

NODES = 300
AGENTS = ["node-0", "node-1", "node-2", "node-3"]
"""Nodes that have agents."""
WATCHED = ("deployments", "namespaces", "nodes", "pods", "services")

Make = Callable[..., AbstractContextManager[Fleet]]


def on(node_name: str, name: str) -> Object:
    """A pod on a node; on "" it waits for one."""
    made = pod(name)
    del made["status"]
    made["spec"]["nodeName"] = node_name
    return made


@contextlib.contextmanager
def populated(plane: ControlPlane, size: int = NODES) -> Iterator[None]:
    """So many nodes with two pods each, pods without a node, deployments; gone at the end."""
    nodes = [{**node(f"node-{number}"), "status": {}} for number in range(size)]
    pods = [on(f"node-{number % size}", f"pod-{number}") for number in range(2 * size)]
    create(plane, [*nodes, *pods, *(on("", f"waiting-{number}") for number in range(5))])
    plane.apply([deployment(f"shop-{number}") for number in range(5)])
    yield
    for path in ("/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments", "/api/v1/nodes"):
        plane.request("DELETE", f"{path}?gracePeriodSeconds=0")


def create(plane: ControlPlane, objs: list[Object]) -> None:
    """Create nodes and pods, without their status, several at a time."""
    paths = {"Node": "/api/v1/nodes", "Pod": "/api/v1/namespaces/default/pods"}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda obj: plane.request("POST", paths[obj["kind"]], obj), objs))


def wanted(plane: ControlPlane) -> list[str]:
    """Return the samples of all objects."""
    page = ObjectRenderer([RESOURCES[name] for name in WATCHED], Selection.of(Config().kube_metrics.kube_state))
    for name in WATCHED:
        for obj in plane.objects(RESOURCES[name].path()):
            page.add(obj)
    return sorted(line for text in page.lines(False) for line in text.splitlines() if line.startswith("kube_"))


def wanted_series(plane: ControlPlane) -> frozenset[str]:
    """The series of everything that there is."""
    return frozenset(line.rpartition(" ")[0] for line in wanted(plane))


def check_complete(plane: ControlPlane, agents: Fleet, timeout: float = 10) -> None:
    """All pages together become every sample once, and none was ever there twice."""
    expected = wanted(plane)
    wait_for("every sample, once", lambda: agents.union() == expected, timeout, 0.2)
    assert len(set(expected)) == len(expected) > 0
    agents.check_never_twice()
