"""Sync status of stores in shared memory."""

from __future__ import annotations

import os
import time

from telegen.shm.store_status import CAUSE_BYTES, Kind, Status, StoreStatus, StoreStatuses


def test_status_written_by_a_child() -> None:
    """Another process reads what was written; the rows of two stores are independent."""
    statuses = StoreStatuses(["pods", "nodes"])
    assert statuses["pods"].read() == Status()
    if (pid := os.fork()) == 0:
        statuses["pods"].note_refused("403 Forbidden")
        statuses["nodes"].note_failed("unreachable: refused")
        os._exit(0)
    os.waitpid(pid, 0)
    pods, nodes = statuses["pods"].read(), statuses["nodes"].read()
    assert (pods.kind, pods.cause) == (Kind.REFUSED, "403 Forbidden")
    assert (nodes.kind, nodes.cause) == (Kind.FAILED, "unreachable: refused")
    statuses.clear()
    assert statuses["nodes"].read() == Status()


def test_time_counts_from_the_first_failure() -> None:
    """Further failures change the cause and keep the time; a success resets both."""
    status = StoreStatus()
    status.note_synced()
    assert (status.read().kind, status.read().seconds, status.read().cause) == (Kind.SYNCED, 0.0, "")
    status.note_waiting()
    time.sleep(0.02)
    status.note_failed("one")
    first = status.read()
    assert first.seconds >= 0.02
    status.note_waiting()
    status.note_failed("two")
    assert status.read().seconds >= first.seconds and status.read().cause == "two"
    status.note_waiting()
    assert status.read().kind == Kind.FAILED
    status.note_synced()
    assert (status.read().kind, status.read().seconds, status.read().cause) == (Kind.SYNCED, 0.0, "")


def test_cause_is_one_printable_line_that_fits() -> None:
    """A long cause is cut between two characters; line breaks and control characters are replaced."""
    status = StoreStatus()
    status.note_failed("a\nb\x1b[31m\ud800 " + "\u00fc" * 300)
    cause = status.read().cause
    assert cause.startswith("a b?[31m? \u00fc")
    assert CAUSE_BYTES - 2 <= len(cause.encode()) <= CAUSE_BYTES
