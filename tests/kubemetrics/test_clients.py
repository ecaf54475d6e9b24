"""Limits of the clients of a web process, with connections that have a state and no socket."""

from __future__ import annotations

from collections import Counter

import pytest

from telegen.kubemetrics.clients import OVERFLOW, REASONS, Clients, Limits

NEVER = float("inf")


class Clock:
    """A clock that stands still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """A connection with a state."""

    def __init__(self, is_answering: bool = False, quiet_since: float = 0.0, blocked_since: float = NEVER, reason: str = "") -> None:
        self.is_answering, self.quiet_since, self.blocked_since, self.reason = is_answering, quiet_since, blocked_since, reason
        self.is_idle = not is_answering
        self.ended = ""

    def check(self, now: float) -> str:
        return self.reason

    def abort(self) -> None:
        self.ended = "reset"

    def close(self) -> None:
        self.ended = "closed"


class Process:
    """The clients of a process, and what was counted."""

    def __init__(self, **limits: int) -> None:
        self.counts: Counter[str] = Counter()
        self.clock = Clock()
        self.clients = Clients(Limits(**limits), lambda reason: self.counts.update([reason]), self.clock)  # type: ignore[arg-type]

    def add(self, *connections: Fake) -> None:
        for connection in connections:
            self.clients.add(connection)


def test_sweep_drops_and_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    """Connections with a problem are reset and counted; all of ten seconds are one line."""
    process = Process()
    bad, good = [Fake(reason="slow") for _ in range(3)], Fake()
    process.add(*bad, good)
    process.clients.sweep()
    assert [one.ended for one in (*bad, good)] == ["reset"] * 3 + [""]
    process.add(Fake(reason="silent"))
    process.clients.sweep()
    assert process.counts == {"slow": 3, "silent": 1}
    assert [record.getMessage() for record in caplog.records] == [f"clients dropped: 3 slow ({REASONS['slow']})"]
    process.clock.now += 10
    process.clients.sweep()
    assert caplog.records[-1].getMessage() == f"clients dropped: 1 silent ({REASONS['silent']})"


def test_longest_quiet_connection_makes_room() -> None:
    """Beyond a quarter of max_connections the one that has been quiet for longest goes, never one that is answered or new."""
    process = Process(max_connections=16)
    answered, old, older = Fake(is_answering=True, quiet_since=0.0), Fake(quiet_since=5.0), Fake(quiet_since=1.0)
    process.add(answered, old, older, Fake(quiet_since=9.0))
    process.add(Fake(quiet_since=0.0))
    assert (older.ended, old.ended, answered.ended) == ("reset", "", "")
    assert process.counts == {"crowded": 1}


def test_blocked_client_makes_room_for_an_answer() -> None:
    """Beyond max_answers a client that has taken nothing for two seconds goes; clients that keep pace all stay."""
    process = Process(max_answers=4)
    honest, blocked = [Fake(True) for _ in range(4)], Fake(True, blocked_since=97.0)
    process.add(*honest, blocked)
    process.clients.answering()
    process.clients.answering()
    assert [one.ended for one in (*honest, blocked)] == [""] * 4 + ["reset"]


def test_moment_without_room_is_not_held_against_a_client() -> None:
    """A busy machine blocks honest clients for moments; only at four times max_answers does that count."""
    process = Process(max_answers=4)
    process.add(*[Fake(True, blocked_since=99.5) for _ in range(4 * OVERFLOW)])
    process.clients.answering()
    assert not process.counts
    process.add(Fake(True))
    process.clients.answering()
    assert process.counts == {"crowded": 1}


def test_end_of_the_process() -> None:
    """Idle connections are closed at once, stuck ones are reset after a moment, and clients that take their response may finish."""
    process = Process()
    idle, stuck, reading = Fake(), Fake(True, blocked_since=50.0), Fake(True)
    process.add(idle, stuck, reading)
    process.clients.finish(begun=100.0)
    assert (idle.ended, stuck.ended, reading.ended) == ("closed", "", "")
    process.clock.now += 1
    process.clients.finish(begun=100.0)
    assert (stuck.ended, reading.ended) == ("reset", "")
    process.clients.drop_all("stopping")
    assert reading.ended == "reset" and process.counts["stopping"] == 3
