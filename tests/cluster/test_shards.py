"""Three shards on a real kube-apiserver: after any fault of agents no series is ever served twice, and all are soon served again.

Each agent is scraped ten times a second. The tests assert the documented times and print the measured ones (pytest -s).
"""

from __future__ import annotations

import signal
import time

import pytest

from tests.cluster.agents import Fleet, Member
from tests.cluster.control_plane import ControlPlane
from tests.cluster.large_cluster import AGENTS, Make, check_complete, wanted_series
from tests.process_tree import PATIENCE, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
NODES = [*AGENTS, "node-4", "node-5"]
"""Nodes with agents: a holder and a standby for each of three shards."""
PROMISED = 20.0
"""Seconds until everything is served again after a holder was lost without releasing its Lease."""
RELEASED = 2.0
"""Seconds until everything is served again after a holder released its Lease."""


def settle(plane: ControlPlane, agents: Fleet) -> None:
    """Wait until everything is served and each shard has a standby."""
    agents.wait_series("everything", wanted_series(plane), 40)
    agents.wait_standby()


def timed(plane: ControlPlane, agents: Fleet, what: str, began: float, bar: float, but: Member | None = None) -> None:
    """Wait until all agents except `but` show everything again; at most `bar` seconds after `began` on a machine that is not busy."""
    expected = wanted_series(plane)
    agents.wait_series(f"everything after {what}", expected, 2 * PROMISED, but)
    seconds = time.monotonic() - began
    print(f"complete {seconds:.2f} s after {what}")
    assert seconds <= PATIENCE * bar, what


def killed(plane: ControlPlane, agents: Fleet, shard: int) -> None:
    """Kill the holders of this shard and the next with SIGKILL, then start agents on their nodes."""
    victims = [agents.holder(shard), agents.holder((shard + 1) % agents.shards)]
    for victim in victims:
        agents.kill(victim)
    timed(plane, agents, "kill -9 of two holders", time.monotonic(), PROMISED)
    for victim in victims:
        agents.start(victim.node)


def frozen(plane: ControlPlane, agents: Fleet, shard: int) -> None:
    """Stop all processes of the holder with SIGSTOP, then continue its web workers before the others.

    The web workers no longer serve the shard, and no stopped process is aborted.
    """
    victim = agents.holder(shard)
    victim.signal(signal.SIGSTOP)
    timed(plane, agents, f"SIGSTOP of the holder of shard {shard}", time.monotonic(), PROMISED, victim)
    woken = time.monotonic()
    victim.signal(signal.SIGCONT, "telegen-web")
    wait_for("an answer", lambda: victim.glances[-1].sent >= woken, 10)
    time.sleep(1)
    victim.signal(signal.SIGCONT)
    timed(plane, agents, "SIGCONT", woken, 10)

    def late() -> list[int]:
        return [glance.shown.nodes for glance in victim.glances if glance.done >= woken and glance.shown]

    wait_for("scrapes of all processes", lambda: len(late()) > 40, 10)
    assert not max(late()), late()
    assert "aborted" not in victim.agent.log.read_text()


def cut_off(plane: ControlPlane, agents: Fleet, shard: int) -> None:
    """Drop all packets between the holder and the API server, then deliver them late.

    The holder stops serving before another agent begins; the late packets change nothing.
    """
    victim = agents.holder(shard)
    victim.proxy.cut()
    cut = time.monotonic()
    wait_for("the end of its service", lambda: not victim.shows(), PROMISED)
    print(f"served no more {time.monotonic() - cut:.2f} s after it was cut off")
    timed(plane, agents, f"cutting off the holder of shard {shard}", cut, PROMISED)
    victim.proxy.heal()


def restarted(plane: ControlPlane, agents: Fleet, node: str) -> None:
    """End an agent with SIGTERM and start another on its node."""
    victim = next(member for member in agents.members if member.node == node)
    held, began = victim.shows() > 0, time.monotonic()
    agents.stop(victim)
    timed(plane, agents, f"SIGTERM of {node}{', a holder' if held else ''}", began, RELEASED)
    agents.start(node).agent.wait_ready()


def test_three_shards(control_plane: ControlPlane, some: Make) -> None:
    """Two holders are killed, one is stopped and continued, one is cut off; then all six agents are restarted in turn."""
    with some(nodes=NODES, shards=3) as agents:
        for shard, happens in enumerate((killed, frozen, cut_off)):
            settle(control_plane, agents)
            assert len(agents.holders()) == 3
            happens(control_plane, agents, shard)
        for node in NODES:
            settle(control_plane, agents)
            restarted(control_plane, agents, node)
        check_complete(control_plane, agents)
