"""Backends whose values are counted by their source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

RULE, LIVE = "rule", "live"
"""Sources of values: rules over Prometheus, or the agents."""


class ValueObserver(Protocol):
    """Counts values."""

    def served(self, group: str, source: str, times: Sequence[float]) -> None:
        """Values of these Unix seconds were served."""


class Observed:
    """A backend, as `telegen.adapter.apis.values` has them, whose values are counted."""

    def __init__(self, backend: Any, group: str, source: str, observer: ValueObserver) -> None:
        self._backend, self._group, self._source, self._observer = backend, group, source, observer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def values(self, *arguments: Any) -> Any:
        """Return the values of the backend."""
        return self._counted(self._backend.values(*arguments))

    def usage(self, *arguments: Any) -> Any:
        """Return the usage of the backend."""
        return self._counted(self._backend.usage(*arguments))

    def rendered(self, *arguments: Any) -> Any:
        """Return the usage of the backend as text."""
        return self._counted(self._backend.rendered(*arguments))

    def _counted(self, values: Any) -> Any:
        if values is not None:
            self._observer.served(self._group, self._source, [one.time for one in values])
        return values
