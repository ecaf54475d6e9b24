"""People's hands on the Leases, against a real kube-apiserver: whatever somebody deletes or edits, no series is ever there twice, and
all of them are soon there again.

Everybody is scraped whole ten times a second. The times that are asserted are those that users are promised; what was measured is
printed (pytest -s).
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cluster.agents import LEASES, Fleet, Member
from tests.cluster.control_plane import ControlPlane, Refused
from tests.cluster.large_cluster import AGENTS, Make, check_complete, wanted_series
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
RENEWED = 5.0
"""Seconds after which a holder has written its Lease anew, whatever was done to it."""
PROMISED = 20.0
"""Seconds after which another one serves everything; a sync of 2 s included, as the next in line is robbed as well."""
SHARD, STANDBY = f"{LEASES}/telegen-shard-0", f"{LEASES}/telegen-shard-0-standby"
MERGE = "application/merge-patch+json"
TOTAL, LAYOUT = "telegen.io/total-shards", "telegen.io/layout"
HUGE, FUTURE = 2**31 - 1, "2999-01-01T00:00:00.000000Z"

Owners = tuple[Member, str]
"""The holder, and the node of the next in line."""
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
"""What somebody may write into a Lease that its holder puts right, by what is in it then."""
STOLEN = {
    "metadata": {"annotations": {TOTAL: "7"}},
    "spec": {"holderIdentity": "nobody_1", "acquireTime": None, "renewTime": None, "leaseTransitions": HUGE},
}
"""A Lease that nobody renews any more, and whose numbers are at their ends."""


def unbroken(holder: Member, began: float) -> bool:
    """Whether a holder has shown all nodes at every scrape since then."""
    return all(one.shown and one.shown.nodes == len(AGENTS) for one in holder.glances if one.done >= began)


def is_whole(plane: ControlPlane, path: str, holder: str) -> bool:
    """Whether a Lease is as this holder writes it."""
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
    """Until both Leases are again what those who hold them say; the holder has served everything all the time."""
    holder, standby = owners
    places = ((SHARD, holder.node), (STANDBY, standby))
    wait_for(what, lambda: all(is_whole(plane, path, node) for path, node in places), PROMISED, 0.05)
    seconds = time.monotonic() - began
    print(f"whole {seconds:.2f} s after {what}")
    assert seconds <= RENEWED and unbroken(holder, began), what
    agents.check_never_twice()


def deleted(plane: ControlPlane, agents: Fleet, owners: Owners) -> None:
    """One by one, both at once, again and again for 10 s."""
    for path in (SHARD, STANDBY, LEASES):
        began = time.monotonic()
        plane.request("DELETE", path)
        put_right(plane, agents, f"DELETE {path.rpartition('/')[2]}", owners, began)
    # Who waits has to have seen it alive again: what is gone at every look for 15 s is anybody's.
    time.sleep(2)
    began = time.monotonic()
    while time.monotonic() < began + 10:
        plane.request("DELETE", LEASES)
    assert unbroken(owners[0], began)
    put_right(plane, agents, "10 s of DELETE", owners, time.monotonic())


def edited(plane: ControlPlane, agents: Fleet, owners: Owners) -> None:
    """What the API server takes; a duration that is none it does not."""
    for number in (0, -1):
        with pytest.raises(Refused):
            plane.request("PATCH", SHARD, {"spec": {"leaseDurationSeconds": number}}, MERGE)
    for what, change in HARMLESS.items():
        began = time.monotonic()
        for path in (SHARD, STANDBY):
            plane.request("PATCH", path, change, MERGE)
        put_right(plane, agents, what, owners, began)


def stolen(plane: ControlPlane, agents: Fleet, holder: Member) -> None:
    """By somebody who does not exist: the holder serves no more, and another one takes it when its time is over."""
    began = time.monotonic()
    for path in (SHARD, STANDBY):
        plane.request("PATCH", path, STOLEN, MERGE)
    wait_for("the end of its service", lambda: not holder.shows(), RENEWED)
    agents.wait_series("everything", wanted_series(plane), 40)
    seconds = time.monotonic() - began
    print(f"complete {seconds:.2f} s after a stranger's name")
    assert seconds <= PROMISED


def test_hands(control_plane: ControlPlane, all_of_few: Make) -> None:
    """Leases are deleted and edited: who held them holds them still, has served all the time, and puts them right. One that a stranger's
    name was written into is lost, and another agent's after its time."""
    with all_of_few() as agents:
        agents.wait_series("everything", wanted_series(control_plane), 40)
        agents.wait_standby()
        (standby,) = agents.in_line(1)
        owners = agents.holder(0), standby
        deleted(control_plane, agents, owners)
        edited(control_plane, agents, owners)
        stolen(control_plane, agents, owners[0])
        check_complete(control_plane, agents)
