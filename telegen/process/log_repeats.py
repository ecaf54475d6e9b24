"""Limit of repeated warnings, so that one cause cannot fill the log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

PERIOD = 60.0
"""Seconds for which warnings are counted."""
SAME = 5
"""Warnings of one text per period."""
UNLIMITED = "unlimited"
"""Attribute of records that are never left out: `log.error(..., extra={UNLIMITED: True})`. For answers to what a person has done."""
ALIKE = 100
"""Warnings of one statement per period, with any text. Texts contain names that a client or a tenant chooses."""


@dataclass
class _Count:
    """Warnings since `began`, a time of the monotonic clock; `last` is the last one that was left out."""

    began: float
    passed: int = 0
    left_out: int = 0
    last: logging.LogRecord | None = None


class RepeatFilter(logging.Filter):
    """Leaves out warnings and errors beyond the limits; the first record after the period is preceded by their number."""

    def __init__(self, emit: Callable[[logging.LogRecord], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Make a filter.

        Args:
            emit: writes a record without this filter.
        """
        super().__init__()
        self._emit, self._clock = emit, clock
        self._lock = threading.Lock()
        self._counts: dict[object, _Count] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True for a record that is to be written."""
        now = self._clock()
        with self._lock:
            reports = self._take_ended(now)
            is_exempt = record.levelno < logging.WARNING or getattr(record, UNLIMITED, False)
            passes = is_exempt or self._passes(record, now)
        for report in reports:
            self._emit(report)
        return passes

    def _passes(self, record: logging.LogRecord, now: float) -> bool:
        # The statement comes first: it bounds the number of texts that are counted.
        statement = (record.pathname, record.lineno)
        for key, limit in ((statement, ALIKE), ((statement, hash(record.getMessage())), SAME)):
            count = self._counts.setdefault(key, _Count(now))
            if count.passed >= limit:
                count.left_out += 1
                count.last = record
                return False
            count.passed += 1
        return True

    def _take_ended(self, now: float) -> list[logging.LogRecord]:
        """Remove the counts whose period has ended; return a record for each that left out warnings."""
        reports = []
        # The oldest counts come first.
        for key, count in list(self._counts.items()):
            if now - count.began < PERIOD:
                break
            del self._counts[key]
            if count.last is not None:
                text = f"{count.last.getMessage()} ({count.left_out} more like this in {now - count.began:.0f} s)"
                changes = {"msg": text, "args": None, "exc_info": None, "exc_text": None, "created": time.time()}
                reports.append(logging.makeLogRecord({**count.last.__dict__, **changes}))
        return reports
