"""Pods that get their node, against a real kube-apiserver: they go from the agent that shows what waits to the agent of the node.

What was measured is printed (pytest -s).
"""

from __future__ import annotations

import time
from collections import defaultdict

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.fleet import Fleet
from tests.cluster.glances import Span, spans
from tests.cluster.world import AGENTS, Make, check_complete, create, on, wanted_series

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
PODS = 100
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
