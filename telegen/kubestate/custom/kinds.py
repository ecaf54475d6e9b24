"""Resolution of entries and packs to the kinds that the API server serves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from telegen.kubestate.custom.expressions.model import MetricEntry, Selector
from telegen.kubestate.custom.expressions.surroundings import ReadLabels, no_labels
from telegen.kubestate.custom.expressions.tables import AggregateTable, make_aggregates
from telegen.kubestate.custom.expressions.tables import make_resources as make_metrics
from telegen.kubestate.custom.expressions.tables import reads_namespaces
from telegen.kubestate.custom.model import Entry, Kind
from telegen.kubestate.custom.tables import make_resource
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.health.table import health_resource
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.resource import Resource

SELECTED = "/+selector"
"""End of the name of a store of selected objects; no namespace has such a name."""

AGGREGATES = "/+aggregates"
"""End of the name of the store of a kind's aggregates."""


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
        """Objects that the entries with expressions are for."""
        return self.metrics[0].selector if self.metrics else Selector()

    def parts(self) -> dict[str, Selected]:
        """Return the tables that share a watch, by the end of the name of their store: a selector is for entries with expressions
        alone, so they have a watch of their own then."""
        if self.selector == Selector():
            return {"": self}
        others = replace(self, metrics=())
        return {**({"": others} if others != Selected() else {}), SELECTED: Selected(metrics=self.metrics)}

    @property
    def reads_namespaces(self) -> bool:
        """True if expressions read the labels of namespaces."""
        return any(map(reads_namespaces, self.metrics))

    def resources(self, kind: Kind, constant: Mapping[str, str] = {}, namespace_labels: ReadLabels = no_labels) -> list[Resource]:
        """Return the resources to render, each with its table; the entry's comes first, that of the health last.

        Args:
            constant: labels of every sample.
            namespace_labels: returns the labels of a namespace.
        """
        found = [make_resource(self.entry, kind, constant)] if self.entry else []
        of_packs = (resource for packed in self.packed for resource in packed.resources(kind, constant))
        found += [*of_packs, *(resource for entry in self.metrics for resource in make_metrics(entry, kind, constant, namespace_labels))]
        return [*found, health_resource(kind, self.health)] if self.health else found

    def aggregates(
        self, kind: Kind, constant: Mapping[str, str] = {}, namespace_labels: ReadLabels = no_labels
    ) -> AggregateTable | None:
        """Return the aggregates over the objects of the kind, None if there are none; see `resources`."""
        return make_aggregates(self.metrics, kind, constant, namespace_labels)


@dataclass(frozen=True)
class Configured:
    """All that selects kinds.

    Attributes:
        entries: of the format of kube-state-metrics.
        metrics: entries with expressions.
        named: packs by name that are expected to show something; those that only `auto` selects are not.
        scope: kinds whose health is served; None for none.
    """

    entries: Sequence[Entry] = ()
    metrics: Sequence[MetricEntry] = ()
    packs: Sequence[Pack] = ()
    named: Collection[str] = ()
    scope: Scope | None = None

    @property
    def reads_namespaces(self) -> bool:
        """True if expressions read the labels of namespaces."""
        return any(map(reads_namespaces, self.metrics))

    @property
    def groups(self) -> set[str]:
        """API groups that entries and packs name."""
        return {entry.pattern.group for entry in self.entries}.union(
            (entry.group for entry in self.metrics), *(pack.groups for pack in self.packs)
        )

    def select(self, served: Iterable[Kind], schemas: Mapping[Kind, Schema] = {}) -> dict[Kind, Selected]:
        """Return the tables of each kind that is selected, in the order of the page. Of several entries of the format of
        kube-state-metrics the last counts; entries with expressions add up.

        Args:
            schemas: of the kinds that have a definition.
        """
        kinds = sorted(served, key=lambda kind: kind.order)
        found = {kind: Selected(entry) for kind in kinds if (entry := self._entry(kind))}
        for pack in self.packs:
            for kind, packed in pack.served(kinds):
                before = found.get(kind, Selected())
                found[kind] = replace(before, packed=(*before.packed, packed))
        for metrics in self.metrics:
            for read in metrics.served(kinds):
                before = found.get(read, Selected())
                found[read] = replace(before, metrics=(*before.metrics, metrics))
        for kind in self.scope.kinds(kinds, schemas, list(found)) if self.scope else ():
            found[kind] = replace(found.get(kind, Selected()), health=schemas.get(kind, Schema()))
        return {kind: found[kind] for kind in kinds if kind in found}

    def _entry(self, kind: Kind) -> Entry | None:
        matching = [entry for entry in self.entries if entry.pattern.matches(kind.group, kind.version, kind.kind)]
        return matching[-1] if matching else None

    def absent(self, served: Iterable[Kind]) -> Iterator[str]:
        """Yield the groups of the health, the kinds of entries, and the packs that are not served."""
        kinds = list(served)
        groups = self.scope.groups if self.scope else None
        yield from sorted(f"health of {group}" for group in (groups or frozenset()) - {kind.group for kind in kinds})
        for pattern in (entry.pattern for entry in self.entries):
            if not any(pattern.matches(kind.group, kind.version, kind.kind) for kind in kinds):
                yield str(pattern)
        yield from (str(one) for one in self.metrics if not one.served(kinds))
        yield from (f"pack {pack.name}" for pack in self.packs if pack.name in self.named and not any(pack.served(kinds)))
