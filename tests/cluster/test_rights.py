"""RBAC of a real kube-apiserver takes the right to write Leases from agents and returns it; each agent has its own account.

Each agent is scraped ten times a second. The tests assert the documented times and print the measured ones (pytest -s).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pytest

from tests.cluster.agents import Fleet, Member
from tests.cluster.control_plane import ControlPlane, Object
from tests.cluster.large_cluster import AGENTS, Make, check_complete, wanted_series
from tests.process_tree import PATIENCE, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
PROMISED = 20.0
"""Seconds until another agent serves everything, or until the former holder has stopped serving."""
RENEWED = 10.0
"""Seconds until a holder that has the right again serves everything."""
RBAC = "rbac.authorization.k8s.io"


def binding(kind: str, role: str, subjects: Iterable[Object], **metadata: str) -> Object:
    """Return a binding of the agents' role to these subjects."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": "telegen-each", **metadata},
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": "telegen"},
        "subjects": list(subjects),
    }


def may_write(nodes: Iterable[str]) -> Object:
    """Return the binding that gives the agents of these nodes the rights of k8s/base/leases.yaml."""
    accounts = [{"kind": "ServiceAccount", "name": name, "namespace": "telegen"} for name in nodes]
    return binding("RoleBinding", "Role", accounts, namespace="telegen")


@pytest.fixture
def tokens(control_plane: ControlPlane, agent_token: str) -> Iterator[dict[str, str]]:
    """Token by node: each agent has an account with the agents' read rights and the right to write Leases."""
    names = [{"name": name, "namespace": "telegen"} for name in AGENTS]
    accounts = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata} for metadata in names]
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:serviceaccounts:telegen"}
    made = control_plane.apply([*accounts, binding("ClusterRoleBinding", "ClusterRole", [group]), may_write(AGENTS)])
    yield {name: control_plane.token("telegen", name) for name in AGENTS}
    for obj in made:
        control_plane.delete(obj)


def let_write(plane: ControlPlane, nodes: Iterable[str]) -> float:
    """Let only the agents of these nodes write Leases; return the time of the change."""
    change = may_write(nodes)
    plane.patch(change, {"subjects": change["subjects"]})
    return time.monotonic()


def served_again(plane: ControlPlane, agents: Fleet, what: str, began: float, bar: float) -> None:
    """Wait until all agents together show everything; at most `bar` seconds after `began` on a machine that is not busy."""
    agents.wait_series(f"everything after {what}", wanted_series(plane), 2 * PROMISED)
    seconds = time.monotonic() - began
    print(f"complete {seconds:.2f} s after {what}")
    assert seconds <= PATIENCE * bar, what


def ended(holder: Member, what: str, began: float) -> None:
    """Wait until a holder has stopped serving."""
    wait_for("the end of its service", lambda: not holder.shows(), PROMISED)
    print(f"served no more {time.monotonic() - began:.2f} s after {what}")


def told(member: Member) -> int:
    """Number of lines in an agent's log that name the manifest to apply."""
    return member.agent.log.read_text().count("apply k8s/base/leases.yaml")


@pytest.mark.every_version
def test_right_that_no_agent_has(control_plane: ControlPlane, all_of_few: Make, tokens: dict[str, str]) -> None:
    """Without the right no agent serves the shard, and the log of each agent that has tried names the manifest to apply once. With
    the right everything is served again."""
    with all_of_few(tokens=tokens) as agents:
        agents.wait_series("everything", wanted_series(control_plane), 40)
        agents.wait_standby()
        holder = agents.holder(0)
        ended(holder, "nobody might write", let_write(control_plane, ()))
        # The holder, the standby, and then a waiting agent.
        wait_for("three who have tried", lambda: sum(map(told, agents.members)) >= 3, PROMISED, 0.2)
        assert max(map(told, agents.members)) == 1 and not agents.holders()
        served_again(control_plane, agents, "all might write again", let_write(control_plane, AGENTS), RENEWED)


def test_right_that_the_holder_lacks(control_plane: ControlPlane, all_of_few: Make, tokens: dict[str, str]) -> None:
    """If only the holder loses the right, another agent takes the Lease and keeps it."""
    with all_of_few(tokens=tokens) as agents:
        agents.wait_series("everything", wanted_series(control_plane), 40)
        agents.wait_standby()
        holder = agents.holder(0)
        assert holder.shows()
        began = let_write(control_plane, set(AGENTS) - {holder.node})
        ended(holder, "it might not write", began)
        served_again(control_plane, agents, "the holder might not write", began, PROMISED)
        wait_for("a look", lambda: "telegen-shard-0: lost to" in holder.agent.log.read_text(), PROMISED, 0.2)
        let_write(control_plane, AGENTS)
        check_complete(control_plane, agents)
        assert agents.holder(0) is not holder and not holder.shows()
