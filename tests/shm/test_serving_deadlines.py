"""Serving deadlines: a shard is served until a moment, and no longer."""

from __future__ import annotations

import os

from telegen.shm.serving_deadlines import ServingDeadlines, boottime_ns


def test_served_until_the_deadline() -> None:
    """A shard is served from when its deadline is set until it passes; other shards are not."""
    deadlines, now = ServingDeadlines(2), boottime_ns() / 1e9
    assert not deadlines.is_served(0) and not deadlines.serves_any()
    deadlines.set(1, now + 60, True)
    assert deadlines.is_served(1) and not deadlines.is_served(0) and deadlines.serves_any()
    deadlines.set(1, now - 0.001, True)
    assert not deadlines.is_served(1) and not deadlines.serves_any()


def test_set_returns_changes_of_wanted() -> None:
    """Setting returns true when the watch workers have to start or to end."""
    deadlines = ServingDeadlines(1)
    assert [deadlines.set(0, 0, wanted) for wanted in (False, True, True, False)] == [False, True, False, True]
    assert not deadlines.is_wanted(0)


def test_seen_by_other_processes() -> None:
    """Processes that were forked before see what another one writes."""
    deadlines = ServingDeadlines(1)
    if (pid := os.fork()) == 0:
        deadlines.set(0, boottime_ns() / 1e9 + 60, True)
        deadlines.set_leaving(True)
        os._exit(0)
    os.waitpid(pid, 0)
    assert deadlines.is_served(0) and deadlines.is_wanted(0) and deadlines.leaving
    deadlines.set_leaving(False)
    assert not deadlines.leaving


def test_token_is_unique() -> None:
    """Two agents of one node have different tokens."""
    assert ServingDeadlines(1).token != ServingDeadlines(1).token
