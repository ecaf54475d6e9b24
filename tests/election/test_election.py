"""Who holds which Lease: never two at once, always somebody again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from telegen.api.errors import Conflict
from telegen.election.election import boottime
from telegen.election.lease import Lease
from tests.election.simulated_agents import Crowd, Member, crowd


def the(members: list[Member]) -> Member:
    """The only one."""
    (member,) = members
    return member


def settled(some: Crowd) -> Crowd:
    """After the first quarter of an hour of a day without events."""
    some.turn(900, tick=1.0)
    return some


def test_first_come() -> None:
    """One takes the shard, another the place behind it; a third waits. Nobody serves before a deadline is over: the Lease may have been
    deleted, and its holder be cut off."""
    with crowd(3) as some:
        some.turn(9.5)
        assert not some.serving()
        some.turn(1)
        holder, standby = the(some.serving()), some.standby()
        assert standby and standby is not holder
        assert (some.holder(), some.holder(standby=True)) == (holder.identity, standby.identity)
        assert some.leases()["telegen-shard-0"].duration == 15


def test_killed_holder() -> None:
    """The standby takes over as soon as the record has stood still for the lease's time, and somebody follows it."""
    with crowd(3) as some:
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
    with crowd(3) as some:
        some.turn(60)
        old, standby = the(some.serving()), some.standby()
        some.members.remove(old)
        old.election.resign()
        assert (some.leases()["telegen-shard-0"].holder, some.leases()["telegen-shard-0"].duration) == ("", 1)
        some.turn(0.25)
        assert the(some.serving()) is standby


def test_cut_off_holder() -> None:
    """A holder that reaches nobody stops serving before another begins, and learns later that it has lost."""
    with crowd(3) as some:
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
    with crowd(3) as some:
        some.turn(60)
        for member in some.members:
            member.line.cut = True
        some.turn(120)
        assert not some.serving()
        for member in some.members:
            member.line.cut = False
        some.turn(10)
        assert the(some.serving()) in some.members


def test_requests_in_vain() -> None:
    """While the API server is away, who waits asks less and less often, as rarely as otherwise in the end; in a small cluster every 2 s."""
    for nodes, low, high in ((400, 1.5, 2.7), (4, 24, 36)):
        with crowd(3, nodes=nodes) as some:
            some.turn(60)
            waiting = next(m for m in some.members if not m.serves(0) and m is not some.standby())
            waiting.line.cut = True
            some.turn(180)
            before = len(waiting.verbs)
            some.turn(600, tick=0.5)
            assert low < (len(waiting.verbs) - before) / 10 < high


def test_frozen_holder() -> None:
    """A holder that was stopped for long serves nothing when it wakes up, not for a moment."""
    with crowd(3) as some:
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
    with crowd(2) as some:
        some.turn(60)
        holder = the(some.serving())
        holder.line.lossy = True
        some.turn(5)
        holder.line.lossy = False
        some.turn(5)
        assert the(some.serving()) is holder


def test_one_each() -> None:
    """With agents enough, each holds one Lease at the most."""
    with crowd(8, shards=3) as some:
        some.turn(120)
        for shard in range(3):
            assert some.serving(shard) and some.standby(shard)
        holders = [lease.holder for lease in some.leases().values()]
        assert len(set(holders)) == len(holders) == 6


def test_more_shards_than_agents() -> None:
    """With too few agents, they take what nobody else has taken for a while; nobody stands by for itself."""
    with crowd(2, shards=3) as some:
        settled(some)
        for shard in range(3):
            assert the(some.serving(shard)) is not some.standby(shard)


def test_alone() -> None:
    """The only agent of a cluster holds the shard; there is nobody next in line."""
    with crowd(1) as some:
        settled(some)
        assert some.serving() and not some.standby()


@pytest.mark.parametrize("nodes", [1, 6, 20, 60])
def test_killed_pair(nodes: int) -> None:
    """When a holder and its standby go at once, whoever waits serves the shard at the Lease's end and a look, and a half of one, later."""
    with crowd(3, seed=nodes, nodes=nodes) as some:
        some.turn(60)
        waiting = next(m for m in some.members if not m.serves(0) and m is not some.standby())
        some.members[:] = [waiting]
        some.turn(12.5)
        assert not some.serving()
        some.turn(2.5 + 1.5 * max(1, nodes / 10) + 0.5)
        assert waiting.serves(0)


@pytest.mark.parametrize("seed", range(6))
def test_killed_pair_of_the_young(seed: int) -> None:
    """The same half a minute after all have started, where the one that waits had looked before there were Leases: it has learnt in time
    how many nodes there are."""
    with crowd(3, seed, nodes=3) as some:
        waiting = some.members[-1]
        waiting.election._look()
        some.now += 0.1
        for member in some.members:
            member.live()
        assert not waiting.election.stands_by(0) and waiting.verbs.count("create") == 1
        some.turn(36)
        some.members[:] = [waiting]
        some.turn(12.5)
        assert not some.serving()
        some.turn(4.5)
        assert waiting.serves(0)


def test_killed_pair_of_many() -> None:
    """Of many, somebody looks at any time: the shard is served again within 20 s of the loss."""
    with crowd(40, nodes=40) as some:
        some.turn(60, tick=0.5)
        some.members[:] = [m for m in some.members if not m.serves(0) and m is not some.standby()]
        some.turn(17, tick=0.5)
        assert some.serving()


def test_last_of_three() -> None:
    """Of three agents with a shard each two are killed: the third serves all shards within 20 s."""
    with crowd(3, shards=3, nodes=3) as some:
        settled(some)
        assert all(some.serving(shard) for shard in range(3))
        some.members[:] = some.members[:1]
        some.turn(19)
        assert all(some.serving(shard) for shard in range(3))


@pytest.mark.parametrize("nodes,low,high", [(0, 1.5, 2.7), (3, 50, 66), (100, 5, 7), (400, 1.5, 2.7)])
def test_requests_of_the_waiting(nodes: int, low: float, high: float) -> None:
    """Who waits asks the less often the more nodes there are, at least twice a minute, whatever the others do."""
    with crowd(6, nodes=nodes) as some:
        settled(some)
        waiting = [member for member in some.members if not some.serving() == [member] and member is not some.standby()]
        before = [len(member.verbs) for member in waiting]
        some.turn(300, tick=0.25)
        counts = [(len(member.verbs) - count) / 5 for member, count in zip(waiting, before)]
        assert all(low < count < high for count in counts), counts


def test_requests_of_holder_and_standby() -> None:
    """They renew every two seconds, and look around now and then."""
    with crowd(3) as some:
        settled(some)
        pair = [the(some.serving()), some.standby()]
        before = [len(member.verbs) for member in pair if member]
        some.turn(600, tick=0.5)
        counts = [(len(member.verbs) - count) / 10 for member, count in zip(pair, before) if member]
        assert all(20 < count < 34 for count in counts), counts


def test_another_number_of_shards() -> None:
    """While somebody holds a shard of another division, nobody takes one of ours: every series would be there twice."""
    with crowd(2, nodes=2) as some:
        some.turn(60)
        one = some.join(shards=2)
        some.turn(120)
        assert not one.serves(0) and not one.serves(1)
        for old in [member for member in some.members if member is not one]:
            some.members.remove(old)
            old.election.resign()
        some.shards = 2
        some.join()
        some.turn(13)
        assert the(some.serving(0)) is not the(some.serving(1))


def test_two_divisions_at_once() -> None:
    """Agents with another number of shards each take Leases of different names at the same moment: the one that wrote last sees it and
    gives its own back, and has not served."""
    with crowd(1) as some:
        old = some.members[0]
        old.election._look()
        some.shards = 2
        for _ in range(20):
            new = some.join(shards=2)
            new.live()
            if new.serves(1):
                break
            new.election.resign()
            some.members.remove(new)
        assert new.serves(1)
        old.election._seen["telegen-shard-0"].lease = some.leases().get("telegen-shard-0", Lease("telegen-shard-0"))
        old.election._take("telegen-shard-0")
        assert not old.serves(0) and new.serves(1)
        assert some.holder() == ""


def test_late_renewal() -> None:
    """A holder that wakes up finds its Lease untouched, while an agent with another number of shards has begun to take others: it gives
    its own back before it serves."""
    with crowd(1) as some:
        some.turn(11)
        (old,) = some.members
        old.frozen = True
        new = some.join(shards=2)
        new.live()
        some.now += 20
        new.election._look()
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
    with crowd(2) as some:
        some.turn(60)
        old = the(some.serving())
        some.members.remove(old)
        new = Member(some, old.identity, 1, some.draw)
        some.members.append(new)
        some.turn(0.25)
        assert new.serves(0)
        assert some.leases()["telegen-shard-0"].transitions == 0


def test_only_one_writes() -> None:
    """An update of a version that is no longer the newest is refused, and so is a second creation."""
    with crowd(1) as some:
        some.turn(1)
        held = some.leases()["telegen-shard-0"]
        leases = some.members[0].election._leases
        leases.write(replace(held, renewed="2026-01-05T08:00:00.000000Z"))
        for stale in (held, Lease("telegen-shard-0")):
            with pytest.raises(Conflict):
                leases.write(stale)


def test_taken_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    """A Lease that somebody has overwritten is lost at the next renewal, with a word in the log; one deleted is made anew."""
    with crowd(1) as some, caplog.at_level(logging.WARNING):
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
    with crowd(4, nodes=4) as some, caplog.at_level(logging.WARNING):
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


def by_hand(some: Crowd, change: Callable[[Lease], Lease]) -> None:
    """Somebody changes both Leases."""
    for lease in some.leases().values():
        some.members[0].election._leases.write(change(lease))


def test_emptied_by_hand() -> None:
    """A Lease that somebody takes the holder's name out of is not given back: he writes his name anew, and serves all the time."""
    with crowd(4, nodes=4) as some:
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
    with crowd(4, nodes=4) as some:
        some.turn(60)
        by_hand(some, lambda found: replace(found, holder="nobody", duration=duration, transitions=2**31 - 1, total=7))
        some.turn(after - 3)
        assert not some.serving()
        some.turn(6)
        assert some.serving()
        assert some.leases()["telegen-shard-0"].transitions == 2**31 - 1


def test_put_right() -> None:
    """Whatever somebody writes beside the holder's name is put right at the next renewal."""
    with crowd(3, nodes=3) as some:
        some.turn(60)
        holder, acquired = the(some.serving()), some.leases()["telegen-shard-0"].acquired
        by_hand(some, lambda found: replace(found, duration=2**31 - 1, renewed="", total=7, nodes=0))
        some.turn(2.5)
        found = some.leases()["telegen-shard-0"]
        assert (found.duration, found.acquired, found.total, found.nodes) == (15, acquired, 1, 3)
        assert found.renewed and the(some.serving()) is holder


def test_no_label() -> None:
    """A Lease whose label somebody takes away is found by its name: its holder puts it back, and when he is gone, another one does."""
    with crowd(3, nodes=3) as some:
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
    with crowd(2, nodes=2) as some:
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
    with crowd(3, nodes=3) as some:
        some.turn(60)
        holder = the(some.serving())
        holder.line.refused = True
        some.turn(60)
        assert the(some.serving()) is not holder
        assert not holder.election.serves_until(0)


def test_may_not_write(caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to write Leases nobody serves; each agent tries every 45 s or so, and says what to apply."""
    with crowd(3, nodes=3) as some, caplog.at_level(logging.WARNING):
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
    with crowd(7, seed, shards=2, nodes=seed % 2 * 7) as some:
        for _ in range(40):
            _happen(some, 2)
        _mend(some)
        assert the(some.serving(0)) and the(some.serving(1))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_divisions(seed: int) -> None:
    """The same while agents come with other numbers of shards: there is never more than one division served, and one is when it is over."""
    with crowd(7, seed, shards=2, nodes=7) as some:
        for _ in range(40):
            _happen(some, some.draw.randrange(1, 4))
        _mend(some)
        assert all(len(some.serving(shard)) == 1 for shard in range(some.serving()[0].shards))


def _happen(some: Crowd, shards: int) -> None:
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


def _mend(some: Crowd) -> None:
    for member in some.members:
        member.line.cut = member.line.lossy = member.frozen = False
    some.turn(150, tick=0.5)


def test_clock_runs_through_suspension() -> None:
    """The clock counts what CLOCK_MONOTONIC counts, and suspension besides."""
    assert boottime() >= time.monotonic() - 1
