"""Delays between attempts."""

from __future__ import annotations

from collections.abc import Callable

from telegen.api.protocols import Settings


class Backoff:
    """Delays after errors: doubling, with full jitter.

    An API server that restarts is back within seconds, so delays stay short for the first `Settings.restart` seconds of a run of
    failures. A run ends with `reset`, or when nothing has failed for `Settings.reset` seconds.
    """

    def __init__(self, settings: Settings, draw: Callable[[], float], clock: Callable[[], float]) -> None:
        self._settings, self._draw, self._clock = settings, draw, clock
        self._delay = 0.0
        self._since = self._last = float("-inf")
        self._refused_since: float | None = None

    def next(self) -> float:
        """Seconds to wait after a failure."""
        self._refused_since = None
        return self._jittered(self._next())

    def refused(self) -> float:
        """Seconds to wait after a refusal (403, 404).

        A starting API server refuses requests while it has not read its RBAC rules or its custom resource definitions. A
        refusal that persists needs a change by an administrator, so the longest delay is enough. It is not remembered: a
        failure of another kind starts with its own delay.
        """
        if self._refused_since is None:
            self.reset()
            self._refused_since = self._clock()
        return self._jittered(self._next() if not self.is_refused else self._settings.backoff[1])

    @property
    def is_refused(self) -> bool:
        """True if refusals have persisted for longer than a restart takes."""
        return self._refused_since is not None and self._clock() - self._refused_since > self._settings.restart[0]

    def reset(self) -> None:
        """End the run of failures: the next one starts with the shortest delay."""
        self._delay, self._last, self._refused_since = 0.0, float("-inf"), None

    def _next(self) -> float:
        first, last = self._settings.backoff
        now = self._clock()
        if now - self._last > self._settings.reset:
            self._delay, self._since = 0.0, now
        self._last = now
        longest = last if now - self._since > self._settings.restart[0] else min(last, self._settings.restart[1])
        self._delay = min(longest, self._delay * 2 or first)
        return self._delay

    def _jittered(self, delay: float) -> float:
        return delay * (1 + self._draw())
