"""Log lines about the failures of a receiver."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from telegen.otlp.outcome import Accepted, Outcome, Retry

LOG_INTERVAL = 60.0
"""Seconds between two log lines about failures."""


class FailureLog:
    """One line about the failures of a receiver per minute, and one when it has recovered."""

    def __init__(self, log: logging.Logger, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            what: that is sent, and its receiver, for the log.
        """
        self._log, self._what, self._clock = log, what, clock
        self._next, self._failing = 0.0, False

    def note(self, outcome: Outcome) -> None:
        """Log an outcome."""
        if isinstance(outcome, Accepted) and not outcome.message and not outcome.rejected:
            if self._failing:
                self._log.info("%s: the receiver accepts again", self._what)
            # The time of the next line stays: a receiver that fails now and then has no line for each time.
            self._failing = False
            return
        if self._clock() < self._next:
            return
        self._next = self._clock() + LOG_INTERVAL
        if isinstance(outcome, Accepted):
            text = f"{outcome.rejected} rejected" if outcome.rejected else "a warning"
            self._log.warning("%s: %s by the receiver: %s", self._what, text, outcome.message or "no message")
            return
        self._failing = True
        then = "retrying" if isinstance(outcome, Retry) else "dropped; check kube_metrics.otlp and the receiver"
        self._log.warning("%s: not accepted: %s; %s", self._what, outcome.message, then)
