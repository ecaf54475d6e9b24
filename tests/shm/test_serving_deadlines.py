"""Gates: open until a moment, closed by themselves."""

from __future__ import annotations

import os

from telegen.shm.serving_deadlines import Gates, boottime_ns


def test_closed_at_first_and_after_the_deadline() -> None:
    """A gate is open from when it is set until its deadline, and no other gate with it."""
    gates, now = Gates(2), boottime_ns() / 1e9
    assert not gates.is_open(0)
    gates.set(0, now + 60, True)
    assert gates.is_open(0) and not gates.is_open(1)
    gates.set(0, now - 0.001, True)
    assert not gates.is_open(0)


def test_what_has_to_be_in_step() -> None:
    """It is shown while the gate is open and it is proven to be in step; the one changes nothing of the other."""
    gates, now = Gates(2), boottime_ns() / 1e9
    gates.set(0, now + 60, True)
    assert not gates.is_open(0, proven=True)
    gates.prove(0, now + 4)
    assert gates.is_open(0, proven=True)
    gates.set(0, now + 50, True)
    assert gates.is_open(0, proven=True) and not gates.is_open(1, proven=True) and gates.wanted(0)
    gates.prove(0, now - 0.001)
    assert gates.is_open(0) and not gates.is_open(0, proven=True)
    gates.prove(0, now + 4)
    gates.set(0, 0, True)
    assert not gates.is_open(0, proven=True)


def test_wanted_tells_what_is_new() -> None:
    """Setting says whether the shard's stores are wanted now and were not before, or the other way round."""
    gates = Gates(1)
    assert [gates.set(0, 0, wanted) for wanted in (False, True, True, False)] == [False, True, False, True]
    assert not gates.wanted(0)


def test_seen_by_other_processes() -> None:
    """What one process writes, those that were forked before see."""
    gates = Gates(1)
    if (pid := os.fork()) == 0:
        gates.set(0, boottime_ns() / 1e9 + 60, True)
        gates.leave(True)
        os._exit(0)
    os.waitpid(pid, 0)
    assert gates.is_open(0) and gates.wanted(0) and gates.leaving
    gates.leave(False)
    assert not gates.leaving


def test_every_agent_has_a_token_of_its_own() -> None:
    """Two agents of one node are told apart by it."""
    assert Gates(1).token != Gates(1).token
