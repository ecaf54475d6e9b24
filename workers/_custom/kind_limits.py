"""Limit of the kinds that are watched for their health alone: in a cluster of thousands most kinds have no objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from telegen.api.client import Client
from telegen.api.errors import ApiError, Forbidden, ProtocolError, Unreachable
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubestate.custom.kinds import Selected
from telegen.kubestate.custom.model import Kind

WATCHES = 150
"""Kinds that are watched for their health alone."""
INTERVAL = 600.0
"""Seconds between two counts of the objects of a kind that is not watched."""
AT_ONCE = 50
"""Kinds that are counted between two discoveries."""
ACCEPT = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


class KindLimits:
    """Chooses the kinds to watch: all up to `WATCHES`, else those that have objects.

    Attributes:
        counts: numbers of objects of the kinds that have objects and are not watched.
        is_behind: kinds are left to be counted at once.
    """

    def __init__(self, client: Client, telemetry: Telemetry, paths: Callable[[Kind], list[str]]) -> None:
        """Choose none.

        Args:
            paths: the collections of a kind: one, or one per watched namespace.
        """
        self._client, self._telemetry, self._paths = client, telemetry, paths
        self._counted: dict[Kind, tuple[float, int]] = {}
        self._watched: set[Kind] = set()
        self._problems: dict[Kind, str] = {}
        self._refused: set[Kind] = set()
        self.counts: Mapping[Kind, int] = {}
        self.is_behind = False

    def choose(self, wanted: Mapping[Kind, Selected], sizes: Mapping[Kind, int]) -> dict[Kind, Selected]:
        """Return the kinds to watch.

        Args:
            sizes: numbers of objects of the kinds that are watched.
        """
        optional = [kind for kind, selected in wanted.items() if not selected.is_configured]
        self._forget(set(optional))
        if len(optional) <= WATCHES:
            self._watched, self.counts, self.is_behind = set(optional), {}, False
            return dict(wanted)
        due = [kind for kind in optional if kind not in sizes and self._is_due(kind)]
        self.is_behind = len(due) > AT_ONCE
        for kind in due[:AT_ONCE]:
            self._counted[kind] = time.monotonic(), self._count(kind)
        known = {**{kind: count for kind, (_, count) in self._counted.items()}, **sizes}
        ranked = sorted(optional, key=lambda kind: (not known.get(kind), kind not in self._watched, kind.order))
        self._watched = {kind for kind in ranked[:WATCHES] if kind in known}
        self.counts = {kind: known[kind] for kind in ranked[WATCHES:] if known.get(kind)}
        return {kind: selected for kind, selected in wanted.items() if selected.is_configured or kind in self._watched}

    def notes(self) -> Iterator[str]:
        """Yield a line for each kind that cannot be counted, and one if kinds are only counted."""
        yield from (f"{kind.order}: {problem}" for kind, problem in sorted(self._problems.items()))
        if self.counts:
            yield f"health: {len(self.counts)} kinds are only counted, as {WATCHES} others with objects are watched; name groups in health"

    def _is_due(self, kind: Kind) -> bool:
        return kind not in self._counted or time.monotonic() - self._counted[kind][0] > INTERVAL

    def _count(self, kind: Kind) -> int:
        """Return the number of objects, 0 if the API server does not answer."""
        try:
            found = sum(self._count_at(path) for path in self._paths(kind))
        except (ApiError, Unreachable, ProtocolError) as error:
            self._show(kind, str(error), isinstance(error, Forbidden))
            return 0
        self._show(kind, "", False)
        return found

    def _count_at(self, path: str) -> int:
        page = self._client.get(path, {"limit": "1"}, ACCEPT)
        metadata = page.get("metadata") or {}
        return len(page.get("items") or ()) + int(metadata.get("remainingItemCount") or 0)

    def _show(self, kind: Kind, problem: str, is_forbidden: bool) -> None:
        if problem:
            self._problems[kind] = problem[:200]
        else:
            self._problems.pop(kind, None)
        if is_forbidden or kind in self._refused:
            self._telemetry.forbidden.labels(kind.group, kind.plural).set(is_forbidden)
        (self._refused.add if is_forbidden else self._refused.discard)(kind)

    def _forget(self, wanted: set[Kind]) -> None:
        self._counted = {kind: counted for kind, counted in self._counted.items() if kind in wanted}
        for kind in self._refused - wanted:
            self._telemetry.forbidden.labels(kind.group, kind.plural).set(0)
        self._refused &= wanted
        self._problems = {kind: problem for kind, problem in self._problems.items() if kind in wanted}
