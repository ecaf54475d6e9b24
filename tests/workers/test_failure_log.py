"""Log lines about a receiver that fails."""

from __future__ import annotations

import logging

import pytest

from telegen.otlp.outcome import Accepted, Refused, Retry
from workers._failure_log import LOG_INTERVAL, FailureLog


def test_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that fails, or fails now and then, has one line a minute, and one more when it recovers after it."""
    caplog.set_level(logging.INFO)
    now = 0.0
    log = FailureLog(logging.getLogger("push"), "metrics to http://c:4318/v1/metrics", lambda: now)
    busy = Retry("503", "503 busy")
    for outcome in (busy, busy, Accepted(), Refused("400", "400 bad"), Accepted(), Accepted(2, "old")):
        log.note(outcome)
    lines = [
        "metrics to http://c:4318/v1/metrics: not accepted: 503 busy; retrying",
        "metrics to http://c:4318/v1/metrics: the receiver accepts again",
    ]
    assert caplog.messages == lines
    now = LOG_INTERVAL
    for outcome in (Refused("400", "400 bad"), Accepted(2, "old"), Accepted()):
        log.note(outcome)
    assert caplog.messages[2:] == [
        "metrics to http://c:4318/v1/metrics: not accepted: 400 bad; dropped; check kube_metrics.otlp and the receiver",
        "metrics to http://c:4318/v1/metrics: the receiver accepts again",
    ]
    now = 2 * LOG_INTERVAL
    log.note(Accepted(2, "old"))
    assert caplog.messages[4:] == ["metrics to http://c:4318/v1/metrics: 2 rejected by the receiver: old"]
