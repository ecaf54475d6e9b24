"""Who holds which Lease: never two at once, always somebody again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from telegen.api.errors import Conflict
from telegen.election.lease import LAYOUT, OLD_LAYOUT, Lease, read_lease
from telegen.shm.serving_deadlines import boottime
from tests.election.simulated_agents import Member, SimulatedAgents, simulated_agents


def the(members: list[Member]) -> Member:
    """The only one."""
    (member,) = members
    return member


def settled(some: SimulatedAgents) -> SimulatedAgents:
    """After the first quarter of an hour of a day without events."""
    some.turn(900, tick=1.0)
    return some


def test_first_come() -> None:
    """One takes the shard, another the place behind it; a third waits. Nobody serves before a deadline is over: the Lease may have been
    deleted, and its holder be cut off."""
    with simulated_agents(3) as some:
        some.turn(9.5)
        assert not some.serving()
        some.turn(1)
        holder, standby = the(some.serving()), some.standby()
        assert standby and standby is not holder
        assert (some.holder(), some.holder(rank=1)) == (holder.identity, standby.identity)
        assert some.leases()["telegen-shard-0"].duration == 15


def test_killed_holder() -> None:
    """The standby takes over as soon as the record has stood still for the lease's time, and somebody follows it."""
    with simulated_agents(3) as some:
        some.turn(60)
        old, standby = the(some.serving()), some.standby()
        some.members.remove(old)
        some.turn(13)
        assert not some.serving()
        some.turn(3)
        assert the(some.serving()) is standby
        some.turn(40)
        assert some.standby() in some.members and some.standby() is not standby
        assert some.leases()["telegen-shard-0"].transitions == 1


def test_released() -> None:
    """Who leaves gives its Lease back: holder empty, one second, as client-go does; the standby takes it at once."""
    with simulated_agents(3) as some:
        some.turn(60)
        old, standby = the(some.serving()), some.standby()
        some.members.remove(old)
        old.election.resign()
        assert (some.leases()["telegen-shard-0"].holder, some.leases()["telegen-shard-0"].duration) == ("", 1)
        some.turn(0.25)
        assert the(some.serving()) is standby


def test_cut_off_holder() -> None:
    """A holder that reaches nobody stops serving before another begins, and learns later that it has lost."""
    with simulated_agents(3) as some:
        some.turn(60)
        old = the(some.serving())
        old.line.cut = True
        some.turn(12.5)
        assert not some.serving()
        some.turn(5)
        assert the(some.serving()) is not old
        old.line.cut = False
        some.turn(30)
        assert the(some.serving()) is not old


def test_api_server_away() -> None:
    """While nobody reaches the API server nobody serves the shard; soon afterwards one does."""
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
    """While the API server is out of reach, a waiting agent backs off to its usual interval."""
    with simulated_agents(4) as some:
        some.turn(60)
        waiting = the(some.waiting())
        waiting.line.cut = True
        some.turn(180)
        before = len(waiting.verbs)
        some.turn(600, tick=0.5)
        assert 1.5 < (len(waiting.verbs) - before) / 10 < 2.7


def test_frozen_holder() -> None:
    """A holder that was stopped for long serves nothing when it wakes up, not for a moment."""
    with simulated_agents(3) as some:
        some.turn(60)
        old = the(some.serving())
        old.frozen = True
        some.turn(40)
        new = the(some.serving())
        assert new is not old
        old.frozen = False
        some.turn(40)
        assert the(some.serving()) is new


def test_lost_answers() -> None:
    """A renewal whose answer is lost counts for nothing at first; the record shows that it is ours all the same."""
    with simulated_agents(2) as some:
        some.turn(60)
        holder = the(some.serving())
        holder.line.lossy = True
        some.turn(5)
        holder.line.lossy = False
        some.turn(5)
        assert the(some.serving()) is holder


def test_one_each() -> None:
    """With enough agents, each holds one Lease at most; when all have had time, agents that hold one fill the lines."""
    with simulated_agents(8, shards=3) as some:
        some.turn(40)
        holders = [lease.holder for lease in some.leases().values()]
        assert len(set(holders)) == len(holders) == 8
        some.turn(80)
        for shard in range(3):
            assert some.serving(shard) and some.standby(shard)
            assert len({some.holder(shard, rank) for rank in range(3)} - {""}) == 3


def test_more_shards_than_agents() -> None:
    """With too few agents, they take what nobody else has taken for a while; nobody stands by for itself."""
    with simulated_agents(2, shards=3) as some:
        settled(some)
        for shard in range(3):
            assert the(some.serving(shard)) is not some.standby(shard)


def test_alone() -> None:
    """The only agent of a cluster holds the shard; there is nobody next in line."""
    with simulated_agents(1) as some:
        settled(some)
        assert some.serving() and not some.standby()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("age", [10, 60])
def test_killed_pair(seed: int, age: int) -> None:
    """When a holder and its standby are killed, the reserve serves as soon as their Leases end, also right after the start."""
    with simulated_agents(3, seed) as some:
        some.turn(age + 10)
        reserve = next(member for member in some.members if member.identity == some.holder(rank=2))
        some.members[:] = [reserve]
        some.turn(11.5)
        assert not some.serving()
        some.turn(4)
        assert the(some.serving()) is reserve


def test_killed_line() -> None:
    """When the whole line is killed, one of many waiting agents lists soon; a single one within one and a half intervals."""
    for members, seconds in ((20, 22), (4, 62)):
        with simulated_agents(members) as some:
            some.turn(60, tick=0.5)
            some.members[:] = some.waiting()
            some.turn(seconds, tick=0.5)
            assert some.serving()


def test_line_moves_up() -> None:
    """Each loss is followed by all agents behind it; the last place goes to a waiting agent."""
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
    with simulated_agents(5) as some:
        some.turn(60)
        old, standby, waiting = the(some.serving()), some.standby(), some.waiting()[0]
        some.members.remove(old)
        old.election.resign()
        waiting.election._list_leases()
        waiting.live()
        assert some.holder() == ""
        some.turn(0.5)
        assert the(some.serving()) is standby


def test_last_of_three() -> None:
    """Of three agents with a shard each two are killed: the third serves all shards within 20 s."""
    with simulated_agents(3, shards=3) as some:
        settled(some)
        assert all(some.serving(shard) for shard in range(3))
        some.members[:] = some.members[:1]
        some.turn(19)
        assert all(some.serving(shard) for shard in range(3))


def test_requests_of_the_waiting() -> None:
    """A waiting agent lists twice a minute, whatever the others do."""
    with simulated_agents(6) as some:
        settled(some)
        waiting = some.waiting()
        assert len(waiting) == 3
        before = [len(member.verbs) for member in waiting]
        some.turn(300)
        counts = [(len(member.verbs) - count) / 5 for member, count in zip(waiting, before)]
        assert all(1.5 < count < 2.7 for count in counts), counts


def test_requests_of_holder_and_standby() -> None:
    """They renew every two seconds, and look around now and then."""
    with simulated_agents(3) as some:
        settled(some)
        pair = [the(some.serving()), some.standby()]
        before = [len(member.verbs) for member in pair if member]
        some.turn(600, tick=0.5)
        counts = [(len(member.verbs) - count) / 10 for member, count in zip(pair, before) if member]
        assert all(20 < count < 34 for count in counts), counts


def test_another_number_of_shards() -> None:
    """While an agent with another number of shards holds a shard, no other shard is taken: each series would be served twice."""
    with simulated_agents(2) as some:
        some.turn(60)
        one = some.join(shards=2)
        some.turn(120)
        assert not one.serves(0) and not one.serves(1)
        for old in [member for member in some.members if member is not one]:
            some.members.remove(old)
            old.election.resign()
        some.shards = 2
        some.join()
        some.turn(70)
        assert the(some.serving(0)) is not the(some.serving(1))


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_update_from_another_layout(seed: int, killed: bool) -> None:
    """In a rolling update no agent of the new layout serves while one of the old layout is there, even if it only waits; after the
    last one the shard is served by the new ones."""
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


def test_record_without_a_layout() -> None:
    """A Lease of the release before layouts has the number of shards and no layout."""
    def obj(**annotations: str) -> dict[str, object]:
        return {"metadata": {"name": "a", "annotations": annotations}, "spec": {}}

    assert read_lease(obj(**{"telegen.io/total-shards": "1"})).layout == OLD_LAYOUT
    assert read_lease(obj(**{"telegen.io/total-shards": "1", "telegen.io/layout": "2"})).layout == LAYOUT
    assert read_lease(obj()).layout == 0


def test_two_divisions_at_once() -> None:
    """Agents with another number of shards each take Leases of different names at the same moment: the one that wrote last sees it and
    gives its own back, and has not served."""
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
    """A holder that wakes up finds its Lease untouched, while an agent with another number of shards has begun to take others: it gives
    its own back before it serves."""
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


def test_restarted_process_goes_on() -> None:
    """A new process with the identity of the old one takes the Lease at once: it was never free."""
    with simulated_agents(2) as some:
        some.turn(60)
        old = the(some.serving())
        some.members.remove(old)
        new = Member(some, old.identity, 1)
        some.members.append(new)
        some.turn(0.25)
        assert new.serves(0)
        assert some.leases()["telegen-shard-0"].transitions == 0


def test_only_one_writes() -> None:
    """An update of a version that is no longer the newest is refused, and so is a second creation."""
    with simulated_agents(1) as some:
        some.turn(1)
        held = some.leases()["telegen-shard-0"]
        leases = some.members[0].election._leases
        leases.write(replace(held, renewed="2026-01-05T08:00:00.000000Z"))
        for stale in (held, Lease("telegen-shard-0")):
            with pytest.raises(Conflict):
                leases.write(stale)


def test_taken_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    """A Lease that somebody has overwritten is lost at the next renewal, with a word in the log; one deleted is made anew."""
    with simulated_agents(1) as some, caplog.at_level(logging.WARNING):
        some.turn(11)
        leases = some.members[0].election._leases
        leases.write(replace(some.leases()["telegen-shard-0"], holder="somebody"))
        some.turn(2.5)
        assert not some.serving()
        assert "telegen-shard-0: lost to somebody" in caplog.text
        some.server.state.delete("leases", "telegen", "telegen-shard-0")
        some.turn(60)
        assert some.serving()


def test_deleted_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    """A Lease that is deleted while somebody holds it stays his: nobody else serves, and he makes it anew at his next renewal."""
    with simulated_agents(4) as some, caplog.at_level(logging.WARNING):
        some.turn(60)
        holder = the(some.serving())
        for _ in range(3):
            for name in list(some.leases()):
                some.server.state.delete("leases", "telegen", name)
            some.turn(3)
            assert the(some.serving()) is holder
            assert some.holder() == holder.identity
        assert "telegen-shard-0: deleted" in caplog.text
        holder.frozen = True
        some.server.state.delete("leases", "telegen", "telegen-shard-0")
        some.turn(7)
        assert the(some.serving()) is holder
        some.turn(20)
        assert the(some.serving()) is not holder


def by_hand(some: SimulatedAgents, change: Callable[[Lease], Lease]) -> None:
    """Somebody changes both Leases."""
    for lease in some.leases().values():
        some.members[0].election._leases.write(change(lease))


def test_emptied_by_hand() -> None:
    """A Lease that somebody takes the holder's name out of is not given back: he writes his name anew, and serves all the time."""
    with simulated_agents(4) as some:
        some.turn(60)
        holder = the(some.serving())
        for duration in (0, 1, 15):
            by_hand(some, partial(lambda found, seconds: replace(found, holder="", duration=seconds), seconds=duration))
            some.turn(2.5)
            assert the(some.serving()) is holder
            assert (some.holder(), some.leases()["telegen-shard-0"].duration) == (holder.identity, 15)


@pytest.mark.parametrize("duration,after", [(0, 16), (1, 16), (60, 61), (2**31 - 1, 151)])
def test_stranger(duration: int, after: float) -> None:
    """A Lease with the name of somebody who does not exist is taken when it has not changed for the duration that it says, for ours at
    the least and for ten times ours at the most; its other numbers may be at their ends."""
    with simulated_agents(4) as some:
        some.turn(60)
        by_hand(some, lambda found: replace(found, holder="nobody", duration=duration, transitions=2**31 - 1, total=7))
        some.turn(after - 3)
        assert not some.serving()
        some.turn(6)
        assert some.serving()
        assert some.leases()["telegen-shard-0"].transitions == 2**31 - 1


def test_put_right() -> None:
    """Whatever somebody writes beside the holder's name is put right at the next renewal."""
    with simulated_agents(3) as some:
        some.turn(60)
        holder, acquired = the(some.serving()), some.leases()["telegen-shard-0"].acquired
        by_hand(some, lambda found: replace(found, duration=2**31 - 1, renewed="", total=7))
        some.turn(2.5)
        found = some.leases()["telegen-shard-0"]
        assert (found.duration, found.acquired, found.total, found.layout) == (15, acquired, 1, LAYOUT)
        assert found.renewed and the(some.serving()) is holder


def test_no_label() -> None:
    """A Lease whose label somebody takes away is found by its name: its holder puts it back, and when he is gone, another one does."""
    with simulated_agents(3) as some:
        some.turn(60)
        holder = the(some.serving())
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
def test_newcomer_to_the_deleted(cut: bool) -> None:
    """An agent that starts while a Lease is deleted makes it its own, and serves when the old holder has seen that, or, if he is cut off at
    that moment, has stopped."""
    with simulated_agents(2) as some:
        some.turn(60)
        holder = the(some.serving())
        for name in list(some.leases()):
            some.server.state.delete("leases", "telegen", name)
        holder.line.cut = cut
        new = some.join()
        new.live()
        assert some.holder() == new.identity and the(some.serving()) is holder
        some.turn(10.5)
        assert the(some.serving()) is new


def test_no_longer_allowed() -> None:
    """A holder that may not write any more sees in a list that it has lost its Lease, and is one of those who wait."""
    with simulated_agents(3) as some:
        some.turn(60)
        holder = the(some.serving())
        holder.line.refused = True
        some.turn(60)
        assert the(some.serving()) is not holder
        assert not holder.election.serves_until(0)


def test_may_not_write(caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to write Leases nobody serves; each agent tries every 45 s or so, and says what to apply."""
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


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens(seed: int) -> None:
    """Agents are cut off, frozen, killed, restarted, in any order: no shard is ever served twice, and all of them are
    served again when it is over."""
    with simulated_agents(7, seed, shards=2) as some:
        for _ in range(40):
            _happen(some, 2)
        _mend(some)
        assert the(some.serving(0)) and the(some.serving(1))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_divisions(seed: int) -> None:
    """The same while agents come with other numbers of shards: there is never more than one division served, and one is when it is over."""
    with simulated_agents(7, seed, shards=2) as some:
        for _ in range(40):
            _happen(some, some.draw.randrange(1, 4))
        _mend(some)
        assert all(len(some.serving(shard)) == 1 for shard in range(some.serving()[0].shards))


def _happen(some: SimulatedAgents, shards: int) -> None:
    """Something to somebody, and some time after it. Who comes divides the cluster into so many shards."""
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
        some.members.remove(victim)
        victim.election.resign()
    else:
        some.join(shards)
    some.turn(some.draw.uniform(1, 25), tick=0.5)


def _mend(some: SimulatedAgents) -> None:
    for member in some.members:
        member.line.cut = member.line.lossy = member.frozen = False
    some.turn(150, tick=0.5)


def test_clock_runs_through_suspension() -> None:
    """The clock counts what CLOCK_MONOTONIC counts, and suspension besides."""
    assert boottime() >= time.monotonic() - 1
