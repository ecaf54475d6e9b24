"""The election: no shard ever has two serving agents, and after each fault it has one again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from telegen.api.errors import Conflict
from telegen.election.lease import LAYOUT, OLD_LAYOUT, Lease, read_lease
from telegen.shm.serving_deadlines import boottime
from tests.election.simulated_agents import Member, SimulatedAgents, simulated_agents


def the(members: list[Member]) -> Member:
    """Return the only member of a list."""
    (member,) = members
    return member


@contextmanager
def elected(members: int) -> Iterator[tuple[SimulatedAgents, Member]]:
    """Start agents and advance the clock by a minute, after which one holds the shard; yield them and the holder."""
    with simulated_agents(members) as some:
        some.turn(60)
        yield some, the(some.serving())


def settled(some: SimulatedAgents) -> SimulatedAgents:
    """Advance the clock by 15 minutes, after which the election is stable."""
    some.turn(900, tick=1.0)
    return some


def test_first_come() -> None:
    """One agent takes the shard, another becomes its standby, a third waits.

    A Lease that does not exist may have been deleted while its holder was cut off, so no agent serves before renew_deadline.
    """
    with simulated_agents(3) as some:
        some.turn(9.5)
        assert not some.serving()
        some.turn(1)
        holder, standby = the(some.serving()), some.standby()
        assert standby and standby is not holder
        assert (some.holder(), some.holder(rank=1)) == (holder.identity, standby.identity)
        assert some.leases()["telegen-shard-0"].duration == 15


def test_killed_holder() -> None:
    """The standby takes the Lease as soon as it has not changed for its duration, and another agent becomes standby."""
    with elected(3) as (some, old):
        standby = some.standby()
        some.members.remove(old)
        some.turn(13)
        assert not some.serving()
        some.turn(3)
        assert the(some.serving()) is standby
        some.turn(40)
        assert some.standby() in some.members and some.standby() is not standby
        assert some.leases()["telegen-shard-0"].transitions == 1


def test_released() -> None:
    """An agent that ends releases its Lease: empty holder, duration of 1 s, as client-go does. The standby takes it at once."""
    with elected(3) as (some, old):
        standby = some.standby()
        some.end(old)
        assert (some.leases()["telegen-shard-0"].holder, some.leases()["telegen-shard-0"].duration) == ("", 1)
        some.turn(0.25)
        assert the(some.serving()) is standby


def test_cut_off_holder() -> None:
    """A holder that is cut off stops serving before another agent begins, and detects the loss when it is connected again."""
    with elected(3) as (some, old):
        old.line.cut = True
        some.turn(12.5)
        assert not some.serving()
        some.turn(5)
        assert the(some.serving()) is not old
        old.line.cut = False
        some.turn(30)
        assert the(some.serving()) is not old


def test_api_server_away() -> None:
    """While the API server is unreachable no agent serves the shard; 10 s afterwards one does."""
    with simulated_agents(3) as some:
        some.turn(60)
        for member in some.members:
            member.line.cut = True
        some.turn(120)
        assert not some.serving()
        for member in some.members:
            member.line.cut = False
        some.turn(10)
        assert the(some.serving()) in some.members


def test_requests_while_unreachable() -> None:
    """While the API server is unreachable, a waiting agent sends requests at its usual interval."""
    with simulated_agents(4) as some:
        some.turn(60)
        waiting = the(some.waiting())
        waiting.line.cut = True
        some.turn(180)
        before = len(waiting.verbs)
        some.turn(600, tick=0.5)
        assert 1.5 < (len(waiting.verbs) - before) / 10 < 2.7


def test_frozen_holder() -> None:
    """A holder that is stopped past its deadline never serves after it continues."""
    with elected(3) as (some, old):
        old.frozen = True
        some.turn(40)
        new = the(some.serving())
        assert new is not old
        old.frozen = False
        some.turn(40)
        assert the(some.serving()) is new


def test_lost_answers() -> None:
    """A renewal whose response is lost does not extend the deadline; the stored Lease shows later that the holder still has it."""
    with elected(2) as (some, holder):
        holder.line.lossy = True
        some.turn(5)
        holder.line.lossy = False
        some.turn(5)
        assert the(some.serving()) is holder


def test_one_each() -> None:
    """With enough agents each holds at most one Lease at first; later, holders take the remaining standby and reserve Leases."""
    with simulated_agents(8, shards=3) as some:
        some.turn(40)
        holders = [lease.holder for lease in some.leases().values()]
        assert len(set(holders)) == len(holders) == 8
        some.turn(80)
        for shard in range(3):
            assert some.serving(shard) and some.standby(shard)
            assert len({some.holder(shard, rank) for rank in range(3)} - {""}) == 3


def test_more_shards_than_agents() -> None:
    """Too few agents take several Leases each after a delay; no agent is its own standby."""
    with simulated_agents(2, shards=3) as some:
        settled(some)
        for shard in range(3):
            assert the(some.serving(shard)) is not some.standby(shard)


def test_alone() -> None:
    """The only agent of a cluster holds the shard; there is no standby."""
    with simulated_agents(1) as some:
        settled(some)
        assert some.serving() and not some.standby()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("age", [10, 60])
def test_killed_pair(seed: int, age: int) -> None:
    """If holder and standby are killed, the reserve serves as soon as their Leases expire, also right after the start."""
    with simulated_agents(3, seed) as some:
        some.turn(age + 10)
        reserve = next(member for member in some.members if member.identity == some.holder(rank=2))
        some.members[:] = [reserve]
        some.turn(11.5)
        assert not some.serving()
        some.turn(4)
        assert the(some.serving()) is reserve


def test_killed_line() -> None:
    """If holder, standby and reserve are killed, one of many waiting agents soon lists and takes the shard; a single one needs at most one
    and a half list intervals."""
    for members, seconds in ((20, 22), (4, 62)):
        with simulated_agents(members) as some:
            some.turn(60, tick=0.5)
            some.members[:] = some.waiting()
            some.turn(seconds, tick=0.5)
            assert some.serving()


def test_line_moves_up() -> None:
    """After a loss each agent of a lower rank moves up, and a waiting agent becomes reserve."""
    with simulated_agents(5) as some:
        some.turn(60)
        line = [some.holder(rank=rank) for rank in range(3)]
        assert len(set(line)) == 3
        some.members[:] = [member for member in some.members if member.identity != line[1]]
        some.turn(17)
        assert [some.holder(rank=rank) for rank in range(2)] == [line[0], line[2]]
        some.turn(46)
        assert some.holder(rank=2) not in ("", *line)


def test_waiting_agent_leaves_the_shard_to_the_standby() -> None:
    """A waiting agent that lists at the moment of a release does not overtake the standby."""
    with elected(5) as (some, old):
        standby, waiting = some.standby(), some.waiting()[0]
        some.end(old)
        waiting.election._list_leases()
        waiting.live()
        assert some.holder() == ""
        some.turn(0.5)
        assert the(some.serving()) is standby


def test_last_of_three() -> None:
    """If two of three agents with a shard each are killed, the third serves all shards within 20 s."""
    with simulated_agents(3, shards=3) as some:
        settled(some)
        assert all(some.serving(shard) for shard in range(3))
        some.members[:] = some.members[:1]
        some.turn(19)
        assert all(some.serving(shard) for shard in range(3))


def test_requests_of_the_waiting() -> None:
    """A waiting agent lists twice a minute."""
    with simulated_agents(6) as some:
        settled(some)
        waiting = some.waiting()
        assert len(waiting) == 3
        before = [len(member.verbs) for member in waiting]
        some.turn(300)
        counts = [(len(member.verbs) - count) / 5 for member, count in zip(waiting, before)]
        assert all(1.5 < count < 2.7 for count in counts), counts


def test_requests_of_holder_and_standby() -> None:
    """Holder and standby renew every two seconds, and list all Leases at longer intervals."""
    with simulated_agents(3) as some:
        settled(some)
        pair = [the(some.serving()), some.standby()]
        before = [len(member.verbs) for member in pair if member]
        some.turn(600, tick=0.5)
        counts = [(len(member.verbs) - count) / 10 for member, count in zip(pair, before) if member]
        assert all(20 < count < 34 for count in counts), counts


def test_another_number_of_shards() -> None:
    """An agent takes no shard while one with another number of shards holds a shard, since series would be served twice."""
    with simulated_agents(2) as some:
        some.turn(60)
        one = some.join(shards=2)
        some.turn(120)
        assert not one.serves(0) and not one.serves(1)
        for old in [member for member in some.members if member is not one]:
            some.end(old)
        some.shards = 2
        some.join()
        some.turn(70)
        assert the(some.serving(0)) is not the(some.serving(1))


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_update_from_another_layout(seed: int, killed: bool) -> None:
    """In a rolling update no agent of the new layout serves while one of the old layout runs, even if that one only waits. When the
    last one has ended, a new one serves the shard."""
    with simulated_agents(6, seed) as some:
        some.members.clear()
        for _ in range(6):
            some.join(layout=OLD_LAYOUT)
        some.turn(60, tick=0.5)
        assert the(some.serving()).division == (OLD_LAYOUT, 1)
        for old in list(some.members):
            some.members.remove(old)
            if not killed:
                old.election.resign()
            some.join()
            some.turn(some.draw.uniform(1, 20), tick=0.5)
            left = [member for member in some.members if member.division[0] == OLD_LAYOUT]
            assert not left or not any(member.serves(0) for member in some.members if member not in left)
        some.turn(130, tick=0.5)
        assert the(some.serving()).division == (LAYOUT, 1)


@pytest.mark.parametrize(
    ("annotation", "position"),
    [
        ("812 2026-11-28T10:06:32Z", "812 2026-11-28T10:06:32Z"),
        ("812", "812"),
        ("\U0001f600" * 100, ""),
        ("9" * 5000, ""),
        ("\u0663 x", ""),
        ("812 2026\0", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_position_that_a_person_has_edited(annotation: object, position: str) -> None:
    """An annotation that is no position counts as none: it must not stop the agents, which all read it."""
    found = read_lease({"metadata": {"name": "telegen-shard-0", "annotations": {"telegen.io/events-position": annotation}}})
    assert found.position == position


def test_record_without_a_layout() -> None:
    """A Lease with a number of shards and no layout has the old layout."""
    def obj(**annotations: str) -> dict[str, object]:
        return {"metadata": {"name": "a", "annotations": annotations}, "spec": {}}

    assert read_lease(obj(**{"telegen.io/total-shards": "1"})).layout == OLD_LAYOUT
    assert read_lease(obj(**{"telegen.io/total-shards": "1", "telegen.io/layout": "2"})).layout == LAYOUT
    assert read_lease(obj()).layout == 0


def test_two_divisions_at_once() -> None:
    """If agents with different numbers of shards take Leases of different names at the same moment, the last writer detects that,
    releases its Lease and never serves."""
    with simulated_agents(1) as some:
        old = some.members[0]
        old.election._list_leases()
        some.shards = 2
        for _ in range(20):
            new = some.join(shards=2)
            new.live()
            if new.serves(1):
                break
            new.election.resign()
            some.members.remove(new)
        assert new.serves(1)
        old.election._observed["telegen-shard-0"].lease = some.leases().get("telegen-shard-0", Lease("telegen-shard-0"))
        old.election._take("telegen-shard-0")
        assert not old.serves(0) and new.serves(1)
        assert some.holder() == ""


def test_late_renewal() -> None:
    """A holder that continues after a stop finds its Lease unchanged, and Leases of an agent with another number of shards. It releases
    its Lease before it serves."""
    with simulated_agents(1) as some:
        some.turn(11)
        (old,) = some.members
        old.frozen = True
        new = some.join(shards=2)
        new.live()
        some.now += 20
        new.election._list_leases()
        new.election._take("telegen-shard-1")
        some.now += 10.5
        new.live()
        some.shards = 2
        assert new.serves(1) and not old.serves(0)
        old.frozen = False
        old.live()
        assert not old.serves(0) and some.holder() == ""


def test_restarted_process_keeps_the_lease() -> None:
    """A new process with the identity of the old one takes the Lease at once, without a transition."""
    with elected(2) as (some, old):
        some.members.remove(old)
        new = Member(some, old.identity, 1)
        some.members.append(new)
        some.turn(0.25)
        assert new.serves(0)
        assert some.leases()["telegen-shard-0"].transitions == 0


def test_only_one_writes() -> None:
    """An update with an old resourceVersion is refused, and so is a second creation."""
    with simulated_agents(1) as some:
        some.turn(1)
        held = some.leases()["telegen-shard-0"]
        leases = some.members[0].election._leases
        leases.write(replace(held, renewed="2026-01-05T08:00:00.000000Z"))
        for stale in (held, Lease("telegen-shard-0")):
            with pytest.raises(Conflict):
                leases.write(stale)


def test_overwritten_lease(caplog: pytest.LogCaptureFixture) -> None:
    """A Lease that names another holder is lost at the next renewal and the loss is logged; a deleted one is created again."""
    with simulated_agents(1) as some, caplog.at_level(logging.WARNING):
        some.turn(11)
        leases = some.members[0].election._leases
        leases.write(replace(some.leases()["telegen-shard-0"], holder="stranger"))
        some.turn(2.5)
        assert not some.serving()
        assert "telegen-shard-0: lost to stranger" in caplog.text
        some.delete("telegen-shard-0")
        some.turn(60)
        assert some.serving()


def test_deleted_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    """A deleted Lease stays its holder's: no other agent serves, and the holder creates it again at its next renewal."""
    with elected(4) as (some, holder), caplog.at_level(logging.WARNING):
        for _ in range(3):
            some.delete(*some.leases())
            some.turn(3)
            assert the(some.serving()) is holder
            assert some.holder() == holder.identity
        assert "telegen-shard-0: deleted" in caplog.text
        holder.frozen = True
        some.delete("telegen-shard-0")
        some.turn(7)
        assert the(some.serving()) is holder
        some.turn(20)
        assert the(some.serving()) is not holder


def edit_leases(some: SimulatedAgents, change: Callable[[Lease], Lease]) -> None:
    """Change all Leases, as a user may with kubectl."""
    for lease in some.leases().values():
        some.members[0].election._leases.write(change(lease))


def test_emptied_by_hand() -> None:
    """A Lease whose holder was removed by an edit is not free: its holder writes its identity again and serves without interruption."""
    with elected(4) as (some, holder):
        for duration in (0, 1, 15):
            edit_leases(some, partial(lambda found, seconds: replace(found, holder="", duration=seconds), seconds=duration))
            some.turn(2.5)
            assert the(some.serving()) is holder
            assert (some.holder(), some.leases()["telegen-shard-0"].duration) == (holder.identity, 15)


@pytest.mark.parametrize("duration,after", [(0, 16), (1, 16), (60, 61), (2**31 - 1, 151)])
def test_unknown_holder(duration: int, after: float) -> None:
    """A Lease that names an unknown holder is taken when it has not changed for the duration in it.

    The duration counts as at least the configured one and at most ten times that. Other numbers may be at their limits.
    """
    with simulated_agents(4) as some:
        some.turn(60)
        edit_leases(some, lambda found: replace(found, holder="stranger", duration=duration, transitions=2**31 - 1, total=7))
        some.turn(after - 3)
        assert not some.serving()
        some.turn(6)
        assert some.serving()
        assert some.leases()["telegen-shard-0"].transitions == 2**31 - 1


def test_corrected() -> None:
    """Edits of all fields but the holder are corrected at the next renewal."""
    with elected(3) as (some, holder):
        acquired = some.leases()["telegen-shard-0"].acquired
        edit_leases(some, lambda found: replace(found, duration=2**31 - 1, renewed="", total=7))
        some.turn(2.5)
        found = some.leases()["telegen-shard-0"]
        assert (found.duration, found.acquired, found.total, found.layout) == (15, acquired, 1, LAYOUT)
        assert found.renewed and the(some.serving()) is holder


def test_no_label() -> None:
    """A Lease without its label is found by its name. The holder restores the label; if the holder is lost, the next one does."""
    with elected(3) as (some, holder):
        stored = some.server.state.collections["leases"].objects
        for there in (True, False):
            if not there:
                some.members.remove(holder)
            for obj in [one.load() for one in stored.values()]:
                some.server.state.put("leases", {**obj, "metadata": {**obj["metadata"], "labels": {}}})
            some.turn(3 if there else 18)
            assert some.serving() == [holder] or (not there and some.serving())
            (shard,) = [one for one in (one.load() for one in stored.values()) if one["metadata"]["name"] == "telegen-shard-0"]
            assert shard["metadata"]["labels"]


@pytest.mark.parametrize("cut", [False, True])
def test_new_agent_takes_a_deleted_lease(cut: bool) -> None:
    """An agent that starts while a Lease is deleted takes it. It serves when the old holder has seen that or, if that one is cut off,
    has passed its deadline."""
    with elected(2) as (some, holder):
        some.delete(*some.leases())
        holder.line.cut = cut
        new = some.join()
        new.live()
        assert some.holder() == new.identity and the(some.serving()) is holder
        some.turn(10.5)
        assert the(some.serving()) is new


def test_no_longer_allowed() -> None:
    """A holder without the right to write sees in a list that it has lost its Lease, and becomes a waiting agent."""
    with elected(3) as (some, holder):
        holder.line.refused = True
        some.turn(60)
        assert the(some.serving()) is not holder
        assert not holder.election.serves_until(0)


def test_may_not_write(caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to write Leases no agent serves; each retries about every 45 s, and its log names the manifest to apply."""
    with simulated_agents(3) as some, caplog.at_level(logging.WARNING):
        for member in some.members:
            member.line.refused = True
        some.turn(600, tick=0.5)
        assert not some.serving()
        assert "apply k8s/base/leases.yaml" in caplog.text
        assert all(10 < member.verbs.count("create") < 25 for member in some.members)
        for member in some.members:
            member.line.refused = False
        some.turn(70)
        assert the(some.serving())


def test_problem_without_a_right() -> None:
    """An agent that may not list Leases is not ready from its first request on, and is ready when the right is back."""
    with simulated_agents(1) as some:
        (member,) = some.members
        member.line.blind = True
        some.turn(1)
        assert "apply the Role and RoleBinding of k8s/base/leases.yaml" in member.election.problem
        member.line.blind = False
        some.turn(10)
        assert member.election.problem == ""


def test_problem_while_the_server_restarts() -> None:
    """A server that restarts refuses valid requests: a holder has a problem only when that lasts longer."""
    with elected(1) as (some, holder):
        holder.line.refused = holder.line.blind = True
        some.turn(25)
        assert holder.election.problem == ""
        some.turn(15)
        assert holder.election.problem
        holder.line.refused = holder.line.blind = False
        some.turn(5)
        assert holder.election.problem == ""


def test_problem_ends_with_the_lease() -> None:
    """An agent that has lost its Lease because it was refused to renew it has no problem afterwards."""
    with elected(3) as (some, holder):
        holder.line.refused = True
        some.turn(60)
        holder.line.refused = False
        some.turn(60)
        assert the(some.serving()) is not holder
        assert holder.election.problem == ""


@pytest.mark.parametrize("seed", range(6))
def test_random_faults(seed: int) -> None:
    """While agents are cut off, stopped, killed and restarted in random order, no shard is ever served twice. Afterwards all are served."""
    with simulated_agents(7, seed, shards=2) as some:
        for _ in range(40):
            _inject_fault(some, 2)
        _end_faults(some)
        assert the(some.serving(0)) and the(some.serving(1))


@pytest.mark.parametrize("seed", range(3))
def test_random_faults_and_numbers_of_shards(seed: int) -> None:
    """Agents with random numbers of shards join as well: all serving agents have the same number. Afterwards all shards are served."""
    with simulated_agents(7, seed, shards=2) as some:
        for _ in range(40):
            _inject_fault(some, some.draw.randrange(1, 4))
        _end_faults(some)
        assert all(len(some.serving(shard)) == 1 for shard in range(some.serving()[0].shards))


def _inject_fault(some: SimulatedAgents, shards: int) -> None:
    """Inject a random fault into a random agent, then advance the clock. An agent that joins has this number of shards."""
    victim, what = some.draw.choice(some.members), some.draw.randrange(6)
    if what == 0:
        victim.line.cut = not victim.line.cut
    elif what == 1:
        victim.frozen = not victim.frozen
    elif what == 2:
        victim.line.lossy = not victim.line.lossy
    elif what == 3 and len(some.members) > 4:
        some.members.remove(victim)
    elif what == 4 and not victim.frozen and len(some.members) > 4:
        some.end(victim)
    else:
        some.join(shards)
    some.turn(some.draw.uniform(1, 25), tick=0.5)


def _end_faults(some: SimulatedAgents) -> None:
    for member in some.members:
        member.line.cut = member.line.lossy = member.frozen = False
    some.turn(150, tick=0.5)


def test_clock_runs_through_suspension() -> None:
    """The clock counts the time of CLOCK_MONOTONIC and of suspension."""
    assert boottime() >= time.monotonic() - 1
