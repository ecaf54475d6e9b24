"""Log lines of polling."""

from __future__ import annotations

from telegen.adapter.agents.poller import RESULTS
from workers._adapter.poll_observer import CURES


def test_every_failure_has_a_cure() -> None:
    """Each result of a poll but the good ones has a cure for its log line."""
    assert set(CURES) == set(RESULTS) - {"ok", "unchanged"}
