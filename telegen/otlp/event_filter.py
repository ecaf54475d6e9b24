"""Selection of events, and a rate limit per object."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telegen.config.model import LogsStreaming
from telegen.otlp.event_records import SEVERITIES, severity
from telegen.process.json_access import mapping, text

PERIOD = 60.0
"""Seconds over which the events of an object are counted."""
OBJECTS = 10_000
"""Objects whose rates are remembered."""


def event_filter(settings: LogsStreaming) -> Callable[[dict[str, Any]], bool]:
    """Return the predicate of the events to send."""
    least = SEVERITIES[settings.minimum_severity]
    types, reasons, kinds = set(settings.event_types), set(settings.reasons), set(settings.kinds)
    namespaces, excluded = set(settings.namespaces), set(settings.namespaces_exclude)

    def is_wanted(event: dict[str, Any]) -> bool:
        namespace = text(event["metadata"], "namespace")
        return (
            (not types or text(event, "type") in types)
            and severity(event) >= least
            and (not reasons or text(event, "reason") in reasons)
            and (not kinds or text(mapping(event, "regarding"), "kind") in kinds)
            and (not namespaces or namespace in namespaces)
            and namespace not in excluded
        )

    return is_wanted


@dataclass
class _Rate:
    began: float
    passed: int = 0
    held: int = 0


class RateLimit:
    """Limits the events of each object."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            most: events of an object per minute; 0 for all.
        """
        self._most, self._clock = most, clock
        self._rates: OrderedDict[tuple[str, str, str], _Rate] = OrderedDict()

    def check(self, event: dict[str, Any]) -> int | None:
        """Return the number of events of the object that were held back since the last one that passed; None to hold this one back."""
        if not self._most:
            return 0
        regarding, now = mapping(event, "regarding"), self._clock()
        key = (text(regarding, "kind"), text(regarding, "namespace"), text(regarding, "name"))
        rate = self._rates.pop(key, None) or _Rate(now)
        if now - rate.began >= PERIOD:
            rate.began, rate.passed = now, 0
        self._rates[key] = rate
        if len(self._rates) > OBJECTS:
            self._rates.popitem(last=False)
        if rate.passed >= self._most:
            rate.held += 1
            return None
        rate.passed += 1
        held, rate.held = rate.held, 0
        return held
