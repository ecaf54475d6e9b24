"""Pods that get their node, against a real kube-apiserver: they go from the agent that shows what waits to the agent of the node.

What was measured is printed (pytest -s).
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.agents import Fleet, Member
from tests.cluster.control_plane import ControlPlane
from tests.cluster.large_cluster import AGENTS, Make, check_complete, create, on, wanted_series
from tests.cluster.scrape_history import Span, spans

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
PODS = 100
LATE = 20
"""Pods that get their nodes while who shows them is in trouble."""
UNSCHEDULED = "telegen-watch-u"
"""The process that keeps in step what waits, as the system calls it."""
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


def gaps(agents: Fleet, name: str) -> list[float]:
    """For how long each pod that moved was on no page, as scrapes saw it: from the last that showed it in one place to the end of the
    first that showed it in the other."""
    found: dict[str, list[Span]] = defaultdict(list)
    for member in agents.members:
        for series, span in spans(member.glances):
            if series.startswith("kube_pod_created{") and f'pod="{name}-' in series:
                found[series].append(span)
    moves = [sorted(some, key=lambda span: span.begin) for some in found.values()]
    return sorted(after.begin - before.end for move in moves for before, after in zip(move, move[1:]))


def test_bound(control_plane: ControlPlane, some: Make) -> None:
    """A hundred pods that wait get their nodes: each is shown in its new place seconds after it has gone from the old one, at no time in
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
        agents.wait_series("all pods", pods(control_plane, agents), 20)
        time.sleep(1)
        missed = gaps(agents, "moving")
        print(f"on no page for {missed[0]:.2f} to {missed[-1]:.2f} s, half of them less than {missed[PODS // 2]:.2f} s")
        check_complete(control_plane, agents)


def stop(old: Member) -> None:
    """What keeps them in step is stopped, and wakes up with everything to read at once."""
    old.signal(signal.SIGSTOP, UNSCHEDULED)
    time.sleep(8)
    old.signal(signal.SIGCONT, UNSCHEDULED)


def reset(old: Member) -> None:
    """Its connections are reset again and again."""
    for _ in range(20):
        old.proxy.reset()
        time.sleep(0.4)


def mute(old: Member) -> None:
    """Its connections bring nothing any more; new ones would."""
    old.proxy.mute()
    time.sleep(8)


def cut(old: Member) -> None:
    """It cannot reach its API server, until another agent has taken its place."""
    old.proxy.cut()
    time.sleep(18)
    old.proxy.heal()


@pytest.mark.parametrize("trouble", [stop, reset, mute, cut])
def test_bound_while_in_trouble(control_plane: ControlPlane, some: Make, trouble: Callable[[Member], None]) -> None:
    """Who shows what waits does not hear of the pods that get their nodes: none of them is there twice."""
    name = trouble.__name__
    create(control_plane, [on("", f"{name}-{number}") for number in range(LATE)])
    with some(period=0.04, query="?resources=pods") as agents:
        agents.wait_series("all pods", pods(control_plane, agents), 40)
        agents.wait_standby()
        old = agents.holder(0)
        others = [member.node for member in agents.members if member is not old]
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(trouble, old)
            for number in range(LATE):
                bind(control_plane, f"{name}-{number}", others[number % len(others)])
                time.sleep(0.4)
            done.result()
        agents.wait_series("all pods", pods(control_plane, agents), 20)
        time.sleep(1)
        missed = gaps(agents, name)
        print(f"{name}: on no page for {missed[0]:.2f} to {missed[-1]:.2f} s")
        check_complete(control_plane, agents)
