"""Containers that have ended and whose last series are kept for a time (`cadvisor.linger`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.identity.labels import BASE

_CONTAINER, _NAME, _NAMESPACE, _POD = (BASE.index(label) for label in ("container", "name", "namespace", "pod"))


class _Ended(NamedTuple):
    """Unix time until which the series are kept, and the identity of the container."""

    until: float
    identity: tuple[str, ...]


class Lingering:
    """Ended containers, from the pass that misses them until their time is over or they have a successor."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: time for which the series are kept; 0 keeps none."""
        self._seconds = seconds
        self._ended: dict[str, _Ended] = {}

    def applies_to(self, context: Context) -> bool:
        """True if the series of this cgroup are kept after its end."""
        return self._seconds > 0 and context.cgroup.kind == "container"

    def add(self, context: Context) -> bool:
        """Enter an ended cgroup; return True if its series are kept."""
        if not self.applies_to(context):
            return False
        self._ended[context.cgroup.id] = _Ended(context.node.now + self._seconds, _identity(context))
        return True

    def expire(self, contexts: Collection[Context], now: float) -> list[str]:
        """Return the ids of those whose time is over, that exist again, or that have a successor, and forget them.

        Args:
            contexts: of all cgroups that exist.
        """
        if not self._ended:
            return []
        ids = {context.cgroup.id for context in contexts}
        identities = {_identity(context) for context in contexts if context.cgroup.kind == "container"}
        over = [id for id, one in self._ended.items() if now >= one.until or id in ids or one.identity in identities]
        for id in over:
            del self._ended[id]
        return over


def _identity(context: Context) -> tuple[str, ...]:
    """Names that a container shares with its successor: those in its pod, else its own name."""
    values = context.labels
    if values[_POD]:
        return (values[_NAMESPACE], values[_POD], values[_CONTAINER])
    return (values[_NAME] or context.cgroup.id,)
