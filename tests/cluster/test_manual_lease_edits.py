"""Users delete and edit Leases on a real kube-apiserver: no series is ever served twice, and all are soon served again.

Each agent is scraped ten times a second. The tests assert the documented times and print the measured ones (pytest -s).
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cluster.agents import LEASES, Fleet, Member
from tests.cluster.control_plane import ControlPlane, Refused
from tests.cluster.large_cluster import AGENTS, Make, check_complete, wanted_series
from tests.process_tree import PATIENCE, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
RENEWED = 10.0
"""Seconds after which a Lease is whole again: 2 when the machine is idle; a request that fails under load costs up to 4 more."""
PROMISED = 20.0
"""Seconds until another agent serves everything; includes a sync of 2 s, since the standby loses its Lease as well."""
SHARD, STANDBY = f"{LEASES}/telegen-shard-0", f"{LEASES}/telegen-shard-0-standby"
MERGE = "application/merge-patch+json"
TOTAL, LAYOUT = "telegen.io/total-shards", "telegen.io/layout"
HUGE, FUTURE = 2**31 - 1, "2999-01-01T00:00:00.000000Z"

Owners = tuple[Member, str]
"""The holder, and the node of the standby."""
HARMLESS: dict[str, dict[str, Any]] = {
    "a duration of one second": {"spec": {"leaseDurationSeconds": 1}},
    "a huge duration, a renewal in the far future": {"spec": {"leaseDurationSeconds": HUGE, "renewTime": FUTURE}},
    "no duration, no times": {"spec": {"leaseDurationSeconds": None, "renewTime": None, "acquireTime": None}},
    "no holder": {"spec": {"holderIdentity": ""}},
    "no spec": {"spec": None},
    "words for numbers": {"metadata": {"annotations": {TOTAL: "many", LAYOUT: "-1"}}},
    "endless numbers": {"metadata": {"annotations": {TOTAL: "9" * 5000, LAYOUT: "9" * 5000}}},
    "another number of shards": {"metadata": {"annotations": {TOTAL: "7"}}},
    "no labels, no annotations": {"metadata": {"labels": None, "annotations": None}},
}
"""Edits of a Lease that its holder corrects, by description."""
STOLEN = {
    "metadata": {"annotations": {TOTAL: "7"}},
    "spec": {"holderIdentity": "nobody_1", "acquireTime": None, "renewTime": None, "leaseTransitions": HUGE},
}
"""Edit that names a holder which does not exist, with numbers at their limits."""


def unbroken(holder: Member, began: float) -> bool:
    """Return True if each scrape of a holder since `began` had all nodes."""
    return all(one.shown and one.shown.nodes == len(AGENTS) for one in holder.glances if one.done >= began)


def is_whole(plane: ControlPlane, path: str, holder: str) -> bool:
    """Return True if a Lease has the content that this holder writes."""
    try:
        lease = plane.request("GET", path)
    except Refused:
        return False
    spec, metadata = lease.get("spec", {}), lease["metadata"]
    return (
        spec.get("holderIdentity", "").startswith(f"{holder}_")
        and spec.get("leaseDurationSeconds") == 15
        and spec.get("renewTime", "2900") < "2900"
        and bool(spec.get("acquireTime"))
        and metadata.get("annotations", {}).get(TOTAL) == "1"
        and "telegen.io/election" in metadata.get("labels", {})
    )


def put_right(plane: ControlPlane, agents: Fleet, what: str, owners: Owners, began: float) -> None:
    """Wait until both owners have corrected their Leases; the holder has served everything without interruption."""
    holder, standby = owners
    places = ((SHARD, holder.node), (STANDBY, standby))
    wait_for(what, lambda: all(is_whole(plane, path, node) for path, node in places), RENEWED, 0.05)
    print(f"whole {time.monotonic() - began:.2f} s after {what}")
    assert unbroken(holder, began), what
    agents.check_never_twice()


def deleted(plane: ControlPlane, agents: Fleet, owners: Owners) -> None:
    """Delete each Lease, then both at once, then both repeatedly for 8 s."""
    for path in (SHARD, STANDBY, LEASES):
        began = time.monotonic()
        plane.request("DELETE", path)
        put_right(plane, agents, f"DELETE {path.rpartition('/')[2]}", owners, began)
    # A waiting agent must see the Lease once before it is deleted again: any agent may take a Lease that is absent from every list for
    # 15 s. The holder writes it every 2 s, and later on a busy machine.
    time.sleep(2)
    began = time.monotonic()
    while time.monotonic() < began + 8:
        plane.request("DELETE", LEASES)
    assert unbroken(owners[0], began)
    put_right(plane, agents, "8 s of DELETE", owners, time.monotonic())


def edited(plane: ControlPlane, agents: Fleet, owners: Owners) -> None:
    """Make all edits that the API server accepts; it refuses durations that are not positive."""
    for number in (0, -1):
        with pytest.raises(Refused):
            plane.request("PATCH", SHARD, {"spec": {"leaseDurationSeconds": number}}, MERGE)
    for what, change in HARMLESS.items():
        began = time.monotonic()
        for path in (SHARD, STANDBY):
            plane.request("PATCH", path, change, MERGE)
        put_right(plane, agents, what, owners, began)


def stolen(plane: ControlPlane, agents: Fleet, holder: Member) -> None:
    """Name a holder that does not exist: the holder stops serving, and another agent takes the Lease when it has expired."""
    began = time.monotonic()
    for path in (SHARD, STANDBY):
        plane.request("PATCH", path, STOLEN, MERGE)
    wait_for("the end of its service", lambda: not holder.shows(), RENEWED)
    agents.wait_series("everything", wanted_series(plane), 40)
    seconds = time.monotonic() - began
    print(f"complete {seconds:.2f} s after a stranger's name")
    assert seconds <= PATIENCE * PROMISED


def test_hands(control_plane: ControlPlane, all_of_few: Make) -> None:
    """After deletions and edits the same agents hold the Leases, have served without interruption, and correct them. A Lease that
    names another holder is lost; another agent takes it when it has expired."""
    with all_of_few() as agents:
        agents.wait_series("everything", wanted_series(control_plane), 40)
        agents.wait_standby()
        (standby,) = agents.in_line(1)
        owners = agents.holder(0), standby
        deleted(control_plane, agents, owners)
        edited(control_plane, agents, owners)
        stolen(control_plane, agents, owners[0])
        check_complete(control_plane, agents)
