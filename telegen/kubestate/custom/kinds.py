"""Resolution of entries to the kinds that the API server serves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from telegen.kubestate.custom.model import Entry, Kind


def resolve(entries: Sequence[Entry], served: Iterable[Kind]) -> dict[Kind, Entry]:
    """Return the entry of each kind that any selects, in the order of the page. Of several entries the last one counts."""
    found = {}
    for kind in sorted(served, key=lambda kind: kind.order):
        matching = [entry for entry in entries if entry.pattern.matches(kind.group, kind.version, kind.kind)]
        if matching:
            found[kind] = matching[-1]
    return found


def absent(entries: Sequence[Entry], served: Iterable[Kind]) -> list[str]:
    """Return the patterns of entries that select no kind."""
    kinds = list(served)
    return [
        str(entry.pattern)
        for entry in entries
        if not any(entry.pattern.matches(kind.group, kind.version, kind.kind) for kind in kinds)
    ]
