"""Resolution of entries and packs to the kinds that the API server serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from telegen.kubestate.custom.expressions.model import MetricEntry, Selector
from telegen.kubestate.custom.expressions.tables import make_resource as make_metrics
from telegen.kubestate.custom.model import Entry, Kind
from telegen.kubestate.custom.tables import make_resource
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.health.table import health_resource
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.resource import Resource


@dataclass(frozen=True)
class Selected:
    """Tables of one kind: of an entry, of packs, of entries with expressions, and of its health. Equal ones give equal series.

    Attributes:
        health: the schema of a kind whose health is served, else None.
    """

    entry: Entry | None = None
    packed: tuple[PackResource, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    health: Schema | None = None

    @property
    def is_configured(self) -> bool:
        """True for a kind that an entry or a pack names."""
        return bool(self.entry or self.packed or self.metrics)

    @property
    def selector(self) -> Selector:
        """Objects that are watched: all, if any table is for all objects."""
        is_alone = not (self.entry or self.packed or self.health)
        return self.metrics[0].selector if self.metrics and is_alone else Selector()

    def resources(self, kind: Kind, constant: Mapping[str, str] = {}) -> list[Resource]:
        """Return the resources to render, each with its table; the entry's comes first, that of the health last.

        Args:
            constant: labels of every sample.
        """
        found = [make_resource(self.entry, kind, constant)] if self.entry else []
        of_packs = (resource for packed in self.packed for resource in packed.resources(kind, constant))
        found += [*of_packs, *(make_metrics(entry, kind, constant) for entry in self.metrics)]
        return [*found, health_resource(kind, self.health)] if self.health else found


def resolve(
    entries: Sequence[Entry], served: Iterable[Kind], packs: Sequence[Pack] = (), metrics: Sequence[MetricEntry] = ()
) -> dict[Kind, Selected]:
    """Return the tables of each kind that any entry or pack selects, in the order of the page. Of several entries the last counts;
    entries with expressions add up."""
    kinds = sorted(served, key=lambda kind: kind.order)
    of_packs: dict[Kind, tuple[PackResource, ...]] = {}
    for pack in packs:
        for kind, packed in pack.served(kinds):
            of_packs[kind] = (*of_packs.get(kind, ()), packed)
    with_expressions: dict[Kind, tuple[MetricEntry, ...]] = {}
    for one in metrics:
        read = one.served(kinds)
        if read:
            with_expressions[read] = (*with_expressions.get(read, ()), one)
    found = {}
    for kind in kinds:
        matching = [entry for entry in entries if entry.pattern.matches(kind.group, kind.version, kind.kind)]
        if matching or kind in of_packs or kind in with_expressions:
            found[kind] = Selected(matching[-1] if matching else None, of_packs.get(kind, ()), with_expressions.get(kind, ()))
    return found


def with_health(
    selected: Mapping[Kind, Selected], scope: Scope | None, served: Iterable[Kind], schemas: Mapping[Kind, Schema]
) -> dict[Kind, Selected]:
    """Return the tables of each kind with those of its health, in the order of the page."""
    found = dict(selected)
    for kind in scope.kinds(served, schemas, selected) if scope else ():
        found[kind] = replace(found.get(kind, Selected()), health=schemas.get(kind, Schema()))
    return {kind: found[kind] for kind in sorted(found, key=lambda kind: kind.order)}


def absent(entries: Sequence[Entry], served: Iterable[Kind], metrics: Sequence[MetricEntry] = ()) -> Iterator[str]:
    """Yield the kinds of entries that are not served."""
    kinds = list(served)
    for pattern in (entry.pattern for entry in entries):
        if not any(pattern.matches(kind.group, kind.version, kind.kind) for kind in kinds):
            yield str(pattern)
    yield from (str(one) for one in metrics if one.served(kinds) is None)
