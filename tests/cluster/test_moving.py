"""Pods that get their node, against a real kube-apiserver: they go from the agent that shows what waits to the agent of the node.

What was measured is printed (pytest -s).
"""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import combinations

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.fleet import Fleet
from tests.cluster.glances import Span, spans
from tests.cluster.world import AGENTS, Make, check_complete, create, on, wanted_series

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
PODS = 100
LATE = 3.0
"""Seconds for which what waits may still be shown by who has lost its API server."""
PAUSE = 0.05
"""Seconds between two pods that get their node."""


def bind(plane: ControlPlane, name: str, node: str) -> None:
    """What the scheduler does."""
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    plane.request("POST", f"/api/v1/namespaces/default/pods/{name}/binding", {**binding, "target": target})


def pods(plane: ControlPlane, agents: Fleet) -> frozenset[str]:
    """The series of all pods."""
    return frozenset(series for series in wanted_series(plane, agents) if series.startswith("kube_pod_"))


def gaps(agents: Fleet) -> list[float]:
    """For how long each pod that moved was on no page, as scrapes saw it: from the last that showed it in one place to the end of the
    first that showed it in the other."""
    found: dict[str, list[Span]] = defaultdict(list)
    for member in agents.members:
        for series, span in spans(member.glances):
            if series.startswith("kube_pod_created{") and 'pod="moving-' in series:
                found[series].append(span)
    moves = [sorted(some, key=lambda span: span.begin) for some in found.values()]
    return sorted(after.begin - before.end for move in moves for before, after in zip(move, move[1:]))


def twice(agents: Fleet) -> dict[str, float]:
    """Pods that two agents showed at a time, and for how many seconds they certainly did."""
    found: dict[str, list[Span]] = defaultdict(list)
    for member in agents.members:
        for series, span in spans(member.glances):
            if series.startswith("kube_pod_created{"):
                found[series].append(span)
    pairs = {series: (one, other) for series, some in found.items() for one, other in combinations(some, 2) if one.overlaps(other)}
    return {series: min(one.end, other.end) - max(one.begin, other.begin) for series, (one, other) in pairs.items()}


def test_bound(control_plane: ControlPlane, some: Make) -> None:
    """A hundred pods that wait get their nodes: each is shown in its new place a moment after it has gone from the old one, at no time in
    both."""
    create(control_plane, [on("", f"moving-{number}") for number in range(PODS)])
    settled = [on(name, f"pod-{number}") for number, name in enumerate(AGENTS)]
    with some(period=0.04, query="?resources=pods") as agents:
        agents.wait_series("all pods", pods(control_plane, agents), 40)
        for number in range(PODS):
            # Another change on the node, just before: it takes the new pod along when it is published.
            phase = ("Running", "Pending")[number // len(AGENTS) % 2]
            control_plane.patch(settled[number % len(AGENTS)], {"status": {"phase": phase}}, "status")
            time.sleep(PAUSE)
            bind(control_plane, f"moving-{number}", AGENTS[number % len(AGENTS)])
            time.sleep(PAUSE)
        agents.wait_series("all pods", pods(control_plane, agents), 10)
        time.sleep(1)
        missed = gaps(agents)
        print(f"on no page for {missed[0]:.2f} to {missed[-1]:.2f} s, half of them less than {missed[PODS // 2]:.2f} s")
        check_complete(control_plane, agents)


def test_bound_while_cut_off(control_plane: ControlPlane, some: Make) -> None:
    """Who shows what waits loses its API server: of the pods that get their nodes meanwhile, some are there twice, until it stops
    showing what it knew of them, long before the rest."""
    create(control_plane, [on("", f"late-{number}") for number in range(10)])
    with some(period=0.04, query="?resources=pods") as agents:
        agents.wait_series("all pods", pods(control_plane, agents), 40)
        agents.wait_standby()
        old = agents.holder(0)
        others = [member.node for member in agents.members if member is not old]
        old.proxy.cut()
        for number in range(10):
            bind(control_plane, f"late-{number}", others[number % len(others)])
            time.sleep(1)
        agents.wait_series("all pods", pods(control_plane, agents), 20)
        time.sleep(1)
        found = twice(agents)
        print(f"cut off: {len(found)} pods twice, for {max(found.values(), default=0):.2f} s at the most")
        assert all(seconds < LATE for seconds in found.values())
        old.proxy.heal()
