"""Agents of several nodes against a real kube-apiserver: together they say everything exactly once. Of what happens to several
shards see test_shards.

The times that are asserted are those that users are promised; what was measured is printed (pytest -s).
"""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from tests.cluster.agents import LEASES
from tests.cluster.control_plane import ControlPlane
from tests.cluster.large_cluster import NODES, Make, check_complete

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def expiry(plane: ControlPlane) -> float:
    """When, on the clock of time.monotonic, the shard's Lease ends unless it is renewed."""
    spec = plane.request("GET", f"{LEASES}/telegen-shard-0")["spec"]
    renewed = datetime.fromisoformat(spec["renewTime"].replace("Z", "+00:00")).timestamp()
    return float(renewed + spec["leaseDurationSeconds"] - time.time() + time.monotonic())


@pytest.mark.every_version
def test_everything_once(control_plane: ControlPlane, some: Make) -> None:
    """Each node's pods come from its agent, all the rest from one; a pod that gets its node moves to that node's agent."""
    with some() as agents:
        agents.wait_holder(NODES, 40)
        check_complete(control_plane, agents)
        for member in agents.members:
            page = member.agent.page()
            assert f'node="{member.node}"' in page
            assert 'pod="waiting-0",uid' in page if member.shows() else 'pod="waiting-0"' not in page
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "waiting-0"}}
        target = {"apiVersion": "v1", "kind": "Node", "name": "node-2"}
        control_plane.request("POST", "/api/v1/namespaces/default/pods/waiting-0/binding", {**binding, "target": target})
        moved = agents.members[2]
        moved.agent.wait_page("the pod that has got its node", lambda page: 'pod="waiting-0",uid' in page)
        check_complete(control_plane, agents)


@pytest.mark.parametrize("standby", ["hot", "cold"])
def test_killed(control_plane: ControlPlane, some: Make, standby: str) -> None:
    """kill -9 of the holder: the next in line serves everything within 20 s, hot within 2 s of the Lease's end."""
    with some(standby=standby) as agents:
        old = agents.wait_holder(NODES, 40)
        agents.wait_standby()
        agents.kill(old)
        killed, ends = time.monotonic(), expiry(control_plane)
        agents.wait_holder(NODES, 25)
        now = time.monotonic()
        print(f"{standby}: complete {now - killed:.2f} s after kill -9, {now - ends:.2f} s after the end of the Lease")
        assert now - killed <= 20
        assert standby == "cold" or now - ends <= 2
        check_complete(control_plane, agents)
