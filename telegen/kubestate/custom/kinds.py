"""Resolution of entries and packs to the kinds that the API server serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from telegen.kubestate.custom.model import Entry, Kind
from telegen.kubestate.custom.tables import make_resource
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.health.table import health_resource
from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.resource import Resource


@dataclass(frozen=True)
class Selected:
    """Tables of one kind: of an entry, of a pack, and of its health. Equal ones give equal series.

    Attributes:
        health: the schema of a kind whose health is served, else None.
    """

    entry: Entry | None = None
    table: Resource | None = None
    health: Schema | None = None

    @property
    def is_configured(self) -> bool:
        """True for a kind that an entry or a pack names."""
        return bool(self.entry or self.table)

    def resources(self, kind: Kind, constant: Mapping[str, str] = {}) -> list[Resource]:
        """Return the resources to render, each with its table; the entry's comes first, that of the health last.

        Args:
            constant: labels of every sample.
        """
        found = [make_resource(self.entry, kind, constant)] if self.entry else []
        if self.table:
            found.append(replace(self.table, name=kind.plural, version=kind.version, namespaced=kind.namespaced))
        if self.health:
            found.append(health_resource(kind, self.health))
        return found


def resolve(entries: Sequence[Entry], served: Iterable[Kind], packs: Sequence[Pack] = ()) -> dict[Kind, Selected]:
    """Return the tables of each kind that any entry or pack selects, in the order of the page. Of several entries the last counts."""
    kinds = sorted(served, key=lambda kind: kind.order)
    of_packs = {kind: table for pack in packs for kind, table in pack.served(kinds)}
    found = {}
    for kind in kinds:
        matching = [entry for entry in entries if entry.pattern.matches(kind.group, kind.version, kind.kind)]
        if matching or kind in of_packs:
            found[kind] = Selected(matching[-1] if matching else None, of_packs.get(kind))
    return found


def with_health(
    selected: Mapping[Kind, Selected], scope: Scope | None, served: Iterable[Kind], schemas: Mapping[Kind, Schema]
) -> dict[Kind, Selected]:
    """Return the tables of each kind with those of its health, in the order of the page."""
    found = dict(selected)
    for kind in scope.kinds(served, schemas, selected) if scope else ():
        found[kind] = replace(found.get(kind, Selected()), health=schemas.get(kind, Schema()))
    return {kind: found[kind] for kind in sorted(found, key=lambda kind: kind.order)}


def absent(entries: Sequence[Entry], served: Iterable[Kind]) -> Iterator[str]:
    """Yield the patterns of entries that select no kind."""
    kinds = list(served)
    for pattern in (entry.pattern for entry in entries):
        if not any(pattern.matches(kind.group, kind.version, kind.kind) for kind in kinds):
            yield str(pattern)
