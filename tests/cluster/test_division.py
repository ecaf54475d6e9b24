"""Agents on few of many nodes, against a real kube-apiserver and beside kube-state-metrics: whichever of them are lost, all of
them together soon serve again the series that kube-state-metrics serves, and no series is ever served twice.

Every agent is scraped whole ten times a second. Measured times are printed (pytest -s).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.agents import Fleet, Member
from tests.cluster.control_plane import ControlPlane
from tests.cluster.large_cluster import NODES, WATCHED, Make, create, on, wanted_series
from tests.cluster.peer import Peer, peer
from tests.kubestate.parity import Page, difference, parse
from tests.kubestate.test_parity import OURS
from tests.process_tree import PATIENCE, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
AGENTS = [f"node-{number}" for number in range(6)]
"""Nodes that have agents, of 300."""
HOLDER, STANDBY, RESERVE = range(3)
EVENTS: dict[str, tuple[tuple[int, ...], float]] = {
    "SIGTERM of the holder": ((HOLDER,), 2.0),
    "kill -9 of the holder": ((HOLDER,), 20.0),
    "kill -9 of the standby": ((STANDBY,), 0.0),
    "kill -9 of a waiting agent": ((-1,), 0.0),
    "kill -9 of the holder and the standby": ((HOLDER, STANDBY), 30.0),
    "kill -9 of the holder and a waiting agent": ((HOLDER, -1), 20.0),
}
"""Agents that are lost, by rank, -1 for one that waits; seconds after which everything is served, as docs/scale.md promises, 0 if it is
served all the time."""


@pytest.fixture
def other(control_plane: ControlPlane, agent_token: str, tmp_path: Path) -> Iterator[Peer]:
    """kube-state-metrics on the same API server."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "peer.kubeconfig", agent_token)
    with peer(tmp_path / "peer.log", f"--kubeconfig={kubeconfig}", f"--resources={','.join(WATCHED)}") as running:
        yield running


def union(agents: Fleet) -> Page:
    """Families of all pages together."""
    merged: Page = {}
    for member in agents.members:
        for name, (kind, series) in parse(member.agent.page_if_up()).items():
            if name.startswith("kube_") and name not in OURS:
                merged.setdefault(name, (kind, {}))[1].update(series)
    return merged


def check_equal(other: Peer, agents: Fleet) -> None:
    """Wait until kube-state-metrics and all agents together serve the same."""
    left: list[str] = []

    def equal() -> bool:
        left[:] = difference(parse(other.page()), union(agents))
        return not left

    try:
        wait_for("the page of kube-state-metrics", equal, 20, 0.5)
    except TimeoutError:
        pytest.fail("\n".join([f"{len(left)} differences", *left[:20]]))
    agents.check_never_twice()


def lost(agents: Fleet, ranks: tuple[int, ...]) -> list[Member]:
    """The agents of these ranks."""
    waiting = {member.node for member in agents.members} - {node for rank in range(3) for node in agents.in_line(rank)}
    return [agents.holder(0, rank) if rank >= 0 else next(one for one in agents.members if one.node in waiting) for rank in ranks]


def test_every_loss(control_plane: ControlPlane, some: Make, other: Peer) -> None:
    """One agent after another is lost and comes back; pods on nodes without an agent are served all the time."""
    create(control_plane, [on("node-299", f"far-{number}") for number in range(100)])
    expected = wanted_series(control_plane)
    with some(nodes=AGENTS) as agents:
        agents.wait_series("everything", expected, 40)
        check_equal(other, agents)
        assert sum('node="node-299"' in name for name in agents.series() if name.startswith("kube_pod_info{")) >= 100
        for event, (ranks, bar) in EVENTS.items():
            agents.wait_standby(rank=RESERVE)
            victims = lost(agents, ranks)
            began = time.monotonic()
            for victim in victims:
                victim.agent.process.send_signal(signal.SIGTERM if "SIGTERM" in event else signal.SIGKILL)
            for victim in victims:
                agents.stop(victim) if "SIGTERM" in event else agents.kill(victim)
            agents.wait_series(f"everything after {event}", expected, bar + 10)
            seconds = time.monotonic() - began
            print(f"complete {seconds:.2f} s after {event}")
            assert seconds <= PATIENCE * bar if bar else has_served_since(began, agents), event
            for victim in victims:
                agents.start(victim.node)
            check_equal(other, agents)
        assert len(agents.holders()) == 1 and agents.holders()[0].shows() == NODES


def has_served_since(began: float, agents: Fleet) -> bool:
    """Return True if each scrape of the only holder since then had all nodes."""
    (holder,) = agents.holders()
    wait_for("scrapes", lambda: sum(one.sent >= began for one in holder.glances) > 10, 10)
    return all(one.shown and one.shown.nodes == NODES for one in holder.glances if one.sent >= began)


@pytest.mark.every_version
def test_binding(control_plane: ControlPlane, some: Make) -> None:
    """A pod that gets its node is on the page all the time, first without and then with it."""
    create(control_plane, [on("", "late")])
    with some(nodes=AGENTS[:1]) as agents:
        (member,) = agents.members
        agents.wait_series("everything", wanted_series(control_plane), 40)
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "late"}}
        target = {"apiVersion": "v1", "kind": "Node", "name": "node-250"}
        control_plane.request("POST", "/api/v1/namespaces/default/pods/late/binding", {**binding, "target": target})
        bound = time.monotonic()
        agents.wait_series("the pod on its node", wanted_series(control_plane), 20)
        print(f"on its node {time.monotonic() - bound:.2f} s after it was bound")
        pages = [one.shown.series for one in member.glances if one.shown and one.shown.nodes]
        first = next(number for number, series in enumerate(pages) if any('pod="late"' in name for name in series))
        assert all(any('pod="late"' in name for name in series) for series in pages[first:])
